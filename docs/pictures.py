"""Draws the README's pictures: python -m docs.pictures RUN_DIR RUN_DIR …

docs/demo_faces.png       drawn faces, a row for each emotion
docs/learning_curves.png  loss and accuracy per epoch of the given runs, from their metrics.csv
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from fer_lightning.data import EMOTIONS
from fer_lightning.data.drawn.photo import photo
from fer_lightning.data.faces import SIDE

HERE = Path(__file__).parent
FACES_A_ROW = 13
ENLARGED = 2
MARGIN = 100  # pixels, for the names
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito's, told apart by the colour-blind


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


def learning_curves(runs: list[Path]) -> Figure:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    for run, colour in zip(runs, COLOURS, strict=False):
        table = pd.read_csv(run / "metrics.csv").groupby("epoch").mean()
        name = run.name.split("_", 2)[2]
        for axis, metric in zip(axes, ("loss", "accuracy"), strict=True):
            epochs = table.index + 1
            axis.plot(epochs, table[f"train/{metric}"], color=colour, linestyle=":", label=f"{name}, train")
            axis.plot(epochs, table[f"val/{metric}"], color=colour, label=f"{name}, val")
            axis.set(xlabel="epoch", ylabel=metric)
            axis.grid(alpha=0.3)
    axes[1].legend()
    return figure


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    demo_faces().save(HERE / "demo_faces.png", optimize=True)
    learning_curves([Path(run) for run in sys.argv[1:]]).savefig(HERE / "learning_curves.png", dpi=110)
