"""FER+ (Barsoum et al., ICMI 2016, arXiv:1608.01041): ten people's votes on each face of FER2013, as its labels.

The votes are the file fer2013new.csv of https://github.com/microsoft/FERPlus: one row per row of fer2013.csv, in the
same order. Both rules are those of its src/ferplus.py (`_process_data`, `load_folders`) and src/train.py. To begin
with, a row without an image name shows no face and is dropped, and of the others every single vote counts as an
outlier and becomes 0. Then

- "majority" keeps a row if more than half of the remaining votes (those for unknown and NF, "not a face", included)
  are for one emotion;
- "probability" (the target of FERPlus's mode "crossentropy") takes the emotions with the most votes in turn, those of
  equal votes together, until they hold 3/4 of the remaining votes, or are three, or unknown or NF is as high. It keeps
  a row if they are at most three and hold more than half of the remaining votes. Their votes divided by their sum are
  the soft label: what was voted for unknown, NF and the weaker emotions is not in it. The hard label is the first of
  the strongest. As in FERPlus, this is for Training: PublicTest and PrivateTest are always by majority, so that the
  figures of both rules, and the published ones, are of the same faces.
"""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fer_lightning.data.faces import FERPLUS_EMOTIONS, USAGES, Faces, Reading, rows_of
from fer_lightning.data.readers.labelled_images import is_labelled
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.votes_file import NAME, WHERE_FROM, VotesTable, read_votes
from fer_lightning.errors import DataError
from fer_lightning.signature import refuse_out_of_range

log = logging.getLogger(__name__)

Rule = Literal["majority", "probability"]

EMOTION_COUNT = len(FERPLUS_EMOTIONS)


@dataclass(frozen=True)
class VotesOptions:
    """The votes to use, and the rule by which they become labels.

    Args:
        path: the file of votes; None looks for fer2013new.csv beside the pixels, then in the folder that was named.
        rule: "majority" or "probability", as above.

    Raises:
        ValueError: another rule.
    """

    path: str | Path | None = None
    rule: Rule = "majority"

    def __post_init__(self) -> None:
        refuse_out_of_range(VotesOptions, vars(self))

    def applied_to(self, reading: Reading, source: Path, named: Path) -> Faces:
        """Returns the faces that the rule keeps, with FER+'s eight classes; logs how many it drops, and why.

        Args:
            reading: of FER2013's pixels, all rows of it. Faces that have this rule's labels already come back as they
                are.
            source: the file or folder that was read.
            named: what data.path named, perhaps a folder around it.

        Raises:
            DataError: no votes, votes that cannot be read, or votes that are not those of these rows.
        """
        if reading.faces.class_names == FERPLUS_EMOTIONS:
            self._refuse_other_labels(reading.faces, source)
            log.info("%s has FER+ labels of its own, by %s: no votes are needed", source, self.rule)
            return reading.faces
        _refuse_without_row_order(reading, source)
        file = self._file(source, named)
        table = read_votes(file, most=len(reading.faces))
        _refuse_other_rows(table, reading.faces, file, source)
        return _labelled(reading.faces, table, self.rule)

    def _refuse_other_labels(self, faces: Faces, source: Path) -> None:
        own: Rule = "majority" if faces.soft_labels is None else "probability"
        if self.path is not None or self.rule != own:
            raise DataError(
                f"{source}: has FER+ labels of its own, by {own}; data.votes.path={self.path} and data.votes.rule="
                f"{self.rule} would not be used. Give no path and data.votes.rule={own}, or another data.path."
            )

    def _file(self, source: Path, named: Path) -> Path:
        if self.path is not None:
            file = Path(os.path.expanduser(self.path))
            if not file.is_file():
                raise DataError(
                    f"data.votes.path: there is no file {file}. {WHERE_FROM}: give that as data.votes.path."
                )
            return file
        folders = dict.fromkeys(
            (source if source.is_dir() else source.parent, named if named.is_dir() else named.parent)
        )
        for folder in folders:
            if (folder / NAME).is_file():
                return folder / NAME
        raise DataError(
            f"no {NAME} in {' or in '.join(map(str, folders))}. {WHERE_FROM}: put it beside the pixels, or say where "
            f"it is with data.votes.path=…"
        )


def without_outliers(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns votes, (N, 10), with every single one 0."""
    return np.where(votes > 1, votes, 0)


def has_majority(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns for which of N rows of votes without outliers, (N, 10), more than half are for one choice."""
    has: NDArray[np.bool_] = 2 * votes.max(axis=1) > votes.sum(axis=1)
    return has


def _refuse_without_row_order(reading: Reading, source: Path) -> None:
    give = "Give fer2013.csv, or what `python -m fer_lightning.data.write_images` made of it, as data.path."
    if source.is_dir() and not is_labelled(source):
        raise DataError(
            f"{source}: these images are in no order that the rows of FER+'s votes could be matched with: the folder "
            f"has no labels.csv. {give}"
        )
    if reading.bad_rows:
        raise DataError(
            f"{source}: data.on_bad_rows=drop left out {reading.bad_rows:,} rows, so the rows of FER+'s votes no "
            f"longer match. Correct these rows, or get a complete copy."
        )
    if reading.faces.part_names != USAGES:
        raise DataError(
            f"{source}: found the parts {', '.join(reading.faces.part_names)}, expected FER2013's Usage "
            f"({', '.join(USAGES)}): without it nothing shows that the votes are those of these rows. {give}"
        )


def _refuse_other_rows(table: VotesTable, faces: Faces, file: Path, source: Path) -> None:
    if len(table.usages) != len(faces):
        more = "more" if len(table.usages) > len(faces) else f"{len(table.usages):,}"
        raise DataError(
            f"{file}: {more} rows of votes, expected {len(faces):,}, as {source} has faces: one row each, in the same "
            f"order. Give the votes of these faces as data.votes.path."
        )
    for row, (usage, part) in enumerate(zip(table.usages, faces.parts.tolist(), strict=True), start=1):
        if usage != faces.part_names[part]:
            raise DataError(
                f"{file}: row {row}: found the Usage {shown(usage)}, expected {faces.part_names[part]} as in {source}: "
                f"these are not the votes of these faces, or in another order. {WHERE_FROM}."
            )


def _labelled(faces: Faces, table: VotesTable, rule: Rule) -> Faces:
    votes = without_outliers(table.votes)
    leader = votes.argmax(axis=1)
    all_votes = votes.sum(axis=1)
    strongest = _strongest(votes)
    agreed: dict[Rule, NDArray[np.bool_]] = {
        "majority": has_majority(votes),
        "probability": (2 * strongest.sum(axis=1) > all_votes) & (np.count_nonzero(strongest, axis=1) <= 3),
    }
    kept = np.zeros(len(faces), np.bool_)
    for part, name in enumerate(faces.part_names):
        here = faces.parts.numpy() == part
        rule_here: Rule = rule if name == "Training" else "majority"
        kept |= (left := here & table.has_face & (leader < EMOTION_COUNT) & agreed[rule_here])
        if here.any():
            no_face = here & ~table.has_face
            no_emotion = here & table.has_face & (leader >= EMOTION_COUNT)
            log.info(
                "FER+ %s, rule %s: %s of %s rows kept; dropped: %s without a face, %s with most votes for unknown or "
                "NF, %s without enough agreement",
                name,
                rule_here,
                *(
                    f"{rows.sum():,}"
                    for rows in (left, here, no_face, no_emotion, here & ~left & ~no_face & ~no_emotion)
                ),
            )
    if not kept.any():
        raise DataError(f"FER+'s votes agree on none of the {len(faces):,} faces. {WHERE_FROM}.")
    rows = torch.from_numpy(np.flatnonzero(kept))
    soft = (strongest[kept] / strongest[kept].sum(axis=1, keepdims=True)).astype(np.float32)
    return replace(
        rows_of(faces, rows),
        labels=torch.from_numpy(leader[kept]),
        class_names=FERPLUS_EMOTIONS,
        soft_labels=torch.from_numpy(soft) if rule == "probability" else None,
    )


def _strongest(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the votes of the emotions that "probability" takes, 0 for the others: (N, 10) → (N, 8)."""
    enough = 0.75 * votes.sum(axis=1)
    left, taken = votes.copy(), np.zeros((len(votes), EMOTION_COUNT), np.int64)
    more = np.ones(len(votes), np.bool_)
    for _ in range(3):  # each time at least one more emotion, and three are enough
        more &= (taken.sum(axis=1) < enough) & (np.count_nonzero(taken, axis=1) < 3)
        highest = (left == left.max(axis=1, keepdims=True)) & more[:, None]
        taken += np.where(highest, left, 0)[:, :EMOTION_COUNT]
        left[highest] = 0
        more &= ~highest[:, EMOTION_COUNT:].any(axis=1)
    return taken
