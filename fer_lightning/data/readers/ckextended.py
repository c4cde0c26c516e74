"""CK+ as one CSV of pixels, ckextended.csv: FER2013's columns and numbers, and contempt as number 7.

It has three nearly equal frames of each person and does not say whose they are: no honest split of it exists.
"""

from pathlib import PurePosixPath

NUMBERING = "ckextended"
"""Its order, which only files of this name have: see `emotions.OWN_NUMBERINGS`."""


def is_ckextended(name: str) -> bool:
    """Checks the name of a file, or of a member of an archive."""
    return PurePosixPath(name).name.lower().partition(".")[0] == "ckextended"
