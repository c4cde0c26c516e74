"""The piece of AffectNet that Kaggle has: class folders, and a `labels.csv` (pth,label,relFCs) that says it again.

For some images the two differ.
"""

from dataclasses import replace
from pathlib import Path

from fer_lightning.data.emotions import canonical
from fer_lightning.data.readers.image_folder import list_images
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.second_opinion import Opinion, with_table
from fer_lightning.data.readers.set_files import inner
from fer_lightning.data.readers.set_tables import BadLineError, at_line, header_names, safe_path, table_rows

FORM = "AffectNet, class folders with labels.csv"
TABLE = "labels.csv"
COLUMNS = ("pth", "label")


def is_affectnet_folders(root: Path) -> bool:
    """Checks for a labels.csv with the columns pth and label."""
    file = inner(root, TABLE)
    return file is not None and {*COLUMNS} <= {*header_names(file)}


def list_affectnet_folders(root: Path) -> ImageList:
    """Lists the images by their folders, with the table as a second opinion.

    Raises:
        DataError: no image in a class folder.
    """
    found = list_images(root)
    file = inner(root, TABLE)
    assert file is not None, "is_affectnet_folders looks for it"
    rows = table_rows(file, "AffectNet")
    header = [name.lower() for name in next(rows)[1]]
    place, label = map(header.index, COLUMNS)
    opinions: list[Opinion] = []
    bad: list[str] = []
    for number, fields in rows:
        line = at_line(file, number)
        try:
            if len(fields) != len(header) or not fields[label]:
                raise BadLineError(f"found {len(fields)} fields, expected {len(header)} ({','.join(header)})")
            opinions.append(Opinion(line, safe_path(fields[place]), canonical(fields[label])))
        except BadLineError as why:
            bad.append(f"{line}: {why}")
    ignored = tuple(path for path in found.ignored if path != file.name)
    return with_table(replace(found, form=FORM, ignored=ignored), opinions, bad)
