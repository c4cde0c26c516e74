"""The picture of a run's curves shows what its metrics.csv says."""

import pandas as pd
import pytest

from fer_lightning.report.curves import curves_figure

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
    }
)


def lines(axes: object) -> dict[str, list[tuple[float, float]]]:
    return {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in axes.get_lines()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("monitor", "best"), [("val/accuracy", 2.0), ("val/loss", 1.0)])
def test_each_epochs_figures_and_the_best_epoch_are_drawn(monitor: str, best: float) -> None:
    loss, accuracy, rates, _ = curves_figure(METRICS, monitor).axes
    assert lines(loss)["train"] == [(1, 2.0), (2, 1.0)]
    assert lines(loss)["val"] == [(1, 1.5), (2, 1.7)]
    assert lines(accuracy)["val"] == [(1, 0.4), (2, 0.5)]
    assert lines(accuracy)[f"best {monitor}"][0][0] == best
    (drawn,) = lines(rates).values()  # of both groups, whose rates are the same
    assert drawn == [(0, 0.1), (10, 0.2)]
