"""JAFFE (Lyons et al., FG 1998): ten persons, in images called as `KA.AN1.39.tiff`: the person and the emotion."""

import re
from pathlib import Path

from fer_lightning.data.readers.coded_names import listed_by_name
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.set_files import are_named

IMAGE = re.compile(r"(?P<person>[A-Z]{2})\.(?P<emotion>AN|DI|FE|HA|NE|SA|SU)\d\.\d+(\.\w+)+", re.IGNORECASE)


def is_jaffe(root: Path) -> bool:
    """Checks for images with JAFFE's names."""
    return are_named(root, IMAGE)


def list_jaffe(root: Path) -> ImageList:
    """Lists the images by their names, with their persons."""
    return listed_by_name(root, "JAFFE", IMAGE)
