"""Intervals are over persons where these are known: faces of one person are alike."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from fer_lightning.report.page import Section, write_page
from fer_lightning.report.person_intervals import METHOD, RESAMPLES, few_persons, person_intervals
from fer_lightning.report.predictions import Predictions
from fer_lightning.report.results import Results, wilson_interval
from fer_lightning.report.results_table import results_table
from fer_lightning.report.run_page import _classes, _summary
from fer_lightning.training.classifier import EmotionClassifier
from tests.browser import in_browser, needs_browser
from tests.report.test_results_table import cells, run

CLASSES = ("angry", "happy", "sad")
METRICS = ("loss", "accuracy", "precision", "recall", "f1", "top2_accuracy", "calibration_error")


def results_of(labels: torch.Tensor, predicted: torch.Tensor, persons: torch.Tensor, *notes: str) -> Results:
    """The results of these faces, as `Results.of` makes them."""
    count = len(labels)
    probabilities = torch.full((count, 3), 0.1).scatter_(1, predicted[:, None], 0.8)
    images = torch.zeros(count, 1, 48, 48, dtype=torch.uint8)
    said = Predictions(images, labels, probabilities, torch.arange(count), ("all",) * count, CLASSES, persons=persons)
    low, high = person_intervals(labels, predicted, persons, 3)["accuracy"].tolist()
    metrics = {f"test/{name}": 0.5 for name in METRICS} | {"test/accuracy_low": low, "test/accuracy_high": high}
    confusion = torch.zeros(3, 3, dtype=torch.int64)
    confusion.index_put_((labels, predicted), torch.ones(count, dtype=torch.int64), accumulate=True)
    return Results(metrics, confusion, CLASSES, said, "all", notes=notes)


def drawn(persons: int, faces: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels, predictions and persons: some persons are easy and some are hard."""
    generator = np.random.default_rng(seed)
    whose = np.repeat(np.arange(persons), faces)
    labels = generator.integers(0, 3, len(whose))
    right = generator.random(len(whose)) < np.repeat(generator.beta(2, 1, persons), faces)
    predicted = np.where(right, labels, (labels + generator.integers(1, 3, len(whose))) % 3)
    return torch.from_numpy(labels), torch.from_numpy(predicted), torch.from_numpy(whose) + 5


def test_accuracy_has_scipys_interval() -> None:
    labels, predicted, persons = drawn(25, 12)
    per_person = np.array([(labels == predicted)[persons == one].double().mean() for one in persons.unique()])
    theirs = stats.bootstrap(
        (per_person,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval  # of persons with as many faces each, the accuracy is the mean of theirs
    assert person_intervals(labels, predicted, persons, 3)["accuracy"] == pytest.approx([*theirs], abs=0.01)


def test_three_persons_have_the_interval_worked_out_by_hand() -> None:
    # All 27 draws of three persons who have 1 of 1, 1 of 3 and 0 of 2 right, each as likely as the others.
    labels = torch.tensor([0, 0, 0, 0, 0, 0])
    predicted = torch.tensor([0, 0, 1, 1, 1, 1])
    persons = torch.tensor([7, 8, 8, 8, 9, 9])
    draws = np.array(np.meshgrid(*[range(3)] * 3)).reshape(3, -1)
    hits, faces = np.array([1, 1, 0])[draws].sum(0), np.array([1, 3, 2])[draws].sum(0)
    exact = np.quantile(np.repeat(hits / faces, RESAMPLES), (0.025, 0.975))
    ends = person_intervals(labels, predicted, persons, 2)
    assert ends["accuracy"] == pytest.approx(exact)
    assert exact.tolist() == [0.0, 1.0]
    assert ends["recall"][:, 0] == pytest.approx(exact)
    assert ends["precision"][:, 0] == pytest.approx([1.0, 1.0])  # of draws in which any face is taken for it
    assert np.isnan(ends["recall"][:, 1]).all()


def test_each_face_its_own_person_is_about_wilsons() -> None:
    labels, predicted, _ = drawn(40, 20)
    ends = person_intervals(labels, predicted, torch.arange(800), 3)
    hits = labels == predicted
    assert ends["accuracy"] == pytest.approx(wilson_interval(int(hits.sum()), 800), abs=0.005)
    for label in range(3):
        recall = wilson_interval(int(hits[labels == label].sum()), int((labels == label).sum()))
        precision = wilson_interval(int(hits[predicted == label].sum()), int((predicted == label).sum()))
        assert ends["recall"][:, label] == pytest.approx(recall, abs=0.015)
        assert ends["precision"][:, label] == pytest.approx(precision, abs=0.015)


def test_faces_of_the_same_person_make_it_wider() -> None:
    labels, predicted, persons = drawn(40, 20)
    (low, high), wilsons = (
        person_intervals(labels, predicted, persons, 3)["accuracy"],
        wilson_interval(int((labels == predicted).sum()), 800),
    )
    assert high - low > 1.5 * (wilsons[1] - wilsons[0])


def test_intervals_are_the_same_each_time() -> None:
    one, other = (person_intervals(*drawn(10, 5), 3) for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_table_page_and_metrics_say_what_the_intervals_are_over(tmp_path: Path) -> None:
    results = results_of(*drawn(25, 12), "test shares 2 of its 25 persons with train")
    low, high = results.metrics["test/accuracy_low"], results.metrics["test/accuracy_high"]
    said = f"50.00% (95% interval over 25 persons {low:.1%} to {high:.1%})"
    assert said in results.table()
    assert results.table().splitlines()[-1] == "test shares 2 of its 25 persons with train"
    ends = person_intervals(*drawn(25, 12), 3)
    assert pytest.approx(ends["f1"]) == results.per_class()[["f1_low", "f1_high"]].to_numpy().T
    summary, classes = Section("Summary"), Section("Classes")
    _summary(summary, EmotionClassifier("deep_emotion"), results, {}, "faces")
    assert dict(summary.facts)["accuracy"] == said
    assert summary.texts == ["Test shares 2 of its 25 persons with train."]
    _classes(classes, results)
    assert classes.tables[0].columns.count("95% interval") == 3
    assert classes.tables[0].caption == "Each is a 95% interval over persons."
    assert classes.charts[0].caption == "With 95% intervals over persons."
    written = json.loads(results.write(tmp_path, {}).read_text("utf-8"))
    assert (written["interval"], written["test_persons"]) == (METHOD, 25)
    assert written["notes"] == ["test shares 2 of its 25 persons with train"]


def test_where_nobody_is_known_nothing_is_added(tmp_path: Path) -> None:
    known = results_of(*drawn(25, 12))
    unknown = dataclasses.replace(known, predictions=dataclasses.replace(known.predictions, persons=None))
    written = json.loads(unknown.write(tmp_path, {}).read_text("utf-8"))
    assert not {"interval", "test_persons", "notes"} & written.keys()
    assert "(95% interval " in unknown.table()
    hits = int(unknown.confusion[0, 0])
    row = unknown.per_class().loc["angry"]
    assert (row["recall_low"], row["recall_high"]) == wilson_interval(hits, int(unknown.confusion[0].sum()))


def test_one_person_has_no_interval(tmp_path: Path) -> None:
    results = results_of(*drawn(1, 30))
    assert "50.00% (of one person: no 95% interval over persons)" in results.table()
    assert json.loads(results.write(tmp_path, {}).read_text("utf-8"))["test/accuracy_low"] is None
    section = Section("Classes")
    _classes(section, results)
    assert all(row[2][0] == "–" for row in section.tables[0].rows)
    assert [chart.alt for chart in section.charts] == [
        "precision, recall and F1 of each class",
        "precision over recall of each class",
    ]


def test_the_table_of_runs_says_what_its_intervals_are_over(tmp_path: Path) -> None:
    (tmp_path / "persons").mkdir()
    over = run(tmp_path, "persons/a", interval=METHOD)
    (row,) = cells(results_table([over]))
    assert row["95% interval over persons (of one run)"] == "61.3% to 64.4%"
    run(tmp_path, "b", command="python train.py")
    found = {row["95% interval (of one run)"] for row in cells(results_table([tmp_path]))}
    assert found == {"61.3% to 64.4%", "61.3% to 64.4% over persons"}


@needs_browser
def test_the_table_of_the_classes_fits_on_the_page(tmp_path: Path) -> None:
    section = Section("Classes")
    results = results_of(*drawn(25, 12))
    _classes(section, dataclasses.replace(results, class_names=("sad", "surprise", "concentrating very hard")))
    write_page(tmp_path / "index.html", "Classes", [section])
    found, console = in_browser(tmp_path / "index.html", 1000)
    assert "CONSOLE" not in console
    assert (found["cut"], found["wide"], found["tooWide"]) == (0, 0, False)


@pytest.mark.parametrize(("count", "said"), [(1, False), (2, True), (9, True), (10, False)])
def test_intervals_over_few_persons_are_called_narrow(count: int, said: bool) -> None:
    notes = few_persons(torch.arange(20) % count)
    assert [f"are of {count} persons: intervals over so few are too narrow" in note for note in notes] == [True] * said
    assert few_persons(None) == ()
