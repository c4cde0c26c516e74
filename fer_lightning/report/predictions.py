"""The predictions of a tested network for each face: predictions.csv, and the metrics that need the probabilities."""

from dataclasses import dataclass
from pathlib import Path

import lightning as L
import pandas as pd
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from fer_lightning.data.tables import write_table
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.transforms.pixels import ImageStore, chosen_images

BINS = 15
"""Bins of confidence, for the calibration error (Guo et al., ICML 2017) and the reliability diagram."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions for N faces and C classes, in the order of the test split."""

    images: ImageStore  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,)
    probabilities: Tensor  # float32 (N, C)
    numbers: Tensor  # int64 (N,), of the face's row in its source, from 1
    parts: tuple[str, ...]  # of the source, one a face
    class_names: tuple[str, ...]
    files: tuple[str, ...] = ()  # of a folder of images: one a face, below what data.path names
    persons: Tensor | None = None  # int64 (N,), as in `Faces`; None if unknown
    sets: tuple[str, ...] = ()  # of several sets: the name of each face's

    @classmethod
    def of(cls, model: EmotionClassifier, trainer: L.Trainer) -> "Predictions":
        """Returns what `trainer.test(model)` has just made."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        probabilities = torch.cat(model.tested).exp().cpu()
        faces, rows = datamodule.faces, datamodule.rows["test"][: len(probabilities)]
        persons = None if faces.persons is None else faces.persons[rows]
        parts = tuple(faces.part_names[part] for part in faces.parts[rows].tolist())
        return cls(
            images=chosen_images(faces.images, rows),
            labels=faces.labels[rows],
            probabilities=probabilities,
            numbers=faces.numbers[rows],
            parts=parts,
            class_names=model.class_names,
            files=tuple(faces.files[row] for row in rows.tolist()) if faces.files else (),
            persons=None if persons is None or bool((persons < 0).all()) else persons,
            sets=() if faces.sets is None else tuple(faces.set_names[i] for i in faces.sets[rows].tolist()),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> Tensor:
        """Returns the likeliest class, int64 (N,)."""
        return self.probabilities.argmax(1)

    @property
    def confidence(self) -> Tensor:
        """Returns the probability of the likeliest class, float32 (N,)."""
        return self.probabilities.amax(1)

    @property
    def right(self) -> Tensor:
        """Returns whether the likeliest class is the true one, bool (N,)."""
        return self.predicted == self.labels

    def metrics(self) -> dict[str, float]:
        """Returns test/top2_accuracy and test/calibration_error.

        The former: the true class is one of the likeliest two. The latter: see `calibration_error`.
        """
        count = len(self.class_names)
        top2 = multiclass_accuracy(self.probabilities, self.labels, count, average="micro", top_k=2)
        return {
            "test/top2_accuracy": float(top2),
            "test/calibration_error": calibration_error(self.probabilities, self.labels),
        }

    def table(self) -> pd.DataFrame:
        """Returns a row for each face: row (in the source, from 1), split (of it), label, prediction, each p_<class>.

        Of a folder of images also file, after split; of several sets also set, before row, which is a row of that set;
        where persons are known, person: a number for each of them.
        """
        names = pd.Series(self.class_names)
        columns = {
            **({"set": self.sets} if self.sets else {}),
            "row": self.numbers.tolist(),
            "split": self.parts,
            **({"file": self.files} if self.files else {}),
            **({} if self.persons is None else {"person": self.persons.tolist()}),
            "label": names[self.labels.tolist()].to_numpy(),
            "prediction": names[self.predicted.tolist()].to_numpy(),
        }
        columns |= {f"p_{name}": self.probabilities[:, place].tolist() for place, name in enumerate(self.class_names)}
        return pd.DataFrame(columns)

    def where(self, row: int) -> str:
        """Returns where a face is in its source."""
        set_name = f"{self.sets[row]}, " if self.sets else ""
        return f"{set_name}{self.parts[row]}, row {int(self.numbers[row]):,}"

    def write(self, folder: Path) -> Path:
        """Writes folder/predictions.csv."""
        path = folder / "predictions.csv"
        write_table(self.table(), path, float_format="%.6f")
        return path


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Returns how far confidence and accuracy are apart, as a mean over bins of confidence weighted by their faces.

    It is the "expected" error of Guo et al., of probabilities float32 (N, C) and labels int64 (N,).
    """
    return float(multiclass_calibration_error(probabilities, labels, probabilities.shape[1], n_bins=BINS))
