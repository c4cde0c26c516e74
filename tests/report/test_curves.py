"""The picture of a run's curves shows what its metrics.csv says."""

import pandas as pd
import pytest

from fer_lightning.report.curves import curves_chart, curves_of_runs
from tests.report.drawn import points

METRICS = pd.DataFrame(
    {
        "epoch": [None, 0, 0, None, 1, 1],
        "step": [0, 9, 9, 10, 19, 19],
        "lr-SGD/pg1": [0.1, None, None, 0.2, None, None],
        "lr-SGD/pg2": [0.1, None, None, 0.2, None, None],
        "train/loss": [None, 2.0, None, None, 1.0, None],
        "val/loss": [None, None, 1.5, None, None, 1.7],
        "train/accuracy": [None, 0.3, None, None, 0.6, None],
        "val/accuracy": [None, None, 0.4, None, None, 0.5],
        "train/images_per_second": [None, 900.0, None, None, 1100.0, None],
    }
)


def lines(axes: object) -> dict[str, list[tuple[float, float]]]:
    return {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in axes.get_lines()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("monitor", "best"), [("val/accuracy", 2.0), ("val/loss", 1.0)])
def test_each_epochs_figures_and_the_best_epoch_are_drawn(monitor: str, best: float) -> None:
    loss, accuracy, rates, speed = curves_chart(METRICS, monitor).axes
    assert lines(loss)["train"] == [(1, 2.0), (2, 1.0)]
    assert lines(loss)["val"] == [(1, 1.5), (2, 1.7)]
    assert lines(accuracy)["train"] == [(1, 0.3), (2, 0.6)]
    assert lines(accuracy)["val"] == [(1, 0.4), (2, 0.5)]
    assert list(lines(speed).values()) == [[(1, 900.0), (2, 1100.0)]]
    assert lines(accuracy)[f"best {monitor}"][0][0] == best
    (drawn,) = lines(rates).values()  # of both groups, whose rates are the same
    assert drawn == [(0, 0.1), (10, 0.2)]


def test_the_values_of_a_single_epoch_have_no_offset() -> None:
    close = METRICS[:3].copy()
    close.loc[1, "train/loss"], close.loc[2, "val/loss"] = 1.90121, 1.90124
    for figure in (curves_chart(close, "val/loss"), curves_of_runs({"run": close, "other": close + 1e-5})[0]):
        figure.draw_without_rendering()
        assert [axes.yaxis.get_offset_text().get_text() for axes in figure.axes] == [""] * len(figure.axes)


def test_the_curves_of_several_runs_are_those_of_val() -> None:
    figure, _, _ = curves_of_runs({"run": METRICS})
    loss, accuracy = figure.axes
    assert [points(line).tolist() for line in loss.get_lines()] == [[[1, 1.5], [2, 1.7]]]
    assert [points(line).tolist() for line in accuracy.get_lines()] == [[[1, 0.4], [2, 0.5]]]
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("val loss", "val accuracy")
