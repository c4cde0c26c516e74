"""The figures of a tested network: a table to read and metrics.json to keep."""

import json
import math
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

    metrics: test/loss, test/accuracy and the macro averages test/precision, test/recall, test/f1; and beside
        test/accuracy: the ends of its 95% interval, …_low and …_high; …_flip, with flip averaging, where it is without
        any itself; …_new, over the faces that are not byte-identical with a training face.
    confusion: int64 (C, C), true class by predicted class.
    """

    metrics: dict[str, float]
    confusion: Tensor
    class_names: tuple[str, ...]
    faces_of: str = ""  # the part of the source that was measured
    copies: int = 0  # how many of the faces are byte-identical with a training face

    @classmethod
    def of(cls, model: EmotionClassifier, trainer: L.Trainer) -> "Results":
        """What `trainer.test(model)` has just measured."""
        metrics = {f"test/{name}": float(trainer.callback_metrics[f"test/{name}"]) for name in METRICS}
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        predicted = torch.cat(model.tested).argmax(1).cpu()
        right = predicted == datamodule.faces.labels[datamodule.rows["test"]][: len(predicted)]
        new = ~datamodule.also_in_train["test"][: len(predicted)]
        metrics["test/accuracy_low"], metrics["test/accuracy_high"] = wilson_interval(int(right.sum()), len(right))
        metrics["test/accuracy_new"] = float(right[new].double().mean())
        if model.tta == "none":
            metrics["test/accuracy_flip"] = float(model.test_flip_accuracy.compute())
        confusion = model.test_confusion.compute().cpu()
        return cls(metrics, confusion, model.class_names, datamodule.origins["test"], int((~new).sum()))

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
        shown = ["", f"Test split: {self.faces_of}", rule, *lines[:-1], rule, lines[-1], rule, *self._accuracies()]
        return "\n".join(shown)

    def _accuracies(self) -> list[str]:
        m = self.metrics
        low, high = m["test/accuracy_low"], m["test/accuracy_high"]
        lines = [
            f"accuracy {m['test/accuracy']:.2%} (95% interval {low:.1%} to {high:.1%})   loss {m['test/loss']:.4f}"
        ]
        if "test/accuracy_flip" in m:
            lines.append(f"with flip averaging {m['test/accuracy_flip']:.2%}")
        if self.copies:
            lines.append(f"without the {self.copies:,} faces that are in train too {m['test/accuracy_new']:.2%}")
        return lines

    def write(self, folder: Path, **more: object) -> Path:
        """folder/metrics.json: the metrics, each class's, the confusion matrix, and what else is given."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            **self.metrics,
            **more,
            "test_split": self.faces_of,
            "copies_in_train": self.copies,
            "classes": json.loads(self.per_class().to_json(orient="index", double_precision=15)),
            "confusion": self.confusion.to(torch.int64).tolist(),
        }
        path = folder / "metrics.json"
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        return path


def wilson_interval(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Where the true share lies with 95% confidence if hits of count are right (Wilson, JASA 1927)."""
    if count == 0:
        return 0.0, 1.0
    share, spread = hits / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
