"""Notes on whose faces are in which split: what a person who reads a figure must know of it."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from fer_lightning.data.faces import Faces
from fer_lightning.data.joined_sets import one_set, set_rows

UNKNOWN = (
    "the persons are not known, and each is in several pictures: the same faces may be in train and test, no honest "
    "split exists, and the figure says nothing about persons who are new"
)


def person_notes(faces: Faces, measured: Mapping[str, Tensor], learnt: Tensor) -> tuple[str, ...]:
    """Returns sentences on persons that the network knows before it is measured on them; none if it knows nobody.

    Args:
        faces: the whole source.
        measured: the rows of val and test, or of one of them.
        learnt: the rows of the faces that the network learns from.
    """
    if faces.sets is not None:
        return tuple(f"{name}: {note}" for name, note in _notes_by_set(faces, measured, learnt))
    if faces.persons is None:
        return (UNKNOWN,) if faces.several_of_each else ()
    known, notes = faces.persons[learnt].unique(), []
    for split, rows in measured.items():
        persons = faces.persons[rows]
        shared = persons[torch.isin(persons, known)]
        if len(shared):
            notes.append(
                f"{split} shares {len(shared.unique()):,} of its {len(persons.unique()):,} persons with train, and so "
                f"{len(shared):,} of its {len(rows):,} faces: the figure says less about persons who are new"
            )
    return tuple(notes)


def _notes_by_set(faces: Faces, measured: Mapping[str, Tensor], learnt: Tensor) -> Iterator[tuple[str, str]]:
    """Yields the name of a set, and a note on the persons in it; sets of which nothing is measured have none."""
    for place, name in enumerate(faces.set_names):
        whole = set_rows(faces, place)
        own = {split: torch.searchsorted(whole, rows[torch.isin(rows, whole)]) for split, rows in measured.items()}
        if any(map(len, own.values())):
            own_learnt = torch.searchsorted(whole, learnt[torch.isin(learnt, whole)])
            for note in person_notes(one_set(faces, place), own, own_learnt):
                yield name, note
