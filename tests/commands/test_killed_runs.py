"""A kill while something is written loses nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_lightning.callbacks.checkpoints import newest_whole
from fer_lightning.callbacks.metrics_csv import MetricsCsv
from tests.conftest import Compose
from tests.runs import nightly
from tests.stopped_runs import (
    BASE,
    EVERYTHING,
    Killed,
    assert_same,
    fitted,
    left_behind,
    resuming,
    run_folder,
)


def test_run_killed_before_its_first_checkpoint_starts_again(
    composed: Compose, tmp_path: Path, few_faces: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}", "trainer.max_epochs=1")
    curves = tmp_path / "run/metrics.csv"
    curves.write_text("of_the_killed_run,step\n1.0,0\n")
    with caplog.at_level("INFO"):
        fitted(resuming(cfg, tmp_path / "run"))
    assert "it starts again from the beginning" in caplog.text
    assert newest_whole(tmp_path / "run/checkpoints")
    assert "train/loss" in (text := curves.read_text())
    assert "of_the_killed_run" not in text


KILLS = [("fsync", 2), ("replace", 5)]
OTHER_KILLS = [("fsync", 5), ("replace", 2)]


@pytest.mark.parametrize("kills", [KILLS, *nightly(OTHER_KILLS)], ids=["two", "two others"])
def test_a_kill_while_a_checkpoint_is_written_changes_nothing(
    kills: list[tuple[str, int]], composed: Compose, tmp_path: Path, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*BASE, *EVERYTHING, f"data.path={few_faces}", "trainer.max_epochs=2")
    fitted(run_folder(composed, tmp_path, "whole", *options))
    expected = left_behind(tmp_path / "whole")
    for call, number in kills:
        name = f"{call}{number}"
        cfg = run_folder(composed, tmp_path, name, *options)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, killing_at(number, getattr(os, call)))
            with pytest.raises(Killed):
                fitted(cfg)
        fitted(resuming(cfg, tmp_path / name))
        assert_same(left_behind(tmp_path / name), expected, name)


def killing_at(number: int, call: Callable[..., None]) -> Callable[..., None]:
    """Returns a function that does what `call` does, until the n-th time."""
    begun = iter(range(1, 100))

    def killed(*arguments: Any) -> None:
        if next(begun) == number:
            raise Killed
        call(*arguments)

    return killed


def test_a_kill_while_the_curves_get_a_new_column_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: object) -> None:
        raise Killed

    logger = MetricsCsv(tmp_path, "", "")
    logger.log_metrics({"loss": 2.0}, 0)
    logger.save()
    before = (tmp_path / "metrics.csv").read_text()
    logger.log_metrics({"loss": 1.0, "accuracy": 0.5}, 1)
    with monkeypatch.context() as patch:
        patch.setattr("csv.DictWriter.writerows", killed)
        with pytest.raises(Killed):
            logger.save()
    assert (tmp_path / "metrics.csv").read_text() == before
