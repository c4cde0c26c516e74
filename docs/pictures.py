"""Draws the pictures of README.md and docs/results.md: python -m docs.pictures RUN_DIR

docs/demo_faces.png  drawn faces, a row for each emotion
docs/curves.png, docs/confusion.png and docs/per_class.png: of that run, as in its report
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from fer_lightning.data import EMOTIONS
from fer_lightning.data.drawings.photo import photo
from fer_lightning.data.faces import SIDE
from fer_lightning.data.tables import read_table
from fer_lightning.report.charts import confusion_chart, per_class_chart
from fer_lightning.report.curves import curves_chart

HERE = Path(__file__).parent
FACES_A_ROW = 13
ENLARGED = 2
MARGIN = 100  # pixels, for the names


def demo_faces() -> Image.Image:
    """A row for each emotion, its name at the left."""
    side = SIDE * ENLARGED
    sheet = Image.new("L", (MARGIN + FACES_A_ROW * side, len(EMOTIONS) * side), "white")
    pen = ImageDraw.Draw(sheet)
    for row, emotion in enumerate(EMOTIONS):
        pen.text((MARGIN - 8, (row + 0.5) * side), emotion, "black", ImageFont.load_default(20), anchor="rm")
        for column in range(FACES_A_ROW):
            face = Image.fromarray(photo(emotion, np.random.default_rng((5, 100 * row + column))))
            place = (MARGIN + column * side, row * side)
            sheet.paste(face.resize((side, side), Image.Resampling.BICUBIC), place)
    return sheet


def charts(run: Path) -> dict[str, Figure]:
    """Of a run on FER2013, from its report: no face of it."""
    counts = read_table(run / "report" / "confusion.csv", ["true"])
    return {
        "curves": curves_chart(pd.read_csv(run / "metrics.csv"), "val/accuracy"),
        "confusion": confusion_chart(torch.tensor(counts.to_numpy()), tuple(counts), shares=True),
        "per_class": per_class_chart(read_table(run / "report" / "per_class.csv", ["class"])),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    demo_faces().save(HERE / "demo_faces.png", optimize=True)
    for name, figure in charts(Path(sys.argv[1])).items():
        figure.savefig(HERE / f"{name}.png", dpi=100)
