"""Intervals of a network's figures over persons: faces of one person are alike, so that counting faces is too sure."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

RESAMPLES, SEED = 2000, 0

METHOD = "bootstrap over persons"
"""As metrics.json calls it."""

FEW_PERSONS = 10
"""Persons below which an interval is too narrow rather than too wide."""

Numbers = NDArray[np.float64]


def person_intervals(labels: Tensor, predicted: Tensor, persons: Tensor, classes: int) -> dict[str, Numbers]:
    """Returns the ends of 95% intervals of accuracy, (2,), and of precision, recall and f1 of each class, (2, C).

    By the percentile bootstrap (Efron, Annals of Statistics 1979): persons are drawn with replacement, each with all
    of their faces, always the same draws. A draw in which a figure has no face to be measured on counts for nothing in
    its interval. Not a number where nothing does, and of one person, who says nothing about others.

    Args:
        labels: int64 (N,).
        predicted: int64 (N,).
        persons: int64 (N,), equal where two faces are the same person's.
        classes: C.
    """
    there, place = np.unique(persons.numpy(), return_inverse=True)
    true, said = labels.numpy(), predicted.numpy()
    right, shape = true == said, (len(there), classes)
    counts = [np.zeros(shape) for _ in range(3)]  # of each person: hits, faces taken for the class, faces of the class
    for table, whose, which in zip(counts, (place[right], place, place), (true[right], said, true), strict=True):
        np.add.at(table, (whose, which), 1)
    table = np.concatenate(counts, axis=1)
    drawn = np.random.default_rng(SEED).integers
    size = len(there)
    sums = [np.bincount(drawn(size, size=size), minlength=size) @ table for _ in range(RESAMPLES if size > 1 else 0)]
    hits, made, of_class = np.reshape(sums, (-1, 3, classes)).swapaxes(0, 1)
    return {
        "accuracy": _ends(hits.sum(1), of_class.sum(1)),
        "precision": _ends(hits, made),
        "recall": _ends(hits, of_class),
        "f1": _ends(2 * hits, made + of_class),
    }


def few_persons(persons: Tensor | None) -> tuple[str, ...]:
    """Returns a sentence where there are so few that their intervals say too little; persons: int64 (N,)."""
    count = 0 if persons is None else len(persons.unique())
    if not 1 < count < FEW_PERSONS:
        return ()
    return (f"the faces of test are of {count} persons: intervals over so few are too narrow rather than too wide",)


def _ends(parts: Numbers, wholes: Numbers) -> Numbers:
    """Returns the 2.5th and the 97.5th percentile of the shares of all draws, along the first axis."""
    ends = np.full((2, *parts.shape[1:]), np.nan)
    if parts.ndim == 1:
        if len(parts):
            ends[:] = np.quantile(parts / wholes, (0.025, 0.975))
        return ends
    for column in range(parts.shape[1]):
        ends[:, column] = _ends(*(values[wholes[:, column] > 0, column] for values in (parts, wholes)))
    return ends
