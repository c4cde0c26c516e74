"""Charts draw the numbers that they are of: read from what is drawn."""

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from fer_lightning.callbacks.tensorboard_pictures import prediction_chart
from fer_lightning.data.chart_names import chart_names, numbers_in_words
from fer_lightning.report.calibrated import KNOWS_NOTHING, Calibrated
from fer_lightning.report.calibration_section import calibration_section
from fer_lightning.report.charts import (
    confusion_chart,
    per_class_chart,
    precision_recall_chart,
    reliability_chart,
    risk_coverage_chart,
)
from fer_lightning.report.face_charts import grad_cam_chart, kernels_chart, transformer_chart
from fer_lightning.report.page import Chart, Section
from fer_lightning.report.palette import BLUE, GREEN, VERMILION
from fer_lightning.report.predictions import BINS, Predictions
from fer_lightning.report.results import Results, wilson_interval
from fer_lightning.report.run_page import _faces
from fer_lightning.training.calibrate import ValLogits
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.risk_coverage import RiskCoverage
from tests.report.drawn import cells, points

CLASSES = ("angry", "happy", "sad")
CONFUSION = torch.tensor([[6, 3, 1], [0, 2, 0], [1, 1, 2]])


def predictions(labels: list[int], probabilities: list[list[float]]) -> Predictions:
    """Face n has pixels of n everywhere, and is in row n + 1."""
    count = len(labels)
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 48, 48)
    numbers = torch.arange(1, count + 1)
    parts = ("PublicTest",) * count
    return Predictions(images, torch.tensor(labels), torch.tensor(probabilities), numbers, parts, CLASSES)


def bars(axes: Axes, colour: str) -> list[tuple[float, float]]:
    """Middle and height."""
    drawn = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == colour]
    return [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in drawn]  # type: ignore[attr-defined]


def intervals(axes: Axes) -> list[list[tuple[float, float]]]:
    """Ends of the error bars, for each series of bars."""
    return [
        [(float(line[0, 1]), float(line[1, 1])) for line in container[2][0].get_segments()]
        for container in axes.containers
        if type(container).__name__ == "ErrorbarContainer"
    ]


def pixels(axes: Axes) -> Any:
    return axes.images[0].get_array()


def test_reliability_bars_are_the_share_that_is_right() -> None:
    # Confidences 0.95 (three of four right), 0.65 (one of two right) and 0.5 (a single face, which is right).
    sure, unsure, single = [0.95, 0.03, 0.02], [0.65, 0.3, 0.05], [0.5, 0.3, 0.2]
    figure = reliability_chart(predictions([0, 0, 0, 1, 0, 2, 0], [sure] * 4 + [unsure] * 2 + [single]))
    above, below = figure.axes
    places = [(np.floor(confidence * BINS) + 0.5) / BINS for confidence in (0.5, 0.65, 0.95)]
    assert bars(above, BLUE) == [pytest.approx(bar) for bar in zip(places, (1, 1 / 2, 3 / 4), strict=True)]
    assert intervals(above) == [[pytest.approx(wilson_interval(*of)) for of in ((1, 1), (1, 2), (3, 4))]]
    assert [bar for bar in bars(below, VERMILION) if bar[1]] == [
        pytest.approx(bar) for bar in zip(places, (1, 2, 4), strict=True)
    ]


def test_risk_coverage_curves_mark_where_a_label_is_unsure() -> None:
    test = RiskCoverage.of(torch.tensor([0.9, 0.8, 0.6, 0.4]), torch.tensor([True, True, False, True]))
    val = RiskCoverage.of(torch.tensor([0.7, 0.3]), torch.tensor([True, False]))
    (axes,) = risk_coverage_chart({"test": test, "val": val}, 0.5).axes
    of_test, point, of_val, val_point, _ = axes.get_lines()
    assert points(of_test).tolist() == [[1 / 4, 1], [2 / 4, 1], [3 / 4, pytest.approx(2 / 3)], [1, 3 / 4]]
    assert points(of_val).tolist() == [[1 / 2, 1], [1, 1 / 2]]
    assert points(point).tolist() == [[3 / 4, pytest.approx(2 / 3)]]
    assert points(val_point).tolist() == [[1 / 2, 1]]
    assert axes.get_legend_handles_labels()[1] == ["test", "val", "unsure below 50.0%"]
    (axes,) = risk_coverage_chart({"test": test}, 0.0).axes
    assert len(axes.get_lines()) == 1


def test_the_section_of_calibration_shows_before_and_after() -> None:
    before = predictions([0, 0, 0, 1], [[0.9, 0.05, 0.05]] * 4)
    after = predictions([0, 0, 0, 1], [[0.75, 0.15, 0.1]] * 4)
    calibrated = Calibrated(Calibration(1.5, 0.5), after, ValLogits(torch.eye(3), torch.tensor([0, 1, 1])))
    metrics = before.metrics() | calibrated.metrics()
    assert metrics["test/calibration_error"] == pytest.approx(0.15, abs=1e-6)
    assert metrics["test/calibration_error_calibrated"] == pytest.approx(0, abs=1e-6)
    assert (metrics["test/coverage"], metrics["test/accuracy_answered"]) == (1, 0.75)
    section = Section("Calibration")
    calibration_section(section, Results(metrics, CONFUSION, CLASSES, before, calibrated=calibrated))
    assert section.failures == []
    assert section.texts[0] == "Calibration error 15.0%, and 0.0% at the temperature 1.50."
    assert section.texts[1].startswith(
        "0.0% of the faces are unsure, below a confidence of 50.0%; of the others 75.00%"
    )
    assert section.texts[2].startswith("Fitted on 3 faces of val, ")
    assert [chart.alt for chart in section.charts] == [
        "accuracy over confidence, as the network gives them",
        "accuracy over confidence, at the temperature 1.50",
        "accuracy over the share of faces answered",
    ]


def test_a_network_that_knows_nothing_is_said_to() -> None:
    val = ValLogits(torch.linspace(0.1, 0.3, 90)[:, None] * torch.eye(3).repeat(30, 1), torch.tensor([1, 2, 0] * 30))
    guessed = predictions([1, 2, 0], [[0.35, 0.33, 0.32]] * 3)
    calibrated = Calibrated(Calibration(1.0, val.curve(1.0).unsure_below()), guessed, val)
    _, unsure, why = calibrated.sentences(guessed.metrics() | calibrated.metrics())
    assert unsure.startswith("100.0% of the faces are unsure")
    assert why == KNOWS_NOTHING
    _, unsure = dataclasses.replace(calibrated, val=None).sentences(guessed.metrics() | calibrated.metrics())
    assert unsure.startswith("100.0% of the faces are unsure")


def test_class_bars_are_precision_recall_and_f1() -> None:
    table = Results({}, CONFUSION, CLASSES, predictions([0], [[1, 0, 0]])).per_class()
    (axes,) = per_class_chart(table).axes
    for colour, values in (
        (BLUE, (6 / 7, 2 / 6, 2 / 3)),
        (VERMILION, (6 / 10, 2 / 2, 2 / 4)),
        (GREEN, (12 / 17, 4 / 8, 4 / 7)),
    ):
        assert [height for _, height in bars(axes, colour)] == pytest.approx(values)
    assert axes.get_legend_handles_labels()[1] == ["precision", "recall", "F1"]
    precision, recall, _ = intervals(axes)
    assert precision == [pytest.approx(wilson_interval(*of)) for of in ((6, 7), (2, 6), (2, 3))]
    assert recall == [pytest.approx(wilson_interval(*of)) for of in ((6, 10), (2, 2), (2, 4))]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["angry\n10", "happy\n2", "sad\n4"]


def test_confusion_shades_and_shares_are_of_the_true_class() -> None:
    axes = confusion_chart(CONFUSION, CLASSES, shares=True).axes[0]
    assert pixels(axes).tolist() == [[0.6, 0.3, 0.1], [0, 1, 0], [0.25, 0.25, 0.5]]
    assert [text.get_text() for text in axes.texts][:6] == ["60%", "30%", "10%", "0%", "100%", "0%"]
    assert [text.get_position() for text in axes.texts][:3] == [(0, 0), (1, 0), (2, 0)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def test_precision_recall_curves_go_over_recall() -> None:
    # Of angry, by falling probability: right, right, wrong, right. Nobody is sad.
    probabilities = [[p, 1 - p, 0] for p in (0.9, 0.8, 0.7, 0.6)]
    figure = precision_recall_chart(predictions([0, 0, 1, 0], probabilities))
    angry, happy = (axes for axes in figure.axes if axes.get_title())
    guess, curve = angry.get_lines()
    assert guess.get_ydata() == [0.75, 0.75]
    drawn = {(round(float(x), 4), round(float(y), 4)) for x, y in points(curve)}
    assert {(0.3333, 1), (0.6667, 1), (0.6667, 0.6667), (1, 0.75), (0, 1)} == drawn
    assert angry.get_title() == f"angry, average {(1 + 1 + 0.75) / 3:.2f}"
    assert happy.get_title() == "happy, average 0.50"
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("recall", "precision")


def test_a_face_is_titled_by_what_the_network_says() -> None:
    faces = predictions([0, 2], [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]])
    right, wrong = cells(prediction_chart(faces.images, faces.labels, faces.probabilities, CLASSES))
    assert (right.title, wrong.title) == ("angry 70%", "happy 60%\nis sad")
    assert [int(cell.images[0][0, 0]) for cell in (right, wrong)] == [0, 1]
    assert right.colour == "black" != wrong.colour


def test_grad_cam_has_right_faces_above_wrong_ones() -> None:
    faces = predictions([1, 1], [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    drawn = cells(grad_cam_chart(faces, [0, 1], torch.stack([torch.zeros(48, 48), torch.ones(48, 48)])))
    column = sorted(drawn, key=lambda cell: cell.place[1])
    assert {round(cell.place[0], 6) for cell in column} == {1.5 * 1.04}  # of the second class
    assert [int(cell.images[0][0, 0]) for cell in column] == [1, 1, 0, 0]
    assert [[float(image[0, 0]) for image in cell.images[1:]] for cell in column] == [[], [1], [], [0]]
    assert [cell.title for cell in column] == ["happy", "", "angry,\nlabelled happy", ""]


def test_a_transformers_face_is_above_with_its_box() -> None:
    images, warped = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    box = torch.tensor([[[0.0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]])
    figure = transformer_chart(images, warped, box, ["sad"])
    above, below = cells(figure)
    assert (float(above.images[0][0, 0]), float(below.images[0][0, 0])) == (0, 1)
    (line,) = figure.axes[0].get_lines()
    left, top, side = above.place
    np.testing.assert_allclose((points(line) - (left, top)) / side * 4 - 0.5, box[0], atol=1e-5)
    assert (above.title, below.title) == ("sad", "")
    assert below.place[1] > top + side


def test_kernels_are_the_means_over_their_input() -> None:
    kernels = torch.arange(3 * 2 * 2 * 2.0).reshape(3, 2, 2, 2)
    shown = [cell.images[0] for cell in cells(kernels_chart(kernels))]
    means = [(one[0] + one[1]) / 2 for one in kernels]
    for found, mean in zip(shown, means, strict=True):
        np.testing.assert_allclose(found, (mean - mean.min()) / (mean.max() - mean.min()), atol=1e-6)


def test_kernels_over_three_colours_are_shown_in_colour() -> None:
    kernels = torch.rand(2, 3, 5, 5)
    assert [cell.images[0].shape for cell in cells(kernels_chart(kernels))] == [(5, 5, 3)] * 2


def test_faces_are_sorted_as_their_headings_say() -> None:
    probabilities = [[0.9, 0.1, 0], [0.6, 0.4, 0], [0.05, 0.95, 0], [0.3, 0.7, 0], [0.1, 0.1, 0.8]]
    section = Section("Faces")
    _faces(section, predictions([0, 0, 0, 0, 2], probabilities))
    shown = {heading: [face.where.rpartition(" ")[2] for face in faces] for heading, faces in section.faces}
    assert shown == {
        "angry: surest right": ["1", "2"],
        "angry: surest wrong": ["3", "4"],
        "angry: least sure": ["2", "4", "1", "3"],
        "sad: surest right": ["5"],
        "sad: least sure": ["5"],
    }
    (suspects,) = section.tables
    assert [[shown for shown, _ in row] for row in suspects.rows] == [["3", "PublicTest", "angry", "happy", "95.0%"]]
    face = section.faces[1][1][0]
    assert (face.label, face.prediction) == ("angry", "happy")
    assert face.bars == [("happy", pytest.approx(0.95)), ("angry", pytest.approx(0.05)), ("sad", 0)]


def test_names_that_charts_cannot_show_are_numbered() -> None:
    names = ("happy", "concentrating very hard", "喜び", "سعادة", "грусть", "Ärger")
    assert chart_names(names) == ["happy", "2 concentra…", "3", "4", "грусть", "Ärger"]
    assert numbers_in_words(names) == [
        "In the pictures, 2 is concentrating very hard, 3 is 喜び, 4 is \u2068سعادة\u2069."
    ]
    assert numbers_in_words(CLASSES) == []


def test_eleven_classes_of_any_script_fit_on_the_page() -> None:
    names = tuple(f"{number} 喜び" for number in range(11))
    said = predictions([*range(11)] * 2, torch.eye(11).roll(1, 0).tolist() + torch.eye(11).tolist())
    said = dataclasses.replace(said, class_names=names)
    maps = torch.zeros(22, 48, 48)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of letters that its font has not
        figures = [
            grad_cam_chart(said, range(22), maps),
            confusion_chart(torch.eye(11, dtype=torch.int64), names),
            transformer_chart(torch.zeros(22, 1, 48, 48), maps[:, None], torch.zeros(22, 5, 2), chart_names(names * 2)),
            precision_recall_chart(said),
        ]
        for figure in figures:
            Chart.of(figure, "a chart")
    assert max(figure.get_figwidth() for figure in figures) <= 12.4  # 80 pixels each, of the page's 992
