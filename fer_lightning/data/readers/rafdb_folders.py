"""RAF-DB as Kaggle has it: `DATASET/{train,test}/{1..7}/train_00001_aligned.jpg`, and tables that say the same again.

`train_labels.csv` and `test_labels.csv` have the columns image and label. That the numbers are RAF-DB's is known by
the names of the tables and of the images together.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from fer_lightning.data.emotions import NUMBERINGS
from fer_lightning.data.readers.bounded import MAX_LINE
from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.image_folder import list_images
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.pixel_text import some
from fer_lightning.data.readers.second_opinion import Opinion, with_table
from fer_lightning.data.readers.set_files import LOOKED_AT, below, inner, is_image_name, name_in
from fer_lightning.data.readers.set_tables import (
    COMPLETE,
    BadLineError,
    at_line,
    header_names,
    number_in,
    safe_path,
    table_rows,
)
from fer_lightning.errors import DataError

FORM = "RAF-DB, numbered folders with tables"
PARTS = ("train", "test")
COLUMNS = ("image", "label")
IMAGE = re.compile(r"(train|test)_\d+(_aligned)?\.\w+", re.IGNORECASE)
NUMBERS = {*map(str, NUMBERINGS["rafdb"])}


def is_rafdb_folders(root: Path) -> bool:
    """Checks for a table whose first image has RAF-DB's name, and for folders with numbers, or for no image at all."""
    tables = _tables(root).values()
    if not any(_is_named(table) for table in tables):
        return False
    return _numbered(root) is not None or not any(map(is_image_name, islice(files_below(root), LOOKED_AT)))


def list_rafdb_folders(root: Path) -> ImageList:
    """Lists the images by their folders, with the tables as a second opinion.

    Raises:
        DataError: no images, folders with other numbers, or a table of a part that is not there.
    """
    folder, tables = _numbered(root), _tables(root)
    if folder is None:
        names = " and ".join(table.name for table in tables.values())
        raise DataError(f"{root}: RAF-DB: found {names}, but no images in DATASET/train/1 to 7. {COMPLETE}")
    found = _below(root, list_images(folder))
    if others := sorted({*found.classes} - NUMBERS):
        raise DataError(
            f"{folder}: RAF-DB: found the class folders {some(others)}, expected RAF-DB's 1 to 7: these were "
            "renamed, and nothing says what they mean now. Get a copy with the folders 1 to 7."
        )
    if lacking := [part for part in tables if part not in found.part_names]:
        raise DataError(
            f"{root}: RAF-DB: found {tables[lacking[0]].name}, but no images in a folder {lacking[0]}. Put its images "
            f"into {folder.name}/{lacking[0]}/1 to 7, as the set has them."
        )
    places = {(found.part_names[image.part], name_in(image.path)): image.path for image in found.images}
    opinions: list[Opinion] = []
    bad: list[str] = []
    for part, table in tables.items():
        for line, name, label in _labels(table, bad):
            opinions.append(
                Opinion(line, places.get((part, name), f"{below(root, folder)}{part}/{label}/{name}"), label)
            )
    return with_table(found, opinions, bad)


def _below(root: Path, found: ImageList) -> ImageList:
    """Returns a list with paths below root."""
    start = below(root, found.root)
    return replace(
        found,
        root=root,
        images=tuple(image._replace(path=start + image.path) for image in found.images),
        ignored=tuple(start + path for path in found.ignored),
        form=FORM,
        numbering="rafdb",
    )


def _labels(table: Path, bad: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yields the lines of a table: where it is, the image's name and its label; and adds to the bad ones."""
    rows = table_rows(table, "RAF-DB")
    header = [name.lower() for name in next(rows)[1]]
    image, label = map(header.index, COLUMNS)
    for number, fields in rows:
        line = at_line(table, number)
        try:
            if len(fields) != len(header):
                raise BadLineError(f"found {len(fields)} fields, expected {len(header)} ({','.join(header)})")
            yield line, name_in(safe_path(fields[image])), number_in("rafdb", fields[label], "RAF-DB")
        except BadLineError as why:
            bad.append(f"{line}: {why}")


def _numbered(root: Path) -> Path | None:
    """Returns the folder that has the parts: root itself, or DATASET in it."""
    for folder in (root, inner(root, "DATASET")):
        if folder and any(inner(folder, f"{part}/{number}") for part in PARTS for number in sorted(NUMBERS)):
            return folder
    return None


def _is_named(table: Path) -> bool:
    """Checks that the first image of a table has RAF-DB's name."""
    with table.open("rb") as stream:
        stream.readline(MAX_LINE)
        line = stream.readline(MAX_LINE).decode("utf-8", "replace")
    return any(IMAGE.fullmatch(name_in(field.strip(' "\r\n'))) for field in line.split(","))


def _tables(root: Path) -> dict[str, Path]:
    found = {part: inner(root, f"{part}_labels.csv", f"DATASET/{part}_labels.csv") for part in PARTS}
    return {part: file for part, file in found.items() if file is not None and {*COLUMNS} <= {*header_names(file)}}
