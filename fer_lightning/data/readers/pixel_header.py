"""The first line of FER2013's CSV form: which columns there are, and which of them are meant."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from fer_lightning.data.readers.bounded import MAX_LINE, MOST_COLUMNS
from fer_lightning.data.readers.file_kinds import kind_of
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.usual_columns import USUAL, plain
from fer_lightning.errors import DataError

FER2013_LABEL = "emotion"

LABEL_COLUMNS = (FER2013_LABEL, "label", "labels", "class", "expression")
"""Names of the column that says which class a face is of: the first of them that there is."""


@dataclass(frozen=True)
class Header:
    names: tuple[str, ...]
    label: int
    label_name: str  # one of LABEL_COLUMNS
    pixels: int
    usage: int | None


def read_header(stream: BinaryIO, name: str) -> Header:
    """Returns the columns that the first line names; raises DataError if they are not those of a FER2013 CSV."""
    line = stream.readline(MAX_LINE)
    if not line.strip():
        what = "starts with a blank line" if line else "is empty"
        raise DataError(
            f"{name}: the file {what}; expected a header such as emotion,pixels,Usage. Get a complete copy."
        )
    if kind := kind_of(line):
        raise DataError(f"{name}: is {kind[0]}, expected a table. {kind[1]}.")
    if b"\0" in line or line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(
            f"{name}: line 1 is not UTF-8 text (it looks like UTF-16 or binary). If it is a table, save it as a "
            "CSV in UTF-8."
        )
    try:
        fields = next(csv.reader([line.decode("utf-8-sig")]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{name}: line 1 is not a CSV header in UTF-8 ({error}). Save it as a UTF-8 CSV.") from error

    if len(fields) > MOST_COLUMNS:
        raise DataError(
            f"{name}: line 1 names {len(fields):,} columns, expected emotion,pixels and perhaps Usage: the 2,304 "
            "pixels of a face are one column, with blanks between them. Give a FER2013 CSV as data.path."
        )
    columns = [field.strip().lower() for field in fields]
    found = f"found the columns {shown(','.join(field.strip() for field in fields), 80)}"
    label_name = next((name for name in LABEL_COLUMNS if name in columns), None)
    for column in filter(None, (label_name, "pixels", "usage")):
        if columns.count(column) > 1:
            raise DataError(
                f"{name}: line 1 names the column {column!r} twice ({found}). Remove or rename one of them."
            )
    if label_name is None or "pixels" not in columns:
        missing = "pixels" if label_name else "emotion"
        raise DataError(f"{name}: no column {missing!r}: {found}{_advice(columns, label_name)}")
    return Header(
        names=tuple(field.strip() for field in fields),
        label=columns.index(label_name),
        label_name=label_name,
        pixels=columns.index("pixels"),
        usage=columns.index("usage") if "usage" in columns else None,
    )


def _advice(columns: Sequence[str], label_name: str | None) -> str:
    """Returns what is expected instead of columns that are not enough, and what to do."""
    if {*columns} <= {"id", "pixels"} and "pixels" in columns:
        return (
            ". Kaggle's test.csv has pixels but no labels, so there is nothing to train on or to score; give train.csv"
            ", icml_face_data.csv or fer2013.csv as data.path."
        )
    if "pixels" in columns:
        known = ", ".join(LABEL_COLUMNS)
        return f", and none of them is called {known}. Rename the one that says the class of each face to label."
    images = [column for column in columns if plain(column) in USUAL["image"]]
    if images and label_name:
        return (
            f". It names image files (in {images[0]}): it is a table of images, and most of these must lie below its "
            "folder. Put the table and the images into one folder, and give that as data.path."
        )
    return (
        ", expected emotion,pixels and perhaps Usage between commas (FER2013), or columns of image files and of their "
        "classes (image,label), which data.columns.image=… and data.columns.label=… name. Give such a CSV as data.path."
    )
