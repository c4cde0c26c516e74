"""Cuts faces to train on apart: by person where the persons are known, and otherwise class by class."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from fer_lightning.data.faces import Faces
from fer_lightning.errors import DataError

Folds = Annotated[int, Field(ge=2, le=1000)] | Literal["persons"]

Numbers = NDArray[np.int64]

FINEST = 20
"""Folds of persons at most that a share is put together from: that is one of 5%."""


NEAR = 0.5
"""Of folds that miss the size of a share by less than this part of it, any will do: the smaller one is not better."""


def cut_out(train: Tensor, faces: Faces, shares: Mapping[str, float], seed: int) -> dict[str, Tensor]:
    """Returns the rows of train, and of what was cut out of it for each split: about the same share of every class.

    Where persons are known, all faces of one are in one split, and a split has one person at least. Some persons that
    have a face of every class together stay in train, as long as there are enough others.

    Args:
        train: rows of `faces`, int64, ascending.
        faces: the whole source.
        shares: of train, by the name of the split; from 0, together below 1.
        seed: decides which faces are cut out.

    Raises:
        DataError: fewer persons than splits.
    """
    wanted = [split for split, share in shares.items() if share]
    if faces.persons is None or not wanted or not len(train):
        return _cut_by_class(train, faces.labels, shares, seed)
    persons, labels = faces.persons[train].numpy(), faces.labels[train].numpy()
    count = len(np.unique(persons))
    if count <= len(wanted):
        splits = ", ".join((*wanted, "train"))
        raise DataError(
            f"the faces to train on are of {persons_in_words(count)}, and each of {splits} needs its own: give more "
            f"persons, or name parts of the source with data.splits.{wanted[0]}=…"
        )
    needed = _with_every_class(persons, labels, seed)
    if count - len(needed) < len(wanted):
        needed = np.array([], np.int64)  # some class is lost whoever is cut out: warn_of_absent_classes says which
    rows = dict.fromkeys(shares, train[:0])
    left = np.ones(len(train), np.bool_)
    for place, split in enumerate(wanted, 1):
        free = left & ~np.isin(persons, needed)
        others = len(wanted) - place + (len(needed) == 0)
        share = shares[split] * len(train) / free.sum()
        taken = free & np.isin(persons, _persons_of_share(persons[free], labels[free], share, others, seed))
        rows[split] = train[torch.from_numpy(taken)]
        left &= ~taken
    return {"train": train[torch.from_numpy(left)], **rows}


def without_fold(train: Tensor, faces: Faces, folds: Folds, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Returns the rows of train without a fold, and those of the fold: about the same share of every class.

    Args:
        train: rows of `faces`, int64, ascending.
        faces: the whole source; where their persons are known, each person is in one fold.
        folds: how many; "persons" makes a fold of each person, whatever the classes.
        fold: which, from 0.
        seed: decides which faces are in which fold.

    Raises:
        DataError: more folds than faces or persons, no such fold, or "persons" where they are not known.
    """
    if folds != "persons" and len(train) < folds:
        raise DataError(f"data.folds is {folds}, but there are only {len(train)} faces to train on")
    if faces.persons is None:
        if folds == "persons":
            raise DataError(
                "data.folds is persons, but this source does not say whose faces they are: give a number of folds"
            )
        return _dealt(train, faces.labels, folds, fold, seed)
    persons = faces.persons[train]
    there = persons[persons >= 0].unique()
    if folds == "persons":
        if fold >= len(there) or len(there) < 2:
            which = f"fold is one of 0 to {len(there) - 1}" if len(there) > 1 else "there is none to leave out"
            raise DataError(
                f"data.fold is {fold}, but the faces to train on are of {persons_in_words(len(there))}: {which}"
            )
        in_fold = persons == there[fold]
    elif folds > len(there):
        raise DataError(
            f"data.folds is {folds}, but the faces to train on are of {persons_in_words(len(there))}, and nobody is in "
            f"two folds: give data.folds={max(2, len(there))} or less, or data.folds=persons"
        )
    else:
        in_fold = torch.from_numpy(_folds(persons.numpy(), faces.labels[train].numpy(), folds, seed) == fold)
    return train[~in_fold], train[in_fold]


def persons_in_words(count: int) -> str:
    return "one person" if count == 1 else f"{count:,} persons"


def _cut_by_class(train: Tensor, labels: Tensor, shares: Mapping[str, float], seed: int) -> dict[str, Tensor]:
    taken: dict[str, list[Tensor]] = {split: [] for split in ("train", *shares)}
    generator = np.random.default_rng(seed)
    for label in labels[train].unique().tolist():
        rest = train[labels[train] == label]
        rest = rest[torch.from_numpy(generator.permutation(len(rest)))]
        sizes = [round(share * len(rest)) for share in shares.values()]
        for split, piece in zip((*shares, "train"), rest.split([*sizes, len(rest) - sum(sizes)]), strict=True):
            taken[split].append(piece)
    return {split: torch.cat(pieces).sort().values for split, pieces in taken.items() if pieces}


def _dealt(train: Tensor, labels: Tensor, folds: int, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Returns train without a fold, and the fold, which has the same share of every class, give or take a face."""
    generator = np.random.default_rng(seed)
    shuffled = train[torch.from_numpy(generator.permutation(len(train)))]
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    # Dealt out like cards, class after class: neither a class nor the whole differs by more than one between folds.
    in_fold = torch.arange(len(train)) % folds == fold
    return by_class[~in_fold].sort().values, by_class[in_fold].sort().values


def _with_every_class(persons: Numbers, labels: Numbers, seed: int) -> Numbers:
    """Returns few persons that together have a face of every class that there is: the most useful one, then the next.

    Of those that are equally useful, the seed chooses.
    """
    there, counts = _counts(persons, labels)
    order = np.random.default_rng(seed).permutation(len(there))
    has, needed = counts[order] > 0, []
    missing = has.any(0)
    while missing.any():
        best = int((has & missing).sum(1).argmax())
        needed.append(order[best])
        missing &= ~has[best]
    chosen: Numbers = there[needed]
    return chosen


def _persons_of_share(persons: Numbers, labels: Numbers, share: float, others: int, seed: int) -> list[int]:
    """Returns persons who together have about this share of the faces of every class.

    Args:
        persons: of each face, (n,).
        labels: of each face, (n,).
        share: above 0; all but `others` persons at most are returned if it is too high.
        others: the persons that must be left over.
        seed: chooses among the folds of persons whose size is about right.
    """
    most = min(FINEST, len(np.unique(persons)))
    choices = [(part, folds) for folds in range(others + 1, most + 1) for part in range(1, folds - others + 1)]
    part, folds = min(choices, key=lambda choice: abs(choice[0] / choice[1] - share))
    fold_of = _folds(persons, labels, folds, seed)
    sizes = np.bincount(fold_of, minlength=folds)
    aim, free, taken = share * len(persons) / part, np.random.default_rng(seed).permutation(folds).tolist(), 0
    chosen: list[int] = []
    for size in range(1, part + 1):
        off = [abs(taken + sizes[fold] - size * aim) // (NEAR * aim) for fold in free]
        chosen.append(free.pop(int(np.argmin(off))))  # the first of those that are equally far off
        taken += sizes[chosen[-1]]
    found: list[int] = np.unique(persons[np.isin(fold_of, chosen)]).tolist()
    return found


def _folds(persons: Numbers, labels: Numbers, folds: int, seed: int) -> Numbers:
    """Returns the fold of each face: none is empty, and all faces of a person are in one."""
    if folds == 1:
        return np.zeros(len(persons), np.int64)
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second, and most data does not need it

    # It asks for a face of each class in every fold, which persons cannot promise: each counts often enough for that.
    often = -(-folds // int(np.unique(labels, return_counts=True)[1].min()))
    rows = np.repeat(np.arange(len(persons)), often)
    splitter: Any = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32)
    fold_of = np.empty(len(persons), np.int64)
    for fold, (_, in_fold) in enumerate(splitter.split(rows, labels[rows], persons[rows])):
        fold_of[rows[in_fold]] = fold
    return fold_of


def _counts(groups: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
    """Returns the groups that there are, ascending, and of each the faces of every class, (groups, classes)."""
    there, place = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(there), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (place, labels), 1)
    return there, counts
