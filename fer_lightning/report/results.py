"""The figures of a tested network: a table to read and metrics.json to keep."""

import json
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import pandas as pd
import torch
from torch import Tensor

from fer_lightning.classifier import METRICS, EmotionClassifier


@dataclass(frozen=True)
class Results:
    """Figures on the test split.

    metrics: test/loss, test/accuracy and the macro averages test/precision, test/recall, test/f1.
    confusion: int64 (C, C), true class by predicted class.
    """

    metrics: dict[str, float]
    confusion: Tensor
    class_names: tuple[str, ...]
    faces_of: str = ""  # the part of the source that was measured

    @classmethod
    def of(cls, model: EmotionClassifier, trainer: L.Trainer) -> "Results":
        """What `trainer.test(model)` has just measured."""
        metrics = {f"test/{name}": float(trainer.callback_metrics[f"test/{name}"]) for name in METRICS}
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        return cls(metrics, model.test_confusion.compute().cpu(), model.class_names, datamodule.origins["test"])

    def per_class(self) -> pd.DataFrame:
        """precision, recall and F1 of each class, and its number of test faces.

        Not a number for a class that is neither there nor predicted: the macro averages leave it out.
        """
        hits = self.confusion.diagonal().double()
        predicted, faces = self.confusion.sum(0), self.confusion.sum(1)
        precision, recall = hits / predicted.clamp(min=1), hits / faces.clamp(min=1)
        f1 = 2 * hits / (predicted + faces)
        columns = {"precision": precision.where(~f1.isnan(), f1), "recall": recall.where(~f1.isnan(), f1), "f1": f1}
        table = pd.DataFrame(
            {name: values.tolist() for name, values in columns.items()}, index=pd.Index(self.class_names)
        )
        return table.assign(faces=faces.tolist())

    def table(self) -> str:
        """All classes, their macro average and the accuracy over all faces."""
        table = self.per_class()
        macro = [self.metrics[f"test/{name}"] for name in ("precision", "recall", "f1")]
        table.loc["macro average"] = [*macro, float(table["faces"].sum())]
        percent = dict.fromkeys(("precision", "recall", "f1"), "{:.1%}".format)
        lines = table.to_string(formatters={**percent, "faces": "{:,.0f}".format}, na_rep="–").splitlines()
        rule = "-" * len(lines[0])
        accuracy = f"accuracy {self.metrics['test/accuracy']:.2%}   loss {self.metrics['test/loss']:.4f}"
        return "\n".join(["", f"Test split: {self.faces_of}", rule, *lines[:-1], rule, lines[-1], rule, accuracy])

    def write(self, folder: Path, **more: object) -> Path:
        """folder/metrics.json: the metrics, each class's, the confusion matrix, and what else is given."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            **self.metrics,
            **more,
            "test_split": self.faces_of,
            "classes": json.loads(self.per_class().to_json(orient="index", double_precision=15)),
            "confusion": self.confusion.to(torch.int64).tolist(),
        }
        path = folder / "metrics.json"
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        return path
