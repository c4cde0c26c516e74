"""Joins the faces of several sets to one table: classes by their names, persons apart."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from fer_lightning.data.emotions import canonical, in_order
from fer_lightning.data.faces import Faces, rows_of
from fer_lightning.data.joined_images import JoinedImages
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)


def joined(sets: Sequence[Faces], names: Sequence[str]) -> Faces:
    """Returns the faces of several sets, one set after the other.

    Classes of the same name are one class. They are in the emotions' usual order (FER2013's, then contempt), others
    after them by alphabet, whatever the order of the sets. Persons of different sets are different persons. Where one
    set has soft labels, those of the others are 1 for their class.

    Args:
        sets: at least one, all with images of one shape.
        names: of the sets, each another.
    """
    class_names = in_order(canonical(name) for faces in sets for name in faces.class_names)
    part_names = tuple(dict.fromkeys(name for faces in sets for name in faces.part_names))
    has_soft = any(faces.soft_labels is not None for faces in sets)
    return Faces(
        images=JoinedImages([faces.images for faces in sets]),
        labels=torch.cat([_places(map(canonical, faces.class_names), class_names)[faces.labels] for faces in sets]),
        parts=torch.cat([_places(faces.part_names, part_names)[faces.parts.long()] for faces in sets]),
        numbers=torch.cat([faces.numbers for faces in sets]),
        part_names=part_names,
        class_names=class_names,
        files=_files(sets),
        soft_labels=torch.cat([_soft(faces, class_names) for faces in sets]) if has_soft else None,
        persons=_persons(sets),
        several_of_each=any(faces.several_of_each for faces in sets),
        sets=torch.cat([torch.full((len(faces),), place) for place, faces in enumerate(sets)]),
        set_names=tuple(names),
        several_in=tuple(faces.several_of_each for faces in sets),
    )


def set_rows(faces: Faces, place: int) -> Tensor:
    """Returns the rows of one of several sets, int64, ascending."""
    assert faces.sets is not None
    return (faces.sets == place).nonzero().flatten()


def one_set(faces: Faces, place: int) -> Faces:
    """Returns the faces of one of several sets, as if there were no others."""
    own = rows_of(faces, set_rows(faces, place))
    persons = None if own.persons is None or bool((own.persons < 0).any()) else own.persons
    several = faces.several_in[place]
    return replace(own, persons=persons, several_of_each=several, sets=None, set_names=(), several_in=())


def refuse_sets_apart(faces: Faces) -> None:
    """Refuses sets that share no class with any other: their words or their numbers are another's.

    Raises:
        DataError: names the first such set, its classes and those of the others.
    """
    counts = _class_counts(faces)
    for name in faces.set_names:
        others = counts.drop(index=name).sum()
        own = [one for one in faces.class_names if counts.at[name, one]]
        other = [one for one in faces.class_names if others[one]]
        if not {*own} & {*other}:
            raise DataError(
                f"{name} has the classes {', '.join(own)}, and the other sets of data.path have {', '.join(other)}: "
                "none in common. Give sets of the same classes, or say which are the same with "
                "data.classes={new:[old,…],…}."
            )


def refuse_empty_sets(faces: Faces) -> None:
    """Refuses a set of which no face is left, once classes are chosen or matched.

    Raises:
        DataError: names it.
    """
    assert faces.sets is not None
    counts = torch.bincount(faces.sets, minlength=len(faces.set_names)).tolist()
    if empty := [name for name, count in zip(faces.set_names, counts, strict=True) if not count]:
        raise DataError(
            f"{', '.join(empty)}: no face is of one of the classes {', '.join(faces.class_names)}. Leave the set out "
            "of data.path, or name its classes in data.classes={new:[old,…],…}."
        )


def log_classes(faces: Faces) -> None:
    """Logs how many faces of each class each set has, and which classes a set lacks."""
    counts = _class_counts(faces)
    table = counts.assign(all=counts.sum(axis=1))
    table.loc["all"] = table.sum()
    shown = table.to_string(formatters=dict.fromkeys(table.columns, "{:,}".format))
    log.info("%d sets, joined by the names of their classes:\n%s", len(faces.set_names), shown)
    for name, row in counts.iterrows():
        if lacking := [str(one) for one in row.index[row == 0]]:
            log.info("%s has no face of %s", name, ", ".join(lacking))


def _class_counts(faces: Faces) -> pd.DataFrame:
    """Returns the number of faces: a row for each set, a column for each class."""
    assert faces.sets is not None
    shape = len(faces.set_names), len(faces.class_names)
    counts = torch.bincount(faces.sets * shape[1] + faces.labels, minlength=shape[0] * shape[1]).view(shape)
    return pd.DataFrame(counts.numpy(), pd.Index(faces.set_names), pd.Index(faces.class_names))


def _places(names: Iterable[str], among: Sequence[str]) -> Tensor:
    return torch.tensor([among.index(name) for name in names], dtype=torch.int64)


def _files(sets: Sequence[Faces]) -> tuple[str, ...]:
    """Returns the file of each face, "" in sets that have none; none at all where no set has any."""
    if not any(faces.files for faces in sets):
        return ()
    return tuple(file for faces in sets for file in (faces.files or ("",) * len(faces)))


def _soft(faces: Faces, class_names: Sequence[str]) -> Tensor:
    places = _places(map(canonical, faces.class_names), class_names)
    into = F.one_hot(places, len(class_names)).float()  # (classes of the set, all classes)
    return into[faces.labels] if faces.soft_labels is None else faces.soft_labels @ into


def _persons(sets: Sequence[Faces]) -> Tensor | None:
    """Returns a number for each person of all sets, those of a set in their order; negative ones as in `Faces`."""
    if all(faces.persons is None for faces in sets):
        return None
    found, known, unknown = [], 0, 0
    for faces in sets:
        if faces.persons is None:
            found.append(-1 - unknown - torch.arange(len(faces)))
            unknown += len(faces)
        else:
            there, place = faces.persons.unique(return_inverse=True)
            found.append(place + known)
            known += len(there)
    return torch.cat(found)
