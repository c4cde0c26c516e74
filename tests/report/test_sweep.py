"""The table of a sweep: best job first, whichever way the monitored metric is better."""

import json
from pathlib import Path

import pytest

from fer_lightning.report.sweep import mean_table, sweep_table


def job(sweep: Path, number: int, monitor: str, score: float | None, error: str = "") -> None:
    folder = sweep / str(number)
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(f"- optimizer.lr={number}\n- model=resnet18\n")
    if score is not None:
        (folder / "report").mkdir()
        metrics = {monitor: score, "test/accuracy": 0.5, "test/f1": 0.4, "minutes": 1.0}
        (folder / "report" / "metrics.json").write_text(json.dumps(metrics))
    if error:
        (folder / "error.txt").write_text(error)


@pytest.mark.parametrize(("monitor", "order"), [("val/accuracy", [10, 2, 0, 1, 3]), ("val/loss", [0, 2, 10, 1, 3])])
def test_jobs_are_sorted_by_score_and_those_without_one_come_last(
    monitor: str, order: list[int], tmp_path: Path
) -> None:
    for number, score in ((0, 0.1), (2, 0.5), (10, 0.9)):
        job(tmp_path, number, monitor, score)
    job(tmp_path, 1, monitor, None, "ConfigError: data: val_fraction is 1.5\nand more")
    job(tmp_path, 3, monitor, None)
    (tmp_path / "tensorboard").mkdir()
    table = sweep_table(tmp_path, monitor)
    assert table["job"].tolist() == order
    assert table.columns.tolist() == [
        "job", "model", "optimizer.lr", monitor, "test/accuracy", "test/f1", "minutes", "error",
    ]  # fmt: skip
    assert table["error"].tolist()[3:] == ["ConfigError: data: val_fraction is 1.5", "ended without a result"]
    assert table["optimizer.lr"].tolist() == [str(number) for number in order]


def test_repeats_over_seeds_and_folds_are_averaged_and_failures_left_out(tmp_path: Path) -> None:
    for number, (lr, seed, score) in enumerate([(1, 0, 0.5), (1, 1, 0.7), (2, 0, 0.9), (2, 1, None)]):
        job(tmp_path, number, "val/accuracy", score, "" if score else "ConfigError: no")
        (tmp_path / str(number) / ".hydra" / "overrides.yaml").write_text(f"- optimizer.lr={lr}\n- seed={seed}\n")
    means = mean_table(sweep_table(tmp_path, "val/accuracy"), "val/accuracy")
    assert means is not None
    assert means[["optimizer.lr", "jobs"]].to_numpy().tolist() == [["2", 1], ["1", 2]]
    assert means["val/accuracy"].tolist() == pytest.approx([0.9, 0.6])
    assert means["val/accuracy ±"].iloc[1] == pytest.approx(0.02**0.5)


def test_a_sweep_without_repeats_has_no_means(tmp_path: Path) -> None:
    job(tmp_path, 0, "val/accuracy", 0.5)
    assert mean_table(sweep_table(tmp_path, "val/accuracy"), "val/accuracy") is None
