"""The boxes of faces in a table of images, where its columns have names that leave no doubt what they are."""

import math
from collections.abc import Sequence

import pandas as pd

from fer_lightning.data.readers.usual_columns import plain

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

EDGES = (("left", "top", "right", "bottom"), ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
SIZES = (("facex", "facey", "facewidth", "faceheight"), ("left", "top", "width", "height"))
"""Names of columns of two corners, and of a corner and the size; x, y, w, h are neither: x may be the middle."""


def boxes_in(rows: pd.DataFrame) -> tuple[tuple[str, ...], Sequence[Box | None]] | None:
    """Returns the columns of the boxes, and the box of each row or None where it has none; None without columns."""
    names = {plain(str(name)): str(name) for name in rows.columns}
    for known in (*EDGES, *SIZES):
        if set(known) <= names.keys():
            columns = tuple(names[name] for name in known)
            fields = zip(*(rows[column].tolist() for column in columns), strict=True)
            return columns, [_box(row, known in SIZES) for row in fields]
    return None


def _box(fields: tuple[str, ...], has_size: bool) -> Box | None:
    try:
        left, top, right, bottom = map(float, fields)
    except ValueError:
        return None
    if has_size:
        right, bottom = left + right, top + bottom
    whole = all(map(math.isfinite, (left, top, right, bottom))) and left < right and top < bottom
    return (left, top, right, bottom) if whole else None
