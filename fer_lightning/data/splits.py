"""Splits faces into those that are trained on, chosen on and reported on."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import NonNegativeInt
from torch import Tensor

from fer_lightning.data.cuts import Folds, cut_out, persons_in_words, without_fold
from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.errors import DataError
from fer_lightning.signature import Fraction, refuse_out_of_range

log = logging.getLogger(__name__)

CONVENTION = {"train": ("Training", "train", "all"), "val": ("PublicTest", "val"), "test": ("PrivateTest", "test")}
"""Train on Training, choose on PublicTest, report PrivateTest: and the same for folders of those names."""

MACRO = "Macro averages leave it out, or count it 0 once another face is taken for it"
"""The way of torchmetrics with a class that no face of a split has."""


@dataclass(frozen=True)
class SplitOptions:
    """The choice of faces that are trained on, chosen on and reported on; its names are the keys of conf/data.

    Args:
        splits: which part or parts of the source train, val and test take; "auto", as where one is left out, is the
            convention's part where the source has it and no other split has been given it, and otherwise a stratified
            share of the training part, cut out by person where the persons are known.
        val_fraction: share of the training part that val gets, if it is cut out.
        test_fraction: share of the training part that test gets, if it is cut out.
        split_seed: decides which faces are cut out, and those of each fold, whatever the run's seed is.
        folds: number of stratified folds that the training part is cut into, by person where the persons are known:
            val is one of them, train the others; "persons" leaves one person out at a time.
        fold: which fold val is, from 0 to folds - 1.

    Raises:
        ValueError: an argument outside its range, nothing left to train on, folds without fold or the reverse.
    """

    splits: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    val_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    split_seed: NonNegativeInt = 0
    folds: Folds | None = None
    fold: NonNegativeInt | None = None

    def __post_init__(self) -> None:
        refuse_out_of_range(SplitOptions, vars(self))
        if (both := self.val_fraction + self.test_fraction) >= 1:
            raise ValueError(f"val_fraction + test_fraction is {both}: that leaves nothing to train on")
        folds, fold = self.folds, self.fold
        if (folds is None) != (fold is None):
            raise ValueError(f"folds is {folds} and fold is {fold}; give both (fold from 0 to folds - 1) or neither")
        if folds is not None and folds != "persons" and fold is not None and fold >= folds:
            raise ValueError(f"fold is {fold}; of {folds} folds, it is one of 0 to {folds - 1}")


def split_rows(
    faces: Faces, options: SplitOptions, needed: Sequence[str] = SPLITS
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the rows of each split, int64, ascending; and in words, which part of the source each is.

    Args:
        faces: the whole source.
        options: how to split them.
        needed: the splits that must not be empty.

    Raises:
        DataError: a part that the source does not have, one that is trained on and evaluated on, an empty split,
            a part given to val together with folds; as `cut_out` and `without_fold`.
    """
    rows, origins = cut_rows(faces, options, needed)
    if "val" in needed:
        rows, origins = rows_of_fold(faces, options, rows, origins)
    refuse_empty({split: rows[split] for split in needed}, faces)
    return rows, origins


def cut_rows(
    faces: Faces, options: SplitOptions, needed: Sequence[str] = SPLITS
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the same before a fold is taken out of train: val is empty then."""
    parts, folds = options.splits, options.folds
    if unknown := set(parts) - set(SPLITS):
        raise DataError(f"data.splits names {', '.join(sorted(unknown))}; its keys are train, val and test")
    if folds is not None and "val" in needed and parts.get("val", "auto") != "auto":
        raise DataError(
            f"data.splits.val is {parts['val']}, but with data.folds={folds} val is a fold of the training part: "
            f"leave one of the two out"
        )
    present = part_counts(faces)
    named = {split: _names(split, parts[split], present) for split in SPLITS if parts.get(split, "auto") != "auto"}
    given = {name for names in named.values() for name in names}
    if folds is not None:
        named["val"] = []
    for split in SPLITS:
        if split not in named:
            named[split] = [n for n in CONVENTION[split] if n in present and n not in given]
    for split in ("val", "test"):
        if both := set(named["train"]) & set(named[split]):
            raise DataError(
                f"data.splits gives {', '.join(sorted(both))} to train and to {split}: a network is not measured on "
                f"faces that it was trained on"
            )
    both = set(named["val"]) & set(named["test"])
    rows = {split: _part_rows(faces, named[split]) for split in SPLITS}
    shares = {"test": options.test_fraction, "val": options.val_fraction}
    cut = {split: share for split, share in shares.items() if not named[split]}
    if folds is not None or not {"train", "val"} & {*needed}:
        cut.pop("val", None)
    rows |= cut_out(rows["train"], faces, cut, options.split_seed)
    origins = {split: " + ".join(names) for split, names in named.items()}
    if both:
        origins["test"] += ", which is val too"
    origins |= _cut_origins(faces, {split: rows[split] for split in ("train", *cut)}, cut, origins["train"])
    if unused := set(present) - {name for names in named.values() for name in names}:
        log.info("not used: %s", ", ".join(f"{name} ({present[name]:,})" for name in sorted(unused)))
    return rows, origins


def rows_of_fold(
    faces: Faces, options: SplitOptions, rows: Mapping[str, Tensor], origins: Mapping[str, str]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns splits in which val is the fold that is asked for, and train has the others; as they are without one."""
    folds, fold, whole = options.folds, options.fold, origins["train"]
    if folds is None or fold is None:
        return {**rows}, {**origins}
    train, val = without_fold(rows["train"], faces, folds, fold, options.split_seed)
    if folds == "persons":
        last = person_count(faces, train)
        own = {
            "val": f"person {fold} of 0…{last} of {whole}",
            "train": f"all persons but {fold} of 0…{last} of {whole}",
        }
    else:
        last = folds - 1
        own = {"val": f"fold {fold} of 0…{last} of {whole}", "train": f"all folds but {fold} of 0…{last} of {whole}"}
    return {**rows, "train": train, "val": val}, {**origins, **own}


def part_counts(faces: Faces) -> dict[str, int]:
    """Returns the number of faces of each part that has any."""
    counts = torch.bincount(faces.parts.long(), minlength=len(faces.part_names)).tolist()
    return {name: count for name, count in zip(faces.part_names, counts, strict=True) if count}


def warn_of_absent_classes(labels: Tensor, rows: Mapping[str, Tensor], class_names: Sequence[str]) -> None:
    """Warns of classes without a face in some split, and says what that does to the figures.

    Args:
        labels: of the whole source, int64 (N,).
        rows: of each split; without train, where a network is only tested.
        class_names: of the C classes.
    """
    counts = {s: torch.bincount(labels[r], minlength=len(class_names)).tolist() for s, r in rows.items()}
    alike: dict[tuple[str, ...], list[int]] = {}
    for label in range(len(class_names)):
        if absent := tuple(split for split in rows if not counts[split][label]):
            alike.setdefault(absent, []).append(label)
    for absent, classes in alike.items():
        names = ", ".join(class_names[label] for label in classes)
        if "train" not in absent:
            effect = f"no figure of {_and(absent)} says how well a network knows it. {MACRO}"
        elif len(absent) == len(rows):
            effect = f"a network neither learns it nor is measured on it. {MACRO}"
        else:
            in_test = sum(counts["test"][label] for label in classes)
            share = f", {in_test:,} of the {len(rows['test']):,} in test" if in_test else ""
            effect = (
                f"a network that is not taught a class gets its faces wrong{share}, and the class counts 0 in the "
                f"macro precision, recall and F1 of {_and(split for split in rows if split not in absent)}"
            )
        log.warning("%s %s no face of %s: %s", _and(absent), "have" if len(absent) > 1 else "has", names, effect)


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _names(split: str, wanted: str | Sequence[str], present: Mapping[str, int]) -> list[str]:
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    if not names:
        raise DataError(f"data.splits.{split} is empty: name a part, or auto")
    if missing := [name for name in names if name not in present]:
        has = ", ".join(f"{name} ({count:,} faces)" for name, count in present.items())
        raise DataError(
            f"data.splits.{split} names {', '.join(map(str, missing))}, which the source does not have: it has {has}. "
            f"Name one of these, or auto"
        )
    return names


def _part_rows(faces: Faces, names: Sequence[str]) -> Tensor:
    wanted = torch.tensor([faces.part_names.index(name) for name in names], dtype=faces.parts.dtype)
    return torch.isin(faces.parts, wanted).nonzero().flatten()


def _cut_origins(faces: Faces, rows: Mapping[str, Tensor], cut: Mapping[str, float], source: str) -> dict[str, str]:
    """Returns in words what was cut out of `source`, and what train has left: by person, what came out.

    Args:
        faces: the whole source.
        rows: of train and of each split that was cut out.
        cut: the share that each of these was to get.
        source: the part or parts that they were cut out of.
    """
    if not cut:
        return {}
    if faces.persons is None:
        return {split: f"{share:.0%} of {source}" for split, share in {"train": 1 - sum(cut.values()), **cut}.items()}
    whole = torch.cat([*rows.values()])
    persons = persons_in_words(person_count(faces, whole))
    return {
        split: f"{len(r) / max(len(whole), 1):.0%} of {source} ({person_count(faces, r):,} of {persons})"
        for split, r in rows.items()
    }


def person_count(faces: Faces, rows: Tensor) -> int:
    """Returns the number of persons who are known."""
    return 0 if faces.persons is None else int((faces.persons[rows].unique() >= 0).sum())


def refuse_empty(rows: Mapping[str, Tensor], faces: Faces) -> None:
    """Raises DataError for a split without a face, with what the source has."""
    has = ", ".join(f"{name} ({count:,} faces)" for name, count in part_counts(faces).items())
    ways = {
        "train": "Name a part with data.splits.train=…, or make data.val_fraction and data.test_fraction smaller",
        "val": "Cut it out of train with data.val_fraction=0.1, or name a part with data.splits.val=…",
        "test": "Cut it out of train with data.test_fraction=0.1, or name a part with data.splits.test=…",
    }
    for split, r in rows.items():
        if len(r) == 0:
            raise DataError(f"the {split} split is empty; the source has {has}. {ways[split]}")
