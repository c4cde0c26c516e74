"""From a source's own classes to those that are trained on: numbers get names, classes are picked, merged, matched."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from fer_lightning.data.emotions import NUMBERINGS, canonical, whole_number_in
from fer_lightning.data.faces import Faces, rows_of
from fer_lightning.data.numbering import KEY, NumberingOption, meanings_of, numbers_found
from fer_lightning.errors import DataError
from fer_lightning.files import printable

log = logging.getLogger(__name__)

Known = Literal["fer2013", "ferplus", "rafdb", "affectnet", "affectnet_yolo", "ckplus", "alphabetical"]

LEFT_OUT = -1


@dataclass(frozen=True)
class ClassOptions:
    """The classes to train on; its names are keys of conf/data.

    Args:
        numbering: what bare numbers mean: the data set whose order they are in, or the classes' names in the order of
            their numbers; None refuses bare numbers, since a number alone never says which emotion it is.
        classes: the classes to use, in this order; or new classes, each with the source's classes that are merged into
            it. None takes all that the source has. Faces of other classes are left out.
        own_goes_first: `numbering` is for sources whose form has no order of its own, as one that is for several sets.
        option: how `numbering` is typed, for messages; no key of conf/data.

    Raises:
        ValueError: an argument outside its range, a class named twice, none at all.
    """

    numbering: Known | Sequence[str] | None = None
    classes: Sequence[str] | Mapping[str, str | Sequence[str]] | None = None
    own_goes_first: bool = False
    option: NumberingOption = KEY

    def __post_init__(self) -> None:
        if isinstance(self.numbering, str):
            if self.numbering not in NUMBERINGS:
                raise ValueError(
                    f"numbering is {self.numbering!r}; it must be one of {', '.join(NUMBERINGS)}, or a list of names"
                )
        elif self.numbering is not None:
            _refuse_repeated("numbering", [canonical(str(name)) for name in self.numbering])
        if isinstance(self.classes, str):
            raise ValueError(f"classes is {self.classes!r}; it must be a list, as in classes=[happy,sad]")
        if self.classes is not None and not self.classes:
            raise ValueError("classes is empty: name those to train on, or null for all")
        if self.classes is not None and not isinstance(self.classes, Mapping):
            _refuse_repeated("classes", [canonical(str(name)) for name in self.classes])
        _refuse_repeated("classes", [name for names in self.merged.values() for name in names])

    @property
    def merged(self) -> dict[str, tuple[str, ...]]:
        """Returns each class to train on, with the source's classes that become it; empty takes all as they are."""
        if self.classes is None:
            return {}
        if isinstance(self.classes, Mapping):
            return {
                str(new): tuple(canonical(str(name)) for name in ([old] if isinstance(old, str) else old))
                for new, old in self.classes.items()
            }
        return {canonical(str(name)): (canonical(str(name)),) for name in self.classes}

    def named(self, faces: Faces, source: Path | str, own: str = "") -> Faces:
        """Returns faces whose classes have names, where the source's were bare numbers.

        Args:
            faces: as their reader made them.
            source: for messages.
            own: the numbering that the source's form has; "" if it has none.

        Raises:
            DataError: bare numbers without a numbering, numbers and names side by side, numbers that the numbering
                does not have, a name that is not UTF-8.
        """
        counts = _counts(faces)
        _refuse_other_encodings(counts, source)
        found = numbers_found(counts, source)
        if not found:
            log.info("%s: classes: %s", source, _counted(counts))
            return faces
        numbering = self._numbering_for(own)
        meanings, left_out = meanings_of(found, numbering, own, source, self.option)
        named = {f"{number} {meanings[number]}": found[number] for number in sorted(found) if number in meanings}
        log.info("%s: classes: %s", source, _counted(named))
        if own and numbering not in (None, own):
            taken = "%s: %s is taken, though this form has its numbers in the order of %s"
            log.warning(taken, source, self.option.name, own)
        names = tuple(dict.fromkeys(meanings.values()))
        new_labels = [
            LEFT_OUT if number is None or number not in meanings else names.index(meanings[number])
            for number in map(whole_number_in, faces.class_names)
        ]
        for number, why in left_out.items():
            log.info("%s: left out %s faces of class %d (%s)", source, f"{found[number]:,}", number, why)
        return _relabelled(faces, torch.tensor(new_labels), names, source)

    def refuse_unnamed(self, counts: Mapping[str, int], source: Path | str, own: str = "") -> None:
        """Refuses what `named` does, by the number of images of each class: before they are read."""
        _refuse_other_encodings(counts, source)
        if found := numbers_found(counts, source):
            meanings_of(found, self._numbering_for(own), own, source, self.option)

    def _numbering_for(self, own: str) -> Known | Sequence[str] | None:
        return None if own and self.own_goes_first else self.numbering

    def chosen(self, faces: Faces, source: Path | str, may_lack: bool = False) -> Faces:
        """Returns the faces of the classes that are asked for, by those classes; what is left out is logged.

        Args:
            faces: with names for classes.
            source: for messages.
            may_lack: the source may be without some of the classes.

        Raises:
            DataError: a class that the source does not have, or no face left.
        """
        if not self.merged:
            return faces
        old_names = [canonical(name) for name in faces.class_names]
        wanted = {old: new for new, olds in self.merged.items() for old in olds}
        if (lacking := [name for name in wanted if name not in old_names]) and not may_lack:
            raise DataError(
                f"data.classes names {', '.join(lacking)}, which {source} does not have: it has {', '.join(old_names)}."
            )
        names = tuple(self.merged)
        new_labels = torch.tensor([names.index(wanted[old]) if old in wanted else LEFT_OUT for old in old_names])
        _log_left_out(faces, new_labels, "data.classes", source)
        return _relabelled(faces, new_labels, names, source)


def matched(faces: Faces, class_names: Sequence[str], source: Path | str) -> Faces:
    """Returns faces by the classes of a network, matched by name; what one side does not have is logged.

    Raises:
        DataError: no class in common.
    """
    if faces.class_names == tuple(class_names):
        return faces
    places = {canonical(name): place for place, name in enumerate(class_names)}
    new_labels = torch.tensor([places.get(canonical(name), LEFT_OUT) for name in faces.class_names])
    if (new_labels == LEFT_OUT).all():
        raise DataError(
            f"{source}: has the classes {', '.join(faces.class_names)}, and the network knows "
            f"{', '.join(class_names)}: none in common. Give other data, or data.classes={{new:[old,…],…}}."
        )
    _log_left_out(faces, new_labels, "the network", source)
    return _relabelled(faces, new_labels, tuple(class_names), source)


def _relabelled(faces: Faces, new_labels: Tensor, names: tuple[str, ...], source: Path | str) -> Faces:
    """Returns the faces whose class has a new label, by new names.

    Args:
        faces: of C classes.
        new_labels: for each of these, int64 (C,); LEFT_OUT leaves its faces out.
        names: of the new classes.
        source: for the message.
    """
    labels = new_labels[faces.labels]
    soft = faces.soft_labels
    if soft is not None:
        into = torch.zeros(len(new_labels), len(names))
        kept = (new_labels != LEFT_OUT).nonzero().flatten()
        into[kept, new_labels[kept]] = 1
        soft = soft @ into
        if len(kept) < len(new_labels) or len(names) < len(new_labels):
            labels = torch.where(soft.sum(1) > 0, soft.argmax(1), LEFT_OUT)
    rows = (labels != LEFT_OUT).nonzero().flatten()
    if not len(rows):
        raise DataError(f"{source}: no face is of one of the classes {', '.join(names)}.")
    if soft is not None:
        soft = soft / soft.sum(1, keepdim=True)
    relabelled = replace(faces, labels=labels, class_names=names, soft_labels=soft)
    return relabelled if len(rows) == len(faces) else rows_of(relabelled, rows)


def _log_left_out(faces: Faces, new_labels: Tensor, by: str, source: Path | str) -> None:
    pairs = zip(_counts(faces).items(), new_labels.tolist(), strict=True)
    left_out = {name: count for (name, count), new in pairs if new == LEFT_OUT and count}
    if left_out:
        log.warning("%s: %s leaves out the faces of %s", source, by, _counted(left_out))


def _counts(faces: Faces) -> dict[str, int]:
    counts = torch.bincount(faces.labels, minlength=len(faces.class_names)).tolist()
    return dict(zip(faces.class_names, counts, strict=True))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())


def _refuse_other_encodings(names: Iterable[str], source: Path | str) -> None:
    """Refuses names, as of folders, that no checkpoint, table or page could hold."""
    if other := [shown for name in names if (shown := printable(name)) != name]:
        raise DataError(
            f"{source}: the name of a class is not in UTF-8: {', '.join(other[:10])}. Rename its folder, or correct it "
            "where the class is named."
        )


def _refuse_repeated(key: str, names: Sequence[str]) -> None:
    if repeated := [name for name in dict.fromkeys(names) if list(names).count(name) > 1]:
        raise ValueError(f"{key} names {', '.join(repeated)} twice")
