"""Says why there is nothing to read in a folder: what lies there, and what was expected."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fer_lightning.data.readers.archive import is_visible
from fer_lightning.data.readers.forms_taken import FORMS
from fer_lightning.data.readers.pixel_text import some
from fer_lightning.errors import DataError
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES

LOOKED_AT = 10_000
"""Files below a folder that are looked at for a message."""


def nothing_found(folder: Path) -> DataError:
    """Returns the error for a folder in which no form is recognised."""
    files = [*islice(_files_below(folder), LOOKED_AT)]
    images = [file for file in files if file.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        holds = f"holds {some(files)}, of which nothing can be read" if files else "holds nothing to read"
        return DataError(f"{folder}: this folder {holds}. Give as data.path one of:\n{FORMS}")
    return DataError(
        f"{folder}: holds images ({some(images, 2)}), and nothing there says which class each is of. Expected a folder "
        "for each class (happy/1.jpg, or train/happy/1.jpg and test/happy/1.jpg), or a CSV beside the images that "
        "lists them (image,label). If the folders of the classes lie deeper, give the folder that holds these as "
        "data.path."
    )


def _files_below(folder: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if is_visible(name))
        yield from ((Path(where) / name).relative_to(folder).as_posix() for name in sorted(files) if is_visible(name))
