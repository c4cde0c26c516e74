"""What is known of the field's data sets, by the number of their images: what people have stumbled over."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fer_lightning.data.emotions import EMOTIONS
from fer_lightning.data.readers.image_list import ImageList, some_sizes

log = logging.getLogger(__name__)


class KnownSet(NamedTuple):
    counts: tuple[int, ...]  # of images, in the order of the list's parts
    form: str  # how the list's form starts; "" for folders, which do not say what they are
    known: str


KNOWN_SETS = (
    KnownSet(
        (12_271, 3_068),
        "RAF-DB",
        "RAF-DB has no validation part, and many published figures chose the epoch on test: val is cut out of train",
    ),
    KnownSet(
        (287_651, 3_999),
        "AffectNet",
        "AffectNet's validation part, 500 of each emotion, is every paper's test: data.splits.test=val reports it; "
        "train is unbalanced, and val is not",
    ),
    KnownSet(
        (28_709, 7_178),
        "image folder",
        "the numbers are FER2013's: test is PublicTest and PrivateTest together, so published figures on PrivateTest "
        "are of other faces",
    ),
    KnownSet(
        (28_821, 7_066),
        "image folder",
        "the numbers are those of a second cut of FER2013: its validation is no official part, and no figure on "
        "PublicTest or PrivateTest can be compared",
    ),
    KnownSet(
        (981,),
        "CK+48",
        "three near-equal frames a person and emotion: split at random, every network seems to know them all",
    ),
    KnownSet(
        (92_968, 17_356, 17_356),
        "image folder",
        "the numbers are MMAFEDB's: it seems to contain FER2013 with its parts, so it is no new test for a network "
        "that was trained on FER2013",
    ),
    KnownSet((213,), "JAFFE", "ten persons: leave one person out at a time"),
    KnownSet((55_767,), "FERG", "six drawn characters: a split by character is the only one that says something"),
    KnownSet((91_793,), "ExpW", "it has no official split: published figures are of different test faces"),
)


KDEF_SIZE = (562, 762)
"""Width and height of KDEF's images, which no other set has."""

KDEF_SIZED = 20
"""Images that must have it, to be taken for KDEF's."""

WITHOUT_NAMES: Mapping[str, Mapping[str, int]] = {
    "CK+48": {"angry": 135, "contempt": 54, "disgust": 177, "fear": 75, "happy": 207, "sad": 84, "surprise": 249},
    "JAFFE": {"angry": 30, "disgust": 29, "fear": 32, "happy": 31, "sad": 31, "surprise": 30, "neutral": 30},
}
"""Images of each class of sets whose persons only the files' names tell, by which a copy with other names is known."""

KDEF_EACH = (140, 700)
"""Images of each of the seven emotions in KDEF: the frontal ones, or those at all angles."""


def with_what_is_known(found: ImageList) -> ImageList:
    """Logs what is known of a set that is recognised by its form and its numbers of images.

    Returns the list, which is marked as one of several pictures of each person where that is sure, though files that
    were renamed do not say whose they are.
    """
    _log_what_is_known(found)
    if found.form != "image folder":
        return found
    counts = {name: count for name, count in found.class_counts.items() if count}
    sizes = [*some_sizes(found, KDEF_SIZED)] if {*counts} <= {*EMOTIONS} else []
    known = [name for name, theirs in WITHOUT_NAMES.items() if counts == theirs]
    if known or {*sizes} == {KDEF_SIZE}:
        why = f"as many images of each class as {known[0]}" if known else "images of KDEF's size, 562x762"
        log.info("%s: has %s, and other names of files: whose face each is has been lost", found.root, why)
        return replace(found, several_of_each=True, digest=f"{found.digest}, several of each")
    if {*counts} == {*EMOTIONS} and len({*counts.values()}) == 1 and counts[EMOTIONS[0]] in KDEF_EACH:
        log.info(
            "%s: the numbers are KDEF's, %s of each emotion: if it is, each person is in several images, and a split "
            "that does not know whose they are says little. Its own names (AF01ANS.JPG) tell",
            *(found.root, counts[EMOTIONS[0]]),
        )
    return found


def _log_what_is_known(found: ImageList) -> None:
    counts = Counter(image.part for image in found.images)
    numbers = tuple(counts[part] for part in range(len(found.part_names)))
    for known in KNOWN_SETS:
        if known.counts == numbers and found.form.startswith(known.form):
            log.info("%s: %s", found.root, known.known)


def log_left_out(root: Path, form: str, counts: Mapping[str, int]) -> None:
    """Logs the images of a set that show no emotion, by the reason."""
    if counts:
        reasons = ", ".join(f"{why} ({count:,})" for why, count in sorted(counts.items()))
        log.info("%s: %s: left out the images without an emotion: %s", root, form, reasons)
