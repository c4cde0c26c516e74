"""What tests read from a picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray


def points(line: Line2D) -> NDArray[Any]:
    """(n, 2): x and y, which matplotlib declares as something like an array."""
    drawn = line.get_xydata()
    assert isinstance(drawn, np.ndarray)
    return drawn


@dataclass(frozen=True)
class Cell:
    """Images of a sheet in the same place, the text above them, and where they are: left, top and side, in inches."""

    images: list[NDArray[Any]]
    title: str
    colour: str
    place: tuple[float, float, float]


def cells(figure: Figure) -> list[Cell]:
    """Returns the cells of a sheet of images, in the order in which they are drawn."""
    (axes,) = figure.axes
    images: dict[tuple[float, ...], list[NDArray[Any]]] = {}
    for image in axes.images:
        images.setdefault(tuple(image.get_extent()), []).append(np.asarray(image.get_array()))
    found = []
    for (left, right, _, top), shown in images.items():
        above = [
            text
            for text in axes.texts
            if left < text.get_position()[0] < right and 0 < top - text.get_position()[1] < 0.15
        ]
        title, colour = (above[0].get_text(), str(above[0].get_color())) if above else ("", "")
        found.append(Cell(shown, title, colour, (left, top, right - left)))
    assert len([cell for cell in found if cell.title]) == len(axes.texts)
    return found
