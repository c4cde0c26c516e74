"""Draws the pictures of README.md, docs/results.md and docs/robustness.md: python -m docs.pictures RUN_DIR

docs/demo_faces.png  drawn faces, a row for each emotion
docs/disturbances.png  one of them, as benchmarks.robustness disturbs faces
docs/curves.png, docs/confusion.png and docs/per_class.png: of that run, as in its report
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from benchmarks.disturbances import DISTURBANCES
from fer_lightning.data import EMOTIONS
from fer_lightning.data.drawings.photo import photo
from fer_lightning.data.faces import SIDE
from fer_lightning.data.tables import texts_as_they_were
from fer_lightning.report.charts import confusion_chart, per_class_chart
from fer_lightning.report.curves import curves_chart
from fer_lightning.transforms.pixel_format import PixelFormat

HERE = Path(__file__).parent
FACES_A_ROW = 13
ENLARGED = 2
MARGIN = 100  # pixels, for the names
CAPTION = 16  # pixels, for a strength


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


def disturbed_faces() -> Image.Image:
    """A row for each disturbance, its strengths below the faces; the first face is the clean one."""
    side, to_pixels = SIDE * ENLARGED, PixelFormat(SIDE)
    name_font, font = (ImageFont.truetype(findfont("DejaVu Sans"), size) for size in (12, 10))  # with σ and ×
    most = max(len(kind.strengths) for kind in DISTURBANCES)
    sheet = Image.new("L", (MARGIN + (1 + most) * side, len(DISTURBANCES) * (side + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    clean = to_pixels(photo("happy", np.random.default_rng((0, 3))))[None]
    for row, kind in enumerate(DISTURBANCES):
        top = row * (side + CAPTION)
        pen.text((MARGIN - 8, top + side / 2), kind.name, "black", name_font, anchor="rm")
        for column, strength in enumerate((kind.none, *kind.strengths)):
            face = Image.fromarray(to_pixels(kind.disturbed(clean, strength)[0, 0])[0])
            left = MARGIN + column * side
            sheet.paste(face.resize((side, side), Image.Resampling.BICUBIC), (left, top))
            caption = kind.in_words.format(strength, strength) if column else "clean"
            pen.text((left + side / 2, top + side), caption, "black", font, anchor="ma")
    return sheet


def charts(run: Path) -> dict[str, Figure]:
    """Of a run on FER2013, from its report: no face of it."""
    counts = _table(run / "report" / "confusion.csv", "true")
    return {
        "curves": curves_chart(pd.read_csv(run / "metrics.csv"), "val/accuracy"),
        "confusion": confusion_chart(torch.tensor(counts.to_numpy()), tuple(counts), shares=True),
        "per_class": per_class_chart(_table(run / "report" / "per_class.csv", "class")),
    }


def _table(file: Path, index: str) -> pd.DataFrame:
    return texts_as_they_were(pd.read_csv(file, index_col=[index]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    demo_faces().save(HERE / "demo_faces.png", optimize=True)
    disturbed_faces().save(HERE / "disturbances.png", optimize=True)
    for name, figure in charts(Path(sys.argv[1])).items():
        figure.savefig(HERE / f"{name}.png", dpi=100)
