"""AffectNet (Mollahosseini et al., 2017) in its first form: photographs, and tables with a face's box and expression.

`training.csv` and `validation.csv` have the columns subDirectory_filePath, face_x, face_y, face_width, face_height,
facial_landmarks, expression, valence and arousal; the second has come without a header too. The photographs are in
`Manually_Annotated_Images`.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from fer_lightning.data.emotions import WITHOUT_EMOTION
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.known_sets import log_left_out
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.set_files import TRIED, below, folder_with, inner
from fer_lightning.data.readers.set_tables import (
    BadLineError,
    at_line,
    header_names,
    number_in,
    safe_path,
    table_rows,
)
from fer_lightning.errors import DataError

FORM = "AffectNet, tables with face boxes"
PARTS = {"train": "training.csv", "val": "validation.csv"}
LISTS = ("", "Manually_Annotated_file_lists/")
IMAGES = (
    *("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated"),
    *("images", "."),
)
FILE = "subDirectory_filePath"
BOX = ("face_x", "face_y", "face_width", "face_height")
COLUMNS = (FILE, *BOX, "facial_landmarks", "expression", "valence", "arousal")


class Row(NamedTuple):
    """The fields of a line that are used."""

    file: str
    x: str
    y: str
    width: str
    height: str
    expression: str

    @staticmethod
    def columns() -> tuple[str, ...]:
        return (FILE, *BOX, "expression")


def is_affectnet_tables(root: Path) -> bool:
    """Checks for a training.csv or validation.csv with AffectNet's name for the column of files."""
    return any(FILE.lower() in header_names(file) for file in _tables(root).values())


def list_affectnet_tables(root: Path) -> ImageList:
    """Lists the faces that the tables name, each with its box.

    Raises:
        DataError: a table without a column, or no photograph that is named.
    """
    tables = _tables(root)
    first = [row.file.replace("\\", "/") for file in tables.values() for _, row in islice(_rows(file), TRIED) if row]
    folder = folder_with(root, IMAGES, (path for path in first if path and not path.startswith(("/", ".."))))
    where = below(root, folder or root / IMAGES[0])
    listing = Listing(root, FORM, tuple(tables), "affectnet")
    left_out: Counter[str] = Counter()
    for part, (name, file) in enumerate(tables.items()):
        for number, row in _rows(file):
            try:
                if row is None:
                    raise BadLineError(f"found another number of fields, expected {','.join(COLUMNS)}")
                expression = number_in("affectnet", row.expression, "AffectNet")
                if why := WITHOUT_EMOTION["affectnet"].get(int(expression)):
                    left_out[why] += 1
                    continue
                path = where + safe_path(row.file)
                listing.refuse_repeated(path, at_line(file, number))
                listing.add_image(ListedImage(part, expression, path, box=_box(row)))
            except BadLineError as why_bad:
                listing.add_bad(f"{at_line(file, number)}: {why_bad}")
        if all(image.part != part for image in listing.images):
            raise DataError(f"{file}: AffectNet: names no image for {name}. Get a complete copy of the table.")
    log_left_out(root, FORM, left_out)
    return listing.completed(f"{IMAGES[0]}, or another folder beside the tables", tables=tables.values())


def _tables(root: Path) -> dict[str, Path]:
    found = {part: inner(root, *(f"{folder}{name}" for folder in LISTS)) for part, name in PARTS.items()}
    return {part: file for part, file in found.items() if file is not None and file.is_file()}


def _rows(file: Path) -> Iterator[tuple[int, Row | None]]:
    """Yields each line with its fields; without them, if there are too many or too few."""
    rows = table_rows(file, "AffectNet")
    number, first = next(rows, (1, []))
    header = [name.lower() for name in first]
    if FILE.lower() not in header:
        header = [name.lower() for name in COLUMNS]
        rows = chain([(number, first)], rows)
    if lacking := [name for name in Row.columns() if name.lower() not in header]:
        raise DataError(
            f"{file}: AffectNet: has no column {lacking[0]}: found {shown(','.join(first), 120)}, expected "
            f"{','.join(COLUMNS)}. Get a complete copy of the table."
        )
    places = [header.index(name.lower()) for name in Row.columns()]
    for number, fields in rows:
        yield number, Row(*(fields[place] for place in places)) if len(fields) == len(header) else None


def _box(row: Row) -> tuple[float, float, float, float]:
    """Returns a face's left, top, right and bottom, in pixels."""
    try:
        x, y, width, height = map(float, (row.x, row.y, row.width, row.height))
    except ValueError:
        width = height = -1
    if not (width > 0 and height > 0):
        found = ",".join((row.x, row.y, row.width, row.height))
        raise BadLineError(f"found the face box {shown(found)}, expected {','.join(BOX)} in pixels")
    return x, y, x + width, y + height
