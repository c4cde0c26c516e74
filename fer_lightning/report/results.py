"""The results of a tested network: a table to read and metrics.json to keep."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import lightning as L
import pandas as pd
import torch
from torch import Tensor

from fer_lightning.data.chart_names import isolated
from fer_lightning.data.tables import write_table
from fer_lightning.files import written_whole
from fer_lightning.report.calibrated import Calibrated
from fer_lightning.report.intervals import wilson_interval as wilson_interval
from fer_lightning.report.metrics_json import METRICS_FORMAT, as_json
from fer_lightning.report.person_intervals import METHOD, Numbers, few_persons, person_intervals
from fer_lightning.report.predictions import Predictions
from fer_lightning.report.set_results import per_set, set_lines
from fer_lightning.report.train_copies import TrainCopies
from fer_lightning.training.calibrate import ValLogits
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.metrics import METRICS


@dataclass(frozen=True)
class Results:
    """Results on the test split.

    metrics: test/loss, test/accuracy and the macro averages test/precision, test/recall, test/f1; those of
        `Predictions.metrics` and `Calibrated.metrics`; and with test/accuracy: the ends of its 95% interval, …_low and
        …_high; …_flip, with flip averaging, where it is without any itself; …_new, over the faces that are not
        byte-identical with a training face, and …_without_near, over those that are not near copies of one either, if
        there are any.
    confusion: int64 (C, C), true class by predicted class.
    notes: sentences on persons that the network knew before it was tested on them.
    calibrated: the predictions with calibrated probabilities; all other results are of the network's own.

    Intervals are over persons where these are known, see `person_intervals`, and otherwise Wilson's over faces.
    """

    metrics: dict[str, float]
    confusion: Tensor
    class_names: tuple[str, ...]
    predictions: Predictions
    faces_of: str = ""  # the part of the source that was measured
    copies: int | None = 0  # how many of the faces are byte-identical with a training face; None if not known
    notes: tuple[str, ...] = ()
    calibrated: Calibrated | None = None
    near_copies: int | None = None  # how many are near copies of one, or byte-identical; None if that is not known
    train_copies: TrainCopies | None = None  # which ones

    @classmethod
    def of(cls, model: EmotionClassifier, trainer: L.Trainer, val: ValLogits | None = None) -> "Results":
        """Returns what `trainer.test(model)` has just measured; val is what its calibration was just fitted on."""
        metrics = {f"test/{name}": float(trainer.callback_metrics[f"test/{name}"]) for name in METRICS}
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        predictions = Predictions.of(model, trainer)
        calibrated = Calibrated.of(model, predictions, val)
        metrics |= predictions.metrics() | calibrated.metrics()
        right = predictions.right
        copies = TrainCopies.of(datamodule, predictions)
        knows_train = len(datamodule.trained_on) > 0  # which an exported file does not
        metrics |= copies.metrics(right) if knows_train else {}
        metrics["test/accuracy_low"], metrics["test/accuracy_high"] = wilson_interval(int(right.sum()), len(right))
        if predictions.persons is not None:
            ends = _over_persons(predictions)["accuracy"].tolist()
            metrics["test/accuracy_low"], metrics["test/accuracy_high"] = ends
        if model.tta == "none":
            metrics["test/accuracy_flip"] = float(model.test_flip_accuracy.compute())
        confusion = model.test_confusion.compute().cpu()
        return cls(
            metrics,
            confusion,
            model.class_names,
            predictions,
            faces_of=datamodule.origins["test"],
            copies=int(copies.exact.sum()) if knows_train else None,
            notes=(*datamodule.notes, *few_persons(predictions.persons), *copies.notes()),
            calibrated=calibrated,
            near_copies=None if copies.near is None else int(copies.near.sum()),
            train_copies=copies,
        )

    @property
    def persons(self) -> int | None:
        """Returns the number of persons in the test split, None if they are not known."""
        persons = self.predictions.persons
        return None if persons is None else len(persons[persons >= 0].unique())

    @property
    def interval(self) -> str:
        """Returns the name of the intervals."""
        return "95% interval" if self.persons is None else "95% interval over persons"

    def accuracy_in_words(self) -> str:
        """Returns the accuracy with its interval."""
        accuracy, low, high = (self.metrics[f"test/accuracy{end}"] for end in ("", "_low", "_high"))
        persons = self.predictions.persons
        others = 0 if persons is None else int((persons < 0).sum())  # of sets that do not know their persons
        if self.persons == 1 and not others:
            return f"{accuracy:.2%} (of one person: no {self.interval})"
        over = "" if self.persons is None else f" over {self.persons:,} persons"
        over += f" and {others:,} faces of unknown persons" if others else ""
        return f"{accuracy:.2%} (95% interval{over} {low:.1%} to {high:.1%})"

    def per_class(self) -> pd.DataFrame:
        """Returns precision, recall and F1 of each class, with the ends of their 95% intervals, and its test faces.

        Not a number is the recall of a class without test faces, and all of one that is not predicted either, which
        the macro averages leave out.
        """
        matrix = self.confusion.numpy()
        hits, predicted, faces = (values.tolist() for values in (matrix.diagonal(), matrix.sum(0), matrix.sum(1)))
        rows = []
        for hit, made, there in zip(hits, predicted, faces, strict=True):
            if made + there == 0:
                rows.append([math.nan] * 9)
                continue
            recall = hit / there if there else math.nan
            row = [hit / max(made, 1), *_ends(hit, made), recall, *_ends(hit, there)]
            rows.append([*row, 2 * hit / (made + there), *_f1_ends(hit, made + there - hit)])
        columns = [f"{name}{end}" for name in ("precision", "recall", "f1") for end in ("", "_low", "_high")]
        table = pd.DataFrame(rows, index=pd.Index(self.class_names), columns=columns).assign(faces=faces)
        if self.persons is not None:
            for name in ("precision", "recall", "f1"):
                table[f"{name}_low"], table[f"{name}_high"] = self._person_intervals[name]
        return table

    @cached_property
    def _person_intervals(self) -> dict[str, Numbers]:
        return _over_persons(self.predictions)

    def commonest_confusions(self, shown: int = 3) -> list[str]:
        """Returns them in words, most faces first."""
        wrong = self.confusion.clone().fill_diagonal_(0)
        sentences = []
        for place in wrong.flatten().topk(shown).indices.tolist():
            true, predicted = divmod(place, len(self.class_names))
            if count := int(wrong[true, predicted]):
                faces = int(self.confusion[true].sum())
                name, other = isolated(self.class_names[true]), isolated(self.class_names[predicted])
                sentences.append(f"{count:,} of {faces:,} {name} faces ({count / faces:.0%}) are taken for {other}.")
        return sentences

    def table(self) -> str:
        """Returns a text: all classes, their macro average and the accuracy over all faces."""
        table = self.per_class()[["precision", "recall", "f1", "faces"]]
        macro = [self.metrics[f"test/{name}"] for name in ("precision", "recall", "f1")]
        table.loc["macro average"] = [*macro, float(table["faces"].sum())]
        percent = dict.fromkeys(("precision", "recall", "f1"), "{:.1%}".format)
        lines = table.to_string(formatters={**percent, "faces": "{:,.0f}".format}, na_rep="–").splitlines()
        rule = "-" * len(lines[0])
        shown = ["", f"Test split: {self.faces_of}", rule, *lines[:-1], rule, lines[-1], rule, *self._accuracies()]
        return "\n".join(shown)

    def _accuracies(self) -> list[str]:
        m = self.metrics
        lines = [f"accuracy {self.accuracy_in_words()}   loss {m['test/loss']:.4f}"]
        if "test/accuracy_flip" in m:
            lines.append(f"with flip averaging {m['test/accuracy_flip']:.2%}")
        if self.copies and "test/accuracy_new" in m:
            lines.append(f"without the {self.copies:,} faces that are in train too {m['test/accuracy_new']:.2%}")
        if self.near_copies and "test/accuracy_without_near" in m:
            near = f"without the {self.near_copies:,} that are in train too or look like a face there"
            lines.append(f"{near} {m['test/accuracy_without_near']:.2%}")
        lines += set_lines(per_set(self.predictions))
        lines += self.calibrated.sentences(m) if self.calibrated else []
        return [*lines, *self.notes]

    def write(self, folder: Path, more: Mapping[str, object]) -> Path:
        """Writes metrics.json: metrics, also by class, confusion matrix, and what more is given; null for NaN."""
        content = {
            "format_version": METRICS_FORMAT,
            **self.metrics,
            **more,
            "test_split": self.faces_of,
            "copies_in_train": self.copies,
            **({} if self.near_copies is None else {"near_copies_in_train": self.near_copies}),
            **({} if self.persons is None else {"interval": METHOD, "test_persons": self.persons}),
            **({"sets": _by_name(per_set(self.predictions))} if self.predictions.sets else {}),
            **({"notes": list(self.notes)} if self.notes else {}),
            **({"calibration": self.calibrated.as_json()} if self.calibrated else {}),
            "classes": _by_name(self.per_class()[["precision", "recall", "f1", "faces"]]),
            "confusion": self.confusion.to(torch.int64).tolist(),
        }
        path = folder / "metrics.json"
        with written_whole(path) as unfinished:
            unfinished.write_text(as_json(content), "utf-8")
        return path

    def write_tables(self, folder: Path) -> None:
        """Writes predictions.csv, per_class.csv (as `per_class`), confusion.csv (true class by predicted class) and,
        if copies are known, copies_in_train.csv.
        """
        self.predictions.write(folder)
        if self.train_copies is not None:
            self.train_copies.write(folder, self.predictions)
        write_table(self.per_class(), folder / "per_class.csv", "class", float_format="%.6f")
        names = list(self.class_names)
        write_table(pd.DataFrame(self.confusion.tolist(), names, names), folder / "confusion.csv", "true")


def _by_name(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    content: dict[str, dict[str, float | None]] = json.loads(table.to_json(orient="index", double_precision=15))
    return content


def _over_persons(predictions: Predictions) -> dict[str, Numbers]:
    assert predictions.persons is not None
    return person_intervals(
        predictions.labels, predictions.predicted, predictions.persons, len(predictions.class_names)
    )


def _ends(hits: int, count: int) -> tuple[float, float]:
    return wilson_interval(hits, count) if count else (math.nan, math.nan)


def _f1_ends(hits: int, made_or_there: int) -> tuple[float, float]:
    """Returns the interval of F1 = 2J/(1+J): J is the share of hits among faces of the class or taken for it."""
    return tuple(2 * end / (1 + end) for end in _ends(hits, made_or_there))  # type: ignore[return-value]
