"""Faces in their splits, and which of them are known from another split or to a network."""

import logging
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from fer_lightning.data.digests import digests, labelled_digests, warn_of_known
from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.data.persons import person_notes
from fer_lightning.data.set_splits import Splitting, rows_of_splits, without_copies
from fer_lightning.data.split_table import split_table
from fer_lightning.data.splits import warn_of_absent_classes

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SplitFaces:
    """Faces in their splits.

    Attributes:
        faces: the whole source.
        rows: of each split, int64, ascending.
        origins: the part of the source that each split is, in words.
        also_in_train: of val and test, which faces have a byte-identical one among those trained on, bool.
        trained_on: digests of train's faces, int64.
        chosen_on: digests of val's faces, int64.
        known: digests of all faces, int64.
        notes: sentences on persons that the network knows before it is measured on them.
    """

    faces: Faces
    rows: dict[str, Tensor]
    origins: dict[str, str]
    also_in_train: dict[str, Tensor]
    trained_on: Tensor
    chosen_on: Tensor
    known: Tensor
    notes: tuple[str, ...]

    @cached_property
    def labelled(self) -> dict[str, Tensor]:
        """Returns, of each split, digests of its faces together with their labels; of none where test is alone.

        They are made when they are first asked for: not every start waits for them.
        """
        if "train" not in self.rows:
            return {}
        return {split: labelled_digests(self.faces, self.known, rows) for split, rows in self.rows.items()}


def split_faces(faces: Faces, options: Splitting, drop_copies: bool) -> SplitFaces:
    """Splits faces to train on, choose on and report on, and logs what is in each split.

    Args:
        faces: the whole source.
        options: how to split them.
        drop_copies: leave out of train what is byte-identical with a face of val or test. Of several sets, these are
            always left out.

    Raises:
        DataError: as `rows_of_splits` and `without_copies`.
    """
    rows, origins = rows_of_splits(faces, options, SPLITS)
    known = digests(faces.images)
    if faces.sets is not None:
        rows = without_copies(faces, known, rows)
    copies = _copies(known, rows, known[rows["train"]])
    _log(faces, rows, origins, copies)
    if drop_copies:
        kept = ~torch.isin(known[rows["train"]], known[torch.cat([rows["val"], rows["test"]])])
        log.info("data.drop_copies took %s faces out of train", f"{int((~kept).sum()):,}")
        rows["train"] = rows["train"][kept]
        copies = _copies(known, rows, known[rows["train"]])
    trained_on, chosen_on = known[rows["train"]], known[rows["val"]]
    warn_of_absent_classes(faces.labels, rows, faces.class_names)
    warn_of_known(known[rows["test"]], trained_on, chosen_on)
    notes = _warned_of(person_notes(faces, {split: rows[split] for split in ("val", "test")}, rows["train"]))
    return SplitFaces(faces, rows, origins, copies, trained_on, chosen_on, known, notes)


def faces_to_test(faces: Faces, options: Splitting, trained_on: Tensor, chosen_on: Tensor) -> SplitFaces:
    """Returns the test split alone: the source need not have anything to train on.

    Args:
        faces: the whole source.
        options: how to split them.
        trained_on: digests of the faces that the network was trained on; empty where they are not known.
        chosen_on: digests of its run's val.

    Raises:
        DataError: as `rows_of_splits`.
    """
    rows, origins = rows_of_splits(faces, options, ("test",))
    rows = {"test": rows["test"]}
    known = digests(faces.images)
    copies = _copies(known, rows, trained_on)
    _log(faces, rows, origins, copies if len(trained_on) else {})
    warn_of_absent_classes(faces.labels, rows, faces.class_names)
    warn_of_known(known[rows["test"]], trained_on, chosen_on)
    notes = _warned_of(person_notes(faces, rows, torch.isin(known, trained_on).nonzero().flatten()))
    return SplitFaces(faces, rows, origins, copies, trained_on, chosen_on, known, notes)


def _warned_of(notes: tuple[str, ...]) -> tuple[str, ...]:
    for note in notes:
        log.warning("%s", note)
    return notes


def _copies(known: Tensor, rows: dict[str, Tensor], trained_on: Tensor) -> dict[str, Tensor]:
    return {split: torch.isin(known[r], trained_on) for split, r in rows.items() if split != "train"}


def _log(faces: Faces, rows: dict[str, Tensor], origins: dict[str, str], copies: dict[str, Tensor]) -> None:
    counts = {split: int(copied.sum()) for split, copied in copies.items()}
    log.info("faces in each split:\n%s", split_table(faces, rows, origins, counts))
