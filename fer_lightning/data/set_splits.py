"""Splits several sets, each by its own parts and by its own persons."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.data.joined_sets import one_set, set_rows
from fer_lightning.data.set_options import SetOptions
from fer_lightning.data.splits import SplitOptions, cut_rows, refuse_empty, rows_of_fold, split_rows
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

Splitting = SplitOptions | tuple[SplitOptions, ...]
"""How one set is split, or each of several."""


def splitting_of(sets: Sequence[SetOptions], faces: Faces) -> Splitting:
    """Returns how faces are split that were read of these sets.

    Raises:
        DataError: data.splits names, for all sets, a part that none of them has.
    """
    if faces.sets is None:
        return sets[0].splits
    parts = [
        tuple(faces.part_names[part] for part in faces.parts[set_rows(faces, place)].unique().tolist())
        for place in range(len(sets))
    ]
    there = {"auto", *(name for names in parts for name in names)}
    for one in sets:
        for split, names in {} if "splits" in one.given else one.splits.splits.items():
            if missing := {names} - there if isinstance(names, str) else {*names} - there:
                of_sets = zip(faces.set_names, parts, strict=True)
                has = "; ".join(f"{name} has {', '.join(own)}" for name, own in of_sets)
                raise DataError(f"data.splits.{split} names {', '.join(sorted(missing))}, which no set has: {has}.")
    return tuple(one.splits_among(own) for one, own in zip(sets, parts, strict=True))


def rows_of_splits(
    faces: Faces, splitting: Splitting, needed: Sequence[str] = SPLITS
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns what `split_rows` does, of several sets the union of what it returns for each.

    A fold is the union of the sets' folds; with folds="persons" it is one person of all sets.

    Raises:
        DataError: as `split_rows`, naming the set; which may lack a split that another set has.
    """
    if isinstance(splitting, SplitOptions):
        return split_rows(faces, splitting, needed)
    rows: dict[str, list[Tensor]] = {split: [] for split in SPLITS}
    origins: dict[str, list[str]] = {split: [] for split in SPLITS}
    for place, (name, options) in enumerate(zip(faces.set_names, splitting, strict=True)):
        own, whole = one_set(faces, place), set_rows(faces, place)
        try:
            own_rows, own_origins = cut_rows(own, options, needed)
            if "val" in needed and options.folds != "persons":
                own_rows, own_origins = rows_of_fold(own, options, own_rows, own_origins)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        for split in SPLITS:
            rows[split].append(whole[own_rows[split]])
            if len(own_rows[split]):
                origins[split].append(f"{own_origins[split]} of {name}")
    all_rows = {split: torch.cat(pieces) for split, pieces in rows.items()}  # ascending, as the sets are
    all_origins = {split: " + ".join(words) for split, words in origins.items()}
    if "val" in needed and splitting[0].folds == "persons":
        all_rows, all_origins = rows_of_fold(faces, splitting[0], all_rows, all_origins)
    refuse_empty({split: all_rows[split] for split in needed}, faces)
    return all_rows, all_origins


def without_copies(faces: Faces, known: Tensor, rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns splits in which no face of train is byte-identical with one of val or test, whatever their sets.

    Logs how many are taken out of train: of each set, for each set that they are copies of faces of.

    Args:
        faces: of several sets.
        known: `digests` of its images.
        rows: of each split.

    Raises:
        DataError: none is left to train on.
    """
    assert faces.sets is not None
    train, measured = rows["train"], torch.cat([rows["val"], rows["test"]])
    of_train, of_measured = faces.sets[train], faces.sets[measured]
    copied = torch.isin(known[train], known[measured])
    log.info("taken out of train, as copies of faces of val or test: %s faces", f"{int(copied.sum()):,}")
    for other, other_name in enumerate(faces.set_names):
        there = torch.isin(known[train], known[measured[of_measured == other]])
        for own, own_name in enumerate(faces.set_names):
            if count := int((there & (of_train == own)).sum()):
                log.info("- %s of %s, which are in val or test of %s", f"{count:,}", own_name, other_name)
    if bool(copied.all()):
        raise DataError(
            f"all {len(train):,} faces to train on are copies of faces of val or test: the sets of data.path are one "
            "set in several forms. Give one of them, or parts of each with splits: {…} in its entry."
        )
    return {**rows, "train": train[~copied]}
