"""The gate: an exported network is compared with the one it was made from, and refused where it answers otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_lightning.errors import ConfigError
from fer_lightning.use.known_faces import KnownFaces
from fer_lightning.use.measured import paired_difference

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

BATCHES = (1, 2, 64)
"""Faces in a call: a batch size that is frozen into an export shows at another."""

FEW_FACES = 32
"""Faces that are tried in the small batches; in the largest, all are."""


@dataclass(frozen=True)
class Tolerance:
    """How far an export may be from its network.

    labels: share of the faces that must get the same label.
    probabilities: the largest difference of any probability.
    accuracy: by how much it may fall, where the faces' labels are known.
    between_batches: the largest difference of any probability from the same face's in a batch of another size.
    """

    labels: float = 0.999
    probabilities: float = 1e-4
    accuracy: float = 1.0
    between_batches: float = 1e-4


SAME = Tolerance()
"""For float32: rounding alone."""

COMPACT = Tolerance(labels=0.99, probabilities=1.0, accuracy=0.005)
"""For weights that are stored in fewer bits."""

INT8 = Tolerance(labels=0.9, probabilities=1.0, accuracy=0.005, between_batches=0.01)
"""For arithmetic in int8, which changes the labels of faces that were close calls, for the better or the worse."""


@dataclass(frozen=True)
class Comparison:
    """What a comparison of an export with its network came to."""

    faces: str  # which
    count: int
    same_labels: float  # share
    difference: float  # the largest of any probability, over all batch sizes; not a number if one is none
    accuracy: tuple[float, float] | None  # of the network and of its export; None for faces without labels
    change: tuple[float, float, float] | None = None  # of the accuracy, with the ends of its 95% interval; likewise
    between_batches: float = 0.0  # the largest difference of an answer in a small batch from that in a large one

    def problems(self, tolerance: Tolerance) -> list[str]:
        """Returns in which ways it is worse than the tolerance; none where it passes."""
        found = []
        if not self.same_labels >= tolerance.labels:
            found.append(f"{self.same_labels:.2%} of the labels agree, and {tolerance.labels:.1%} must")
        if not self.difference <= tolerance.probabilities:
            found.append(f"a probability differs by {self.difference:.2g}, and may by {tolerance.probabilities:g}")
        if not self.between_batches <= tolerance.between_batches:
            found.append(
                f"a probability differs by {self.between_batches:.2g} between batches of one size and of another, and "
                f"may by {tolerance.between_batches:g}"
            )
        if self.accuracy and self.accuracy[0] - self.accuracy[1] > tolerance.accuracy:
            found.append(
                f"accuracy falls from {self.accuracy[0]:.2%} to {self.accuracy[1]:.2%}, and may fall by "
                f"{100 * tolerance.accuracy:g} points{self._interval()}"
            )
        return found

    def __str__(self) -> str:
        accuracy = ""
        if self.accuracy:
            accuracy = f", accuracy {self.accuracy[0]:.2%} before and {self.accuracy[1]:.2%} after"
            accuracy += self._interval()
        return (
            f"compared on {self.count:,} faces, {self.faces}, in batches of {', '.join(map(str, BATCHES))}: "
            f"{self.same_labels:.2%} of the labels agree, largest difference {self.difference:.2g}{accuracy}"
        )

    def _interval(self) -> str:
        """Returns the 95% interval of the change, where there is one."""
        if not self.change or self.same_labels == 1:
            return ""
        change, low, high = (100 * value for value in self.change)
        return f" (a change of {change:+.2f} points, 95% interval {low:+.2f} to {high:+.2f})"


def compared(reference: Probabilities, exported: Probabilities, faces: KnownFaces) -> Comparison:
    """Compares an export with its network at every batch size.

    Raises:
        ConfigError: it does not run, or returns something of another shape.
    """
    expected = _in_calls(reference, faces.images, BATCHES[-1])
    answers = {}
    for batch in BATCHES:
        images = faces.images if batch == BATCHES[-1] else faces.images[:FEW_FACES]
        try:
            answers[batch] = _in_calls(exported, images, batch)
        except Exception as error:  # whatever a runtime raises
            raise ConfigError(f"the export does not run on a batch of {batch}: {str(error)[:300]}") from error
        if answers[batch].shape != expected[: len(images)].shape:
            wanted = expected[: len(images)].shape
            raise ConfigError(f"the export gives {answers[batch].shape} on batches of {batch}, not {wanted}")
    found = answers[BATCHES[-1]]
    difference, between_batches = (
        float(np.max([np.abs(answer - other[: len(answer)]).max() for answer in answers.values()]))
        for other in (expected, found)
    )
    same_labels = float((found.argmax(1) == expected.argmax(1)).mean())
    accuracy = change = None
    if faces.labels is not None:
        before, after = (each.argmax(1) == faces.labels for each in (expected, found))
        accuracy, change = (float(before.mean()), float(after.mean())), paired_difference(after, before)
    return Comparison(faces.what, len(expected), same_labels, difference, accuracy, change, between_batches)


def _in_calls(probabilities: Probabilities, images: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    return np.concatenate([probabilities(images[start : start + batch]) for start in range(0, len(images), batch)])
