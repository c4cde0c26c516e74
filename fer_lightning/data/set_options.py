"""One set of faces or several: what data.path names, and how each set is read and split."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fer_lightning.data.classes import ClassOptions, Known
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.image_choice import Angle, ImageChoice, LabelsFrom
from fer_lightning.data.readers.table_columns import given_columns
from fer_lightning.data.splits import SplitOptions
from fer_lightning.errors import DataError
from fer_lightning.files import printable
from fer_lightning.signature import Fraction, argument_error

OnBadRows = Literal["error", "drop"]
SetPath = str | Path | Sequence[str | Path | Mapping[str, Any]] | None
"""A path, None for FER2013 where it is looked for, or several sets: each a path, or the fields of a `SetEntry`."""

OF_ONE_SET = ("columns", "votes")
"""Arguments that are not for several sets at once."""

SPLITTING = ("splits", "val_fraction", "test_fraction")


@dataclass(frozen=True)
class SetEntry:
    """One of several sets, as an entry of data.path that is a mapping; what is left out is as for all sets.

    All but `path` have the meaning of the arguments of FERDataModule with these names.
    """

    path: str | Path
    numbering: Known | Sequence[str] | None = None
    columns: Mapping[str, str | None] | None = None
    labels_from: LabelsFrom | None = None
    angles: Sequence[Angle] | None = None
    votes: Mapping[str, str | None] | None = None
    on_bad_rows: OnBadRows = "error"
    splits: Mapping[str, str | Sequence[str]] | None = None
    val_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1


@dataclass(frozen=True)
class SetOptions:
    """One set of faces: where it is, and how it is read and split.

    Args:
        path: of a file or folder; None looks for FER2013.
        numbering: what bare numbers mean, see `ClassOptions`.
        columns: of a table of images.
        choice: of images and labels.
        votes: FER+'s votes on these faces.
        on_bad_rows: "error" or "drop".
        splits: which faces are trained on, chosen on and reported on.
        given: the names of what was given for this very set; the rest is for all sets, wherever it fits.
    """

    path: str | Path | None
    numbering: Known | Sequence[str] | None
    columns: Mapping[str, str]
    choice: ImageChoice
    votes: VotesOptions | None
    on_bad_rows: OnBadRows
    splits: SplitOptions
    given: frozenset[str] = frozenset()

    def splits_among(self, parts: Sequence[str]) -> SplitOptions:
        """Returns how a set with these parts is split: parts that are named for all sets are taken where it has them.

        Where it has none of those that a split is to take, the convention goes for that split.
        """
        if "splits" in self.given:
            return self.splits
        has = {}
        for split, names in self.splits.splits.items():
            wanted = [names] if isinstance(names, str) else list(names)
            there = [name for name in wanted if name in parts]
            has[split] = (there or "auto") if wanted else []
        return replace(self.splits, splits=has)


def set_options(path: SetPath, general: SetOptions) -> tuple[SetOptions, ...]:
    """Returns the sets that are named, each with its options.

    Args:
        path: as data.path.
        general: the options for all sets.

    Raises:
        ValueError: no set, an entry that names none or cannot be used, a set twice, what is for one set given for
            several.
    """
    if path is None or isinstance(path, str | Path):
        return (replace(general, path=path),)
    if isinstance(path, Mapping) or not isinstance(path, Sequence):
        raise ValueError(f"path is {path!r}: it should be a path, or a list of paths or mappings, as in {EXAMPLE}")
    if not path:
        raise ValueError("path is an empty list: name at least one file or folder of faces")
    sets = tuple(_set(f"path[{place}]", entry, general) for place, entry in enumerate(path))
    seen: dict[str, int] = {}
    for place, one in enumerate(sets):
        real = os.path.realpath(Path(str(one.path)).expanduser())
        if (first := seen.setdefault(real, place)) != place:
            raise ValueError(f"path[{place}] is {one.path}, as path[{first}] is: name each set once")
    for name in OF_ONE_SET if len(sets) > 1 else ():
        if getattr(general, name):
            raise ValueError(
                f"{name} is given for {len(sets)} sets, but belongs to one: give it in the entry of that set, as in "
                f"path=[…,{{path: {sets[0].path}, {name}: {{…}}}}]"
            )
    return sets


EXAMPLE = "[fer2013.csv,{path: faces, numbering: rafdb}]"


def _set(key: str, entry: Any, general: SetOptions) -> SetOptions:
    if isinstance(entry, str | Path):
        return replace(general, path=entry)
    if not isinstance(entry, Mapping):
        raise ValueError(f"{key} is {entry!r}: it should be a path or a mapping, as in {EXAMPLE}")
    if problem := argument_error(SetEntry, entry):
        raise ValueError(f"{key}: {problem.replace('an argument of SetEntry', 'a key of a set')}")
    if "path" not in entry:
        raise ValueError(f"{key} has no path: say where the set is, as in {EXAMPLE}")
    try:
        return with_own(dict(entry), general)
    except (ValueError, DataError) as error:
        raise ValueError(f"{key}: {error}") from error


def with_own(entry: Mapping[str, Any], general: SetOptions) -> SetOptions:
    """Returns the options of one set: what its entry has, and the rest as for all sets.

    Raises:
        ValueError, DataError: a value out of its range.
    """
    own: dict[str, Any] = {"path": entry["path"], "given": frozenset(entry)}
    own |= {name: entry[name] for name in ("numbering", "on_bad_rows") if name in entry}
    ClassOptions(own.get("numbering"))
    if "columns" in entry:
        own["columns"] = given_columns(entry["columns"])
    if chosen := {name: entry[name] for name in ("labels_from", "angles") if name in entry}:
        own["choice"] = replace(general.choice, **chosen)
    if "votes" in entry:
        votes = entry["votes"]
        if votes is not None and (problem := argument_error(VotesOptions, votes)):
            raise ValueError(f"votes.{problem}")
        own["votes"] = None if votes is None else VotesOptions(**votes)
    if split := {name: entry[name] for name in SPLITTING if name in entry}:
        if "splits" in split:
            split["splits"] = split["splits"] or {}
        own["splits"] = replace(general.splits, **split)
    return replace(general, **own)


def set_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Returns a short name for each path: its last part, with what tells it apart from others before it."""
    parts = [Path(os.path.abspath(path)).parts for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other is not own]
        lengths = range(1, len(own) + 1)
        length = next((n for n in lengths if all(other[-n:] != own[-n:] for other in others)), len(own))
        names.append(printable("/".join(own[-length:])))
    return tuple(names)
