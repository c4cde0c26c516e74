"""Test faces that are copies of training faces, to the byte or nearly: copies_in_train.csv, and what they are worth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fer_lightning.data import FERDataModule
from fer_lightning.data.near_pairs import FAR, nearest
from fer_lightning.data.tables import write_table
from fer_lightning.report.predictions import Predictions

MANY = 1 / 4
"""Share of near copies above which the report says that its figures are not those of new faces."""


@dataclass(frozen=True, eq=False)
class TrainCopies:
    """Which of N test faces are copies of faces that the network has learnt from."""

    exact: Tensor  # bool (N,)
    distances: Tensor | None = None  # uint8 (N,), from the nearest training face, FAR if none is near; None if unknown

    @classmethod
    def of(cls, data: FERDataModule, predictions: Predictions) -> "TrainCopies":
        exact = data.also_in_train["test"][: len(predictions)]
        if data.train_hashes is None:
            return cls(exact)
        distances = torch.from_numpy(nearest(predictions.images, data.train_hashes, shown=True))
        return cls(exact, torch.where(exact, 0, distances))

    @property
    def near(self) -> Tensor | None:
        """Returns which faces are near copies or exact ones, bool (N,); None if that is not known."""
        return None if self.distances is None else self.distances < FAR

    def metrics(self, right: Tensor) -> dict[str, float]:
        """Returns the accuracy over the faces that are none, where there are any.

        Args:
            right: whether each face is recognised, bool (N,).
        """
        left_out = {"new": self.exact, "without_near": self.near}
        return {
            f"test/accuracy_{name}": float(right[~copied].double().mean())
            for name, copied in left_out.items()
            if copied is not None and not copied.all()
        }

    def notes(self) -> tuple[str, ...]:
        """Returns a sentence if the figures say little of new faces, since too many are near copies."""
        if self.near is None or self.near.sum() <= MANY * len(self.near):
            return ()
        count, exact = int(self.near.sum()), int(self.exact.sum())
        return (
            f"{count:,} of the {len(self.near):,} faces of test are copies or near copies of faces that the network "
            f"learns from ({exact:,} exact): the accuracy says little about new faces",
        )

    def write(self, folder: Path, predictions: Predictions) -> None:
        """Writes folder/copies_in_train.csv: the rows of predictions.csv that are copies, and how near."""
        copied = self.exact if self.near is None else self.near
        rows = copied.nonzero().flatten().tolist()
        table = predictions.table().iloc[rows].filter(["row", "split", "file", "label", "prediction"])
        table["copy"] = np.where(self.exact[rows].numpy(), "exact", "near")
        distances = self.exact.new_zeros(len(self.exact)) if self.distances is None else self.distances
        table["bits"] = distances[rows].int().tolist()
        write_table(table, folder / "copies_in_train.csv")
