"""Tests if two networks differ that were tested on the same faces."""

import math

import numpy as np
from numpy.typing import NDArray


def mcnemar(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Returns how likely two equally good networks are to differ so much or more (exact, two-sided).

    McNemar: Note on the sampling error of the difference between correlated proportions, Psychometrika 1947.
    """
    only, only_other = int((right & ~other).sum()), int((other & ~right).sum())
    differing, fewer = only + only_other, min(only, only_other)
    tail = sum(math.comb(differing, count) for count in range(fewer + 1))
    return float(min(1, 2 * tail / 2**differing))


def swapped_by_person(right: NDArray[np.bool_], other: NDArray[np.bool_], persons: NDArray[np.int64]) -> float:
    """Returns the same where some faces are of the same person, so that they are not independent (exact, two-sided).

    Fisher's randomisation test (The Design of Experiments, 1935), with persons as its units: were both networks equally
    good, each person's results could as well be those of the other network. The chance of a difference as large as the
    one found is taken over all ways of swapping persons. If each person has one face, this is McNemar's exact test.

    Args:
        right: of each face, whether one network has it right.
        other: whether the other has.
        persons: of each face, equal where two are the same person's.
    """
    _, whose = np.unique(persons, return_inverse=True)
    more = np.bincount(whose, right.astype(np.float64) - other).round().astype(np.int64)  # of each person
    chances = np.ones(1)  # of each sum over the persons so far, from -reach to reach
    for faces in np.abs(more[more != 0]).tolist():
        either = np.zeros(len(chances) + 2 * faces)
        either[: len(chances)] = chances / 2
        either[2 * faces :] += chances / 2
        chances = either
    reach = len(chances) // 2
    as_large = np.abs(np.arange(-reach, reach + 1)) >= abs(int(more.sum()))
    return float(min(1, chances[as_large].sum()))


def method_in_words(persons: NDArray[np.int64] | None) -> str:
    """Returns which of the two tests p is of, for persons that are known or not."""
    if persons is None:
        return "McNemar's test on the faces that only one of a pair has right."
    return (
        "By person, since faces of one person are alike: p is the chance of a difference as large, were each of the "
        f"{len(np.unique(persons)):,} persons' results swapped between the two by the toss of a coin (a randomisation "
        "test)."
    )
