"""CK+ (Lucey et al., CVPR-W 2010) as its authors give it: sequences that begin neutral and end at an emotion's peak.

`cohn-kanade-images/S005/001/S005_001_00000001.png`, … are the frames, and
`Emotion/S005/001/S005_001_00000011_emotion.txt` holds the label of the sequence, if it has one: 1 to 7. As is usual,
its last three frames get that label, and its first is neutral.
"""

import logging
import re
from pathlib import Path

from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.set_files import below, inner, is_image_name
from fer_lightning.data.readers.set_tables import BadLineError, number_in
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

FRAMES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
LABELS = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
SEQUENCE = re.compile(r"(?:.*/)?((S\d{3})/\d{3})/[^/]+", re.IGNORECASE)
PEAK = 3
"""Frames at the end of a sequence that show its emotion."""

NEUTRAL = "0"
LONGEST = 200
"""Bytes of a label at most: it is one number."""


def is_ckplus(root: Path) -> bool:
    """Checks for the folder of CK+'s sequences."""
    return inner(root, *FRAMES) is not None


def list_ckplus(root: Path) -> ImageList:
    """Lists the first and the last three frames of each labelled sequence, with its person.

    A sequence of fewer than four frames, and a label without frames, is bad.

    Raises:
        DataError: no labels.
    """
    frames, labels = inner(root, *FRAMES), inner(root, *LABELS)
    assert frames is not None, "is_ckplus looks for it"
    emotions = _by_sequence(labels, "_emotion.txt") if labels else {}
    if labels is None or not emotions:
        raise DataError(
            f"{root}: CK+: found {below(root, frames)}, but no labels in Emotion/S005/001/S005_001_00000011_emotion.txt"
            ", …. Unpack the set's Emotion_labels.zip there."
        )
    sequences = _by_sequence(frames, "")
    listing = Listing(root, "CK+, sequences", ("all",), "ckplus")
    for sequence, files in emotions.items():
        label_file, person = files[0], sequence.partition("/")[0]
        try:
            if len(files) > 1:
                raise BadLineError(f"found {len(files)} labels of one sequence, expected one")
            number = number_in("ckplus", (labels / label_file).read_bytes()[:LONGEST].decode("utf-8", "replace"), "CK+")
            images = [path for path in sequences.get(sequence, []) if is_image_name(path)]
            if len(images) <= PEAK:
                raise BadLineError(f"found {len(images)} frames of its sequence, expected more than {PEAK}")
            listing.add("all", NEUTRAL, below(root, frames) + images[0], person)
            for image in images[-PEAK:]:
                listing.add("all", number, below(root, frames) + image, person)
        except BadLineError as why:
            listing.add_bad(f"{below(root, labels)}{label_file}: {why}")
    if unlabelled := sequences.keys() - emotions.keys():
        log.info("%s: CK+: left out %s sequences that have no label", root, f"{len(unlabelled):,}")
    return listing.completed(below(root, frames))


def _by_sequence(folder: Path, ending: str) -> dict[str, list[str]]:
    """Returns the files of each sequence, "S005/001", in order."""
    found: dict[str, list[str]] = {}
    for path in files_below(folder):
        if path.lower().endswith(ending) and (named := SEQUENCE.fullmatch(path)):
            found.setdefault(named[1].upper(), []).append(path)
    return found
