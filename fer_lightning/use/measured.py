"""Measures a network on faces with labels: accuracy, also by class, and how far its probabilities can be believed."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_f1_score

from fer_lightning.errors import ConfigError
from fer_lightning.report.intervals import wilson_interval
from fer_lightning.report.predictions import calibration_error
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.card import Card
from fer_lightning.use.known_faces import KnownFaces
from fer_lightning.use.network import Network


@dataclass(frozen=True, eq=False)
class Measured:
    """The answers of a network on N faces with labels."""

    faces: KnownFaces
    card: Card
    probabilities: NDArray[np.float32]  # (N, K)

    @property
    def labels(self) -> NDArray[np.int64]:
        assert self.faces.labels is not None
        return self.faces.labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Returns for which faces the most probable class is the true one, (N,)."""
        return cast(NDArray[np.bool_], self.probabilities.argmax(1) == self.labels)

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    def accuracy_in_words(self) -> str:
        """Returns it with its 95% interval."""
        return _with_interval(int(self.right.sum()), len(self.right))

    @property
    def f1(self) -> float:
        """Returns the mean of the classes' F1."""
        probabilities, labels = torch.from_numpy(self.probabilities), torch.from_numpy(self.labels)
        return float(multiclass_f1_score(probabilities, labels, len(self.card.class_names), average="macro"))

    @property
    def calibration_error(self) -> float:
        """Returns how far confidence and accuracy are apart: see `report.predictions.calibration_error`."""
        return calibration_error(torch.from_numpy(self.probabilities), torch.from_numpy(self.labels))

    def answered(self) -> tuple[float, float]:
        """Returns the share of the faces that are not "unsure", and the accuracy on these; NaN where there is none."""
        sure = self.probabilities.max(1) >= self.card.unsure_below
        return float(sure.mean()), float(self.right[sure].mean()) if sure.any() else math.nan

    def rows(self) -> list[dict[str, str]]:
        """Returns the lines of a table: of each class, its faces, recall and precision with 95% intervals."""
        predicted, rows = self.probabilities.argmax(1), []
        for place, name in enumerate(self.card.class_names):
            there, made = self.labels == place, predicted == place
            hits = int((there & made).sum())
            rows.append(
                {
                    "class": name,
                    "faces": f"{int(there.sum()):,}",
                    "of these, recognised": _with_interval(hits, int(there.sum())),
                    "of those called so, right": _with_interval(hits, int(made.sum())),
                }
            )
        return rows


def measured(network: Network, faces: KnownFaces) -> Measured:
    """Returns the answers of a network on faces with labels, as it would take these.

    Raises:
        ConfigError: there are no faces.
    """
    card = network.card
    if not len(faces.images) or faces.labels is None:
        raise ConfigError(f"{faces.what}: there are no faces with labels to measure {card.name} on")
    images = faces.images
    if images.shape[1:] != (card.channels, card.size, card.size):
        to_pixels = PixelFormat(card.size, card.channels, card.fit)
        images = np.stack([to_pixels(image[0] if len(image) == 1 else image.transpose(1, 2, 0)) for image in images])
    return Measured(faces, card, network.probabilities(images))


def paired_difference(new: NDArray[np.bool_], old: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Returns by how much accuracy differs on the same faces, and the ends of its 95% interval.

    By the normal approximation for paired shares (Agresti, Categorical Data Analysis, 10.1): only the faces on which
    the two differ count.
    """
    won, lost, count = int((new & ~old).sum()), int((old & ~new).sum()), len(new)
    difference = (won - lost) / count
    half = 1.96 * math.sqrt(max(won + lost - (won - lost) ** 2 / count, 0)) / count
    return difference, difference - half, difference + half


def _with_interval(hits: int, count: int) -> str:
    if not count:
        return "–"
    low, high = wilson_interval(hits, count)
    return f"{hits / count:.1%} ({low:.1%} to {high:.1%})"
