"""The table of a sweep: best job first, whichever way the monitored metric is better."""

import json
from pathlib import Path

import pytest

from fer_lightning.report.sweep import sweep_table


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
