"""The table of a test says what the confusion matrix says."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from fer_lightning.data import FERDataModule
from fer_lightning.report.charts import confusion_chart, per_class_chart
from fer_lightning.report.page import Section
from fer_lightning.report.predictions import Predictions
from fer_lightning.report.results import Results, wilson_interval
from fer_lightning.report.run_page import _classes, _summary
from fer_lightning.training.classifier import EmotionClassifier
from tests.conftest import trainer

NAMES = ("loss", "accuracy", "precision", "recall", "f1", "accuracy_low", "accuracy_high", "accuracy_new")
CONFUSION = torch.tensor([[3, 1, 0, 0], [0, 2, 0, 0], [1, 1, 2, 0], [0, 0, 0, 0]])
CLASSES = ("angry", "happy", "sad", "absent")


def predictions() -> Predictions:
    """Those of CONFUSION, the ten faces in its order, all with probability 0.7."""
    pairs = [(true, said) for true in range(4) for said in range(4) for _ in range(int(CONFUSION[true, said]))]
    labels, predicted = torch.tensor(pairs).T
    probabilities = torch.full((10, 4), 0.1).scatter_(1, predicted[:, None], 0.7)
    images = torch.zeros(10, 1, 48, 48, dtype=torch.uint8)
    return Predictions(images, labels, probabilities, torch.arange(101, 111), ("PublicTest",) * 10, CLASSES)


RESULTS = Results({f"test/{name}": 0.5 for name in NAMES}, CONFUSION, CLASSES, predictions())


def test_precision_recall_and_f1_are_those_worked_out_by_hand() -> None:
    table = RESULTS.per_class()[["precision", "recall", "f1", "faces"]]
    assert list(table.loc["angry"]) == pytest.approx([3 / 4, 3 / 4, 3 / 4, 4])
    assert list(table.loc["happy"]) == pytest.approx([2 / 4, 2 / 2, 2 / 3, 2])
    assert list(table.loc["sad"]) == pytest.approx([2 / 2, 2 / 4, 2 / 3, 4])


def test_a_class_neither_there_nor_predicted_has_no_figures() -> None:
    line = next(line for line in RESULTS.table().splitlines() if line.startswith("absent"))
    assert line.split() == ["absent", "–", "–", "–", "0"]


def test_a_class_without_faces_has_no_recall(tmp_path: Path) -> None:
    confusion = torch.tensor([[3, 1, 0, 1], [0, 2, 0, 0], [1, 1, 2, 0], [0, 0, 0, 0]])  # one is taken for absent
    results = dataclasses.replace(RESULTS, confusion=confusion)
    line = next(line for line in results.table().splitlines() if line.startswith("absent"))
    assert line.split() == ["absent", "0.0%", "–", "0.0%", "0"]
    content = json.loads(results.write(tmp_path, {}).read_text("utf-8"))
    assert content["classes"]["absent"] == {"precision": 0.0, "recall": None, "f1": 0.0, "faces": 0}
    section = Section("Classes")
    _classes(section, results)
    assert [cell for cell, _ in section.tables[0].rows[3]][3:5] == ["–", "–"]
    texts = per_class_chart(results.per_class()).axes[0].texts
    assert [(text.get_text(), text.get_position()[0]) for text in texts] == [("–", 3)]


def test_what_is_written_is_what_was_measured(tmp_path: Path) -> None:
    path = RESULTS.write(tmp_path / "report", {"run": "outputs/train/x"})
    content = json.loads(path.read_text("utf-8"))
    assert content["test/accuracy"] == 0.5
    assert content["run"] == "outputs/train/x"
    assert content["classes"]["sad"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "faces": 4}
    assert content["classes"]["absent"]["f1"] is None
    assert content["confusion"] == RESULTS.confusion.tolist()


def test_precision_and_recall_have_wilsons_interval_f1_its_own() -> None:
    sad = RESULTS.per_class().loc["sad"]
    assert (sad["recall_low"], sad["recall_high"]) == pytest.approx(wilson_interval(2, 4))
    assert (sad["precision_low"], sad["precision_high"]) == pytest.approx(wilson_interval(2, 2))
    low, high = wilson_interval(2, 4)  # of the 4 faces that are sad or taken for it, 2 are both
    assert (sad["f1_low"], sad["f1_high"]) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_the_commonest_confusions_are_put_in_words() -> None:
    assert RESULTS.commonest_confusions(2) == [
        "1 of 4 angry faces (25%) are taken for happy.",
        "1 of 4 sad faces (25%) are taken for happy.",
    ]


def test_a_face_is_a_row_of_predictions_csv(tmp_path: Path) -> None:
    RESULTS.write_tables(tmp_path)
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table) == ["row", "split", "label", "prediction", "p_angry", "p_happy", "p_sad", "p_absent"]
    assert list(table.loc[3]) == [104, "PublicTest", "angry", "happy", 0.1, 0.7, 0.1, 0.1]
    of_images = dataclasses.replace(predictions(), files=tuple(f"test/{number}.png" for number in range(10)))
    assert list(of_images.table())[:4] == ["row", "split", "file", "label"]
    assert of_images.table().loc[3, "file"] == "test/3.png"
    counts = pd.read_csv(tmp_path / "confusion.csv", index_col="true")
    assert counts.loc["angry"].to_dict() == {"angry": 3, "happy": 1, "sad": 0, "absent": 0}
    per_class = pd.read_csv(tmp_path / "per_class.csv", index_col="class")
    assert per_class.loc["sad", "recall"] == 0.5


def test_top_two_and_calibration_error_are_as_worked_out_by_hand() -> None:
    sure = predictions()
    probabilities = torch.full((10, 4), 0.05).scatter_(1, sure.predicted[:, None], 0.7)
    second = [
        1,
        2,
        2,
        0,
        0,
        2,
        1,
        0,
        1,
        1,
    ]  # the true one of face 3 (an angry one taken for happy), of no other wrong one
    probabilities.scatter_(1, torch.tensor(second)[:, None], 0.2)
    figures = dataclasses.replace(sure, probabilities=probabilities).metrics()
    assert figures["test/top2_accuracy"] == pytest.approx(8 / 10)
    probabilities = torch.full((10, 4), 0.04).scatter_(1, sure.predicted[:, None], 0.88)
    figures = dataclasses.replace(sure, probabilities=probabilities).metrics()
    assert figures["test/calibration_error"] == pytest.approx(0.88 - 7 / 10, abs=1e-6)


def test_the_confusion_picture_names_classes_and_shows_counts() -> None:
    axes = confusion_chart(RESULTS.confusion, RESULTS.class_names).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(RESULTS.class_names)
    shown = [text.get_text() for text in axes.texts]
    assert shown == [str(count) for count in RESULTS.confusion.flatten().tolist()]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(2282, 3589, 0.6199, 0.6514), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_copies_are_reported_with_the_accuracy_without_them() -> None:
    results = dataclasses.replace(RESULTS, copies=279, metrics=RESULTS.metrics | {"test/accuracy_new": 0.25})
    assert "without the 279 faces that are in train too 25.00%" in results.table()
    assert "in train too" not in RESULTS.table()


@pytest.fixture(scope="module")
def tested(few_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, FERDataModule]:
    """Of a network that has learnt nothing; the first half of test counts as known."""
    torch.manual_seed(0)
    data = FERDataModule(few_faces)
    data.setup()
    known = torch.arange(len(data.rows["test"])) < 12
    data.also_in_train["test"] = known
    model = EmotionClassifier("deep_emotion")
    assert data.faces is not None
    images = (data.faces.images[data.rows["test"]] / 255 - data.mean[0]) / data.std[0]
    with torch.no_grad():  # else it takes all faces for one class
        list(model.net.parameters())[-1].sub_(model.net.eval()(images).mean(0))
    lightning = trainer(tmp_path_factory.mktemp("tested"), use_distributed_sampler=False)
    lightning.test(model, data, verbose=False)
    return Results.of(model, lightning), data


def test_the_figures_are_those_of_the_predictions(tested: tuple[Results, FERDataModule]) -> None:
    results, data = tested
    assert data.faces is not None
    said, rows = results.predictions, data.rows["test"]
    assert torch.equal(said.labels, data.faces.labels[rows])
    assert torch.equal(said.numbers, data.faces.numbers[rows])
    assert len(said.predicted.unique()) > 2
    right, known = said.right.double(), data.also_in_train["test"]
    metrics = results.metrics
    assert metrics["test/accuracy"] == pytest.approx(float(right.mean()))
    assert metrics["test/accuracy_new"] == pytest.approx(float(right[~known].mean())) != metrics["test/accuracy"]
    assert results.copies == int(known.sum())
    hits = int(right.sum())
    assert (metrics["test/accuracy_low"], metrics["test/accuracy_high"]) == wilson_interval(hits, len(rows))
    pairs = torch.stack([said.labels, said.predicted], 1).tolist()
    assert results.confusion.tolist() == [[pairs.count([true, guess]) for guess in range(7)] for true in range(7)]
    for name in ("precision", "recall", "f1"):
        assert metrics[f"test/{name}"] == pytest.approx(results.per_class()[name].mean())


def test_the_summary_and_the_table_of_classes_say_the_same(tested: tuple[Results, FERDataModule]) -> None:
    results, _ = tested
    metrics = {"test/accuracy_flip": 0.25, "test/accuracy_new": 0.125, "test/precision": 0.1, "test/recall": 0.2}
    results = dataclasses.replace(results, metrics=results.metrics | metrics | {"test/f1": 0.3})
    section = Section("Summary")
    _summary(section, EmotionClassifier("deep_emotion"), results, {"minutes": 1.25, "val/accuracy": 0.5}, "faces.csv")
    facts = dict(section.facts)
    assert facts["accuracy"].startswith(f"{results.metrics['test/accuracy']:.2%} (95% interval ")
    assert facts["with flip averaging"] == "25.00%"
    assert facts["without copies of training faces"] == "12.50%"
    assert facts["macro precision, recall, F1"] == "10.0%, 20.0%, 30.0%"
    assert facts["network"] == "DeepEmotion, 66,877 parameters"
    assert (facts["minutes"], facts["val/accuracy"], facts["data"]) == ("1.2", "50.00%", "faces.csv")
    assert "10.0% 20.0% 30.0%" in " ".join(results.table().split())
    _classes(section, RESULTS)
    shown = [[cell for cell, _ in row] for row in section.tables[0].rows]
    assert shown[2] == ["sad", "100.0%", "34% to 100%", "50.0%", "15% to 85%", "66.7%", "26% to 92%", "4"]
    assert section.tables[0].columns[1::2] == ["precision", "recall", "F1", "faces"]
    assert shown[3] == ["absent", *["–"] * 6, "0"]
