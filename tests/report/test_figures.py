"""The table of a test says what the confusion matrix says."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from fer_lightning.report.figures import Results, wilson_interval
from fer_lightning.report.pictures import confusion_figure

NAMES = ("loss", "accuracy", "precision", "recall", "f1", "accuracy_low", "accuracy_high", "accuracy_new")
RESULTS = Results(
    metrics={f"test/{name}": 0.5 for name in NAMES},
    confusion=torch.tensor([[3, 1, 0, 0], [0, 2, 0, 0], [1, 1, 2, 0], [0, 0, 0, 0]]),
    class_names=("angry", "happy", "sad", "absent"),
)


def test_precision_recall_and_f1_of_each_class_are_those_worked_out_by_hand() -> None:
    table = RESULTS.per_class()
    assert table.loc["angry"].tolist() == pytest.approx([3 / 4, 3 / 4, 3 / 4, 4])
    assert table.loc["happy"].tolist() == pytest.approx([2 / 4, 2 / 2, 2 / 3, 2])
    assert table.loc["sad"].tolist() == pytest.approx([2 / 2, 2 / 4, 2 / 3, 4])


def test_a_class_that_is_neither_there_nor_predicted_has_no_figures() -> None:
    line = next(line for line in RESULTS.table().splitlines() if line.startswith("absent"))
    assert line.split() == ["absent", "–", "–", "–", "0"]


def test_what_is_written_is_what_was_measured(tmp_path: Path) -> None:
    path = RESULTS.write(tmp_path / "report", run="outputs/train/x")
    content = json.loads(path.read_text("utf-8"))
    assert content["test/accuracy"] == 0.5
    assert content["run"] == "outputs/train/x"
    assert content["classes"]["sad"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "faces": 4}
    assert content["classes"]["absent"]["f1"] is None
    assert content["confusion"] == RESULTS.confusion.tolist()


def test_the_confusion_picture_names_the_classes_and_shows_the_counts() -> None:
    axes = confusion_figure(RESULTS.confusion, RESULTS.class_names).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(RESULTS.class_names)
    shown = [text.get_text() for text in axes.texts]
    assert shown == [str(count) for count in RESULTS.confusion.flatten().tolist()]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(2282, 3589, 0.6199, 0.6514), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_the_copies_are_told_beside_the_accuracy_without_them() -> None:
    results = dataclasses.replace(RESULTS, copies=279, metrics=RESULTS.metrics | {"test/accuracy_new": 0.25})
    assert "without the 279 faces that are in train too 25.00%" in results.table()
    assert "in train too" not in RESULTS.table()
