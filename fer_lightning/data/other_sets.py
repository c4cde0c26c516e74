"""Sets that a finished run is measured on, and was not trained on: all of their faces, or the test part they have."""

import logging
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fer_lightning.data.digests import digests
from fer_lightning.data.faces import Faces
from fer_lightning.data.joined_sets import one_set
from fer_lightning.data.set_options import SPLITTING, SetOptions, with_own
from fer_lightning.data.splits import CONVENTION, cut_rows, part_counts
from fer_lightning.errors import DataError
from fer_lightning.installation import typed_value

log = logging.getLogger(__name__)

OWN = 1 / 4
"""Share of a set's faces that the run was trained or chosen on, from which on the set is taken for the run's own,
wherever it lies: copies of a few faces are in other sets too."""


@dataclass(frozen=True)
class MeasuredRun:
    """A finished run that is measured on sets which are given for that.

    Args:
        sources: where the sets are that it was trained on.
        splits: what was given as data.splits together with these sets, without what the run's own config has.
        entries: what the run's config says of single sets, as fields of a `SetEntry`.
    """

    sources: str | Sequence[str]
    splits: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]] = ()


def sets_to_test(
    sets: Sequence[SetOptions], sources: Sequence[Path], faces: Faces, run: MeasuredRun, seen: Tensor
) -> tuple[SetOptions, ...]:
    """Returns the sets that are given, those that the run was not trained on with all of their faces as test.

    But parts that are given for test stay, and so does a test part that such a set has, or else the one that the run's
    config names. What the run was trained on is split as the run has split it.

    Args:
        sets: as they are given, together with what the run's config says.
        sources: where each of them is.
        faces: of all of them.
        run: the run.
        seen: digests of the faces that it was trained on, and of those that it was chosen on.
    """
    own_places = {os.path.realpath(source) for source in _names(run.sources)}
    found = []
    for place, (one, source) in enumerate(zip(sets, sources, strict=True)):
        of_set = faces if faces.sets is None else one_set(faces, place)
        if {"splits", "test_fraction"} & one.given or os.path.realpath(source) in own_places:
            found.append(one)
        elif (known := _known(of_set, seen)) >= max(1, OWN * len(of_set)):
            shares = f"{known:,} of its {len(of_set):,} faces"
            log.info("%s: taken for a set of the run, which has seen %s: it is split as the run's own", source, shares)
            found.append(_split_as_in(run, one, of_set, seen))
        else:
            found.append(_to_test(one, source, of_set, run, alone=len(sets) == 1))
    return tuple(found)


def _split_as_in(run: MeasuredRun, one: SetOptions, faces: Faces, seen: Tensor) -> SetOptions:
    """Returns a set of the run, which lies elsewhere now, with the options by which the run has split it.

    Which of the run's sets it is, is not known: it is one after whose splitting train and val, and not test, have the
    faces that the run has seen.
    """
    known, parts = torch.isin(digests(faces.images), seen), tuple(part_counts(faces))
    own = [{name: entry[name] for name in SPLITTING if name in entry} for entry in run.entries]
    choices = [one, *(with_own({**options, "path": one.path}, one) for options in own if options)]

    def misplaced(choice: SetOptions) -> int:
        try:
            rows, _ = cut_rows(faces, choice.splits_among(parts), ("test",))
        except DataError:  # it names parts that this set does not have
            return len(faces) + 1
        is_test = torch.zeros_like(known).index_fill(0, rows["test"], True)
        return int((is_test == known).sum())

    return one if len(choices) == 1 else min(choices, key=misplaced)


def _to_test(one: SetOptions, source: Path, faces: Faces, run: MeasuredRun, alone: bool) -> SetOptions:
    parts, inherited = part_counts(faces), one.splits.splits.get("test", "auto")
    wanted = _names(run.splits.get("test", ()))
    if run.splits and (alone or {*wanted} <= {*parts}):  # of several sets, some may lack it
        return replace(one, splits=replace(one.splits, splits=run.splits))
    if {*CONVENTION["test"]} & {*parts}:
        return replace(one, splits=replace(one.splits, splits={}))
    if {*_names(inherited)} <= {*parts}:
        return replace(one, splits=replace(one.splits, splits={"test": inherited}))
    a_part = (
        f"data.splits.test={typed_value(next(iter(parts)))}"
        if len(parts) > 1
        else f"data.path=[{{path: {typed_value(str(source))}, test_fraction: 0.1}}]"
    )
    quoted = f"'{a_part}'" if "'" not in a_part else shlex.quote(a_part)
    counts = ", ".join(f"{name} ({count:,})" for name, count in parts.items())
    log.info(
        "%s: has no test part, and the network was not trained on it: all of its %s faces are measured%s. A part of "
        "them is measured with %s",
        *(source, f"{len(faces):,}", f", {counts}" if len(parts) > 1 else "", quoted),
    )
    return replace(one, splits=replace(one.splits, splits={"test": [*parts]}), given=one.given | {"splits"})


def _names(wanted: str | Iterable[str]) -> list[str]:
    return [wanted] if isinstance(wanted, str) else [*wanted]


def _known(faces: Faces, seen: Tensor) -> int:
    return int(torch.isin(digests(faces.images), seen).sum())
