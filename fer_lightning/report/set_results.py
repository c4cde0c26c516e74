"""The results of a network on each of several sets that it was tested on together."""

import math

import pandas as pd
import torch
from torch import Tensor

from fer_lightning.report.intervals import wilson_interval
from fer_lightning.report.person_intervals import person_intervals
from fer_lightning.report.predictions import Predictions

COLUMNS = ("faces", "accuracy", "accuracy_low", "accuracy_high", "f1")


def per_set(predictions: Predictions) -> pd.DataFrame:
    """Returns a row for each set: its test faces, the accuracy with the ends of its 95% interval, and the macro F1.

    Intervals are over persons in sets where these are known, and otherwise Wilson's. The macro F1 is over the classes
    that the set has or that its faces are taken for. No row for a set without test faces; none at all for one set.
    """
    rows = {}
    for name in dict.fromkeys(predictions.sets):
        here = torch.tensor([of_face == name for of_face in predictions.sets])
        labels, predicted = predictions.labels[here], predictions.predicted[here]
        persons = None if predictions.persons is None else predictions.persons[here]
        right = int((labels == predicted).sum())
        low, high = wilson_interval(right, len(labels))
        if persons is not None and bool((persons >= 0).all()):
            over = person_intervals(labels, predicted, persons, len(predictions.class_names))
            low, high = over["accuracy"].tolist()
        f1 = _macro_f1(labels, predicted, len(predictions.class_names))
        rows[name] = (len(labels), right / len(labels), low, high, f1)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    return table.astype({"faces": int})


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table of `per_set` as it is shown; – for the interval of one person, who says nothing of others."""
    rows = [
        {
            "set": str(name),
            "faces": f"{row['faces']:,.0f}",
            "accuracy": f"{row['accuracy']:.1%}",
            "95% interval": "–" if math.isnan(row["accuracy_low"]) else _ends(row),
            "macro F1": f"{row['f1']:.1%}",
        }
        for name, row in table.iterrows()
    ]
    return pd.DataFrame(rows)


def set_lines(table: pd.DataFrame) -> list[str]:
    """Returns the table of `per_set` as lines of a text; none for one set."""
    return in_words(table).to_string(index=False).splitlines() if len(table) else []


def _ends(row: "pd.Series[float]") -> str:
    return f"{row['accuracy_low']:.1%} to {row['accuracy_high']:.1%}"


def _macro_f1(labels: Tensor, predicted: Tensor, classes: int) -> float:
    there, made = torch.bincount(labels, minlength=classes), torch.bincount(predicted, minlength=classes)
    hits = torch.bincount(labels[labels == predicted], minlength=classes)
    f1 = 2 * hits.double() / (there + made)
    return float(f1[there + made > 0].mean())
