"""Cuts a face out of a picture, as FER2013 shows faces. Imports no torch: it is shared with what only predicts."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]
"""Of a face: left, top, right, bottom, in pixels."""

BOX_MARGIN = 1.24
"""Side of the square that is cut around a face's box, as a multiple of the box's width: it shows what FER2013's do.

Measured on 3,589 faces of FER2013 in the boxes of YuNet; accuracy lost with a square of another side:

    side       0.8   0.9   1.0   1.1   1.2   1.3   1.5
    points    -3.7  -1.1     0  -0.4  -3.5  -7.5 -15.7

A shift by up to 6% of the side costs less than one point. The height of a box, which grows with an open mouth, is a
poor ruler. The package's networks carry 1.16 in their cards: docs/predict.md compares margins on a detector's boxes.
"""

LARGEST_MARGIN = 4
"""Side of a square at most, as a multiple of the picture's longer side."""


def face_square(picture: Image.Image, box: Box, margin: float = BOX_MARGIN) -> Image.Image:
    """Returns the square around a face's box, of margin times the box's width; the picture is mirrored beyond its edge.

    Raises:
        ValueError: the box is empty, outside the picture, or far larger than it.
    """
    left, top, right, bottom = box
    side, middle = (right - left) * margin, ((left + right) / 2, (top + bottom) / 2)
    inside = right > 0 and bottom > 0 and left < picture.width and top < picture.height
    if not (inside and bottom > top and 1 <= side <= LARGEST_MARGIN * max(picture.size)):
        raise ValueError(f"its face box {box} is not in the image of {picture.width}x{picture.height}")
    length = max(round(side), 1)
    x, y = (round(position - side / 2) for position in middle)
    if x >= 0 and y >= 0 and x + length <= picture.width and y + length <= picture.height:
        return picture.crop((x, y, x + length, y + length))
    direct = picture
    if picture.palette:
        has_alpha = isinstance(picture.info.get("transparency"), bytes)
        direct = picture.convert("RGBA" if has_alpha else picture.palette.mode)
    rows, columns = _mirrored(y, length, picture.height), _mirrored(x, length, picture.width)
    bands = [Image.fromarray(np.asarray(band)[rows[:, None], columns]) for band in direct.split()]
    square = bands[0] if len(bands) == 1 else Image.merge(direct.mode, bands)
    square.info = dict(picture.info)
    return square


def _mirrored(start: int, length: int, size: int) -> NDArray[np.intp]:
    """Returns the positions start, start + 1, … in a picture of this size, mirrored at its edges again and again."""
    period = 2 * size
    position = np.arange(start, start + length) % period
    return np.minimum(position, period - 1 - position)
