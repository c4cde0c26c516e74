"""Images in rows and columns, with titles: in axes of its own, each would take ten times as long to draw."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fer_lightning.transforms.pixels import as_picture

GAP = 0.04
"""Of a cell, on each side of its image."""

TITLE, TITLE_OF_TWO_LINES = 0.2, 0.36
"""Inches above an image."""


class ImageSheet:
    """A figure of cells as large as each other; its axes measure inches, from the top left corner.

    Args:
        columns: of cells.
        titles: for each row of cells, the height for the titles above it, in inches.
        side: of a cell, in inches.
    """

    def __init__(self, columns: int, titles: Sequence[float], side: float) -> None:
        self.titles, self.side = titles, side
        width, height = columns * side, sum(titles) + len(titles) * side
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.axes.axis("off")

    def show(self, row: int, column: int, image: Any, share: float = 1, **options: Any) -> tuple[float, float, float]:
        """Shows an image in the middle of a cell; returns its left end, its top and its side.

        Args:
            row: of the cell.
            column: of the cell.
            image: of whatever type, (C, H, W), or shades as matplotlib takes them, (H, W).
            share: of the cell that the image fills, less the gap.
            options: of `Axes.imshow`.
        """
        side = self.side * share * (1 - 2 * GAP)
        margin = (self.side - side) / 2
        left, top = column * self.side + margin, self._top(row) + margin
        picture = image if image.ndim == 2 else as_picture(image)
        extent = (left, left + side, top + side, top)
        self.axes.imshow(picture, **{"cmap": "gray", "aspect": "auto", "extent": extent, **options})
        return left, top, side

    def write(self, row: int, column: int, title: str, **style: Any) -> None:
        """Writes a title above a cell."""
        place = (column + 0.5) * self.side, self._top(row) + GAP * self.side / 2
        self.axes.text(*place, title, ha="center", va="bottom", **{"fontsize": 9, **style})

    def draw_line(self, row: int, column: int, x: Any, y: Any, **style: Any) -> None:
        """Draws a line that stays in its cell, by its points on the sheet."""
        corner = column * self.side, self._top(row)
        (line,) = self.axes.plot(x, y, **style)
        line.set_clip_path(Rectangle(corner, self.side, self.side, transform=self.axes.transData))

    def _top(self, row: int) -> float:
        return sum(self.titles[: row + 1]) + row * self.side
