"""KDEF (Lundqvist, Flykt and Öhman, 1998): seventy persons from five angles, in images called as `AF01ANS.JPG`.

That is the session (A or B), the person (F01: in both sessions the same one), the emotion and the angle.
"""

import re
from pathlib import Path

from fer_lightning.data.readers.coded_names import listed_by_name
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.set_files import are_named

IMAGE = re.compile(
    r"[AB](?P<person>[FM]\d{2})(?P<emotion>AF|AN|DI|HA|NE|SA|SU)(?P<angle>FL|HL|S|HR|FR)\.\w+", re.IGNORECASE
)


def is_kdef(root: Path) -> bool:
    """Checks for images with KDEF's names."""
    return are_named(root, IMAGE)


def list_kdef(root: Path) -> ImageList:
    """Lists the images of all angles by their names, with their persons."""
    return listed_by_name(root, "KDEF", IMAGE)
