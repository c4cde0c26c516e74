"""CK+ as one CSV of pixels, ckextended.csv: FER2013's columns and numbers, and contempt as number 7."""

from pathlib import PurePosixPath

NUMBERING = "ckextended"
"""Its order, which only files of this name have: see `emotions.OWN_NUMBERINGS`."""

UNKNOWN_PERSONS = (
    "CK+ has three nearly equal frames of each person, and ckextended.csv does not say whose they are: the same people "
    "are in every split, no honest split exists, and accuracy on it says nothing about other people"
)


def is_ckextended(name: str) -> bool:
    """Checks the name of a file, or of a member of an archive."""
    return PurePosixPath(name).name.lower().partition(".")[0] == "ckextended"
