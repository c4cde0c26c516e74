"""Commands behind `| head`, whose output nobody reads any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_lightning.config.closed_output import UNREAD
from fer_lightning.use.streams import READER_GONE
from tests.conftest import Command
from tests.runs import SHORT
from tests.scripts import REPOSITORY


def test_help_behind_head_ends_without_a_word() -> None:
    command = [sys.executable, str(REPOSITORY / "train.py"), "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(240) == READER_GONE
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_training_that_nobody_reads_goes_on_to_its_end(few_faces: Path, run_in: Command, tmp_path: Path) -> None:
    options = (*SHORT, f"data.path={few_faces}", "trainer.max_epochs=1", "callbacks.pictures=null")
    result = run_in(tmp_path, "train.py", *options, "hydra.run.dir=run", before=_nobody_reads)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [UNREAD]
    assert (tmp_path / "run" / "report" / "metrics.json").is_file()
    assert "test again" in (tmp_path / "run" / "train.log").read_text("utf-8")


@pytest.mark.nightly
def test_a_sweep_that_nobody_reads_goes_on_to_its_end(few_faces: Path, run_in: Command, tmp_path: Path) -> None:
    options = (*SHORT, f"data.path={few_faces}", "trainer.max_epochs=1", "callbacks.pictures=null")
    result = run_in(tmp_path, "train.py", "-m", *options, "seed=0,1", "hydra.sweep.dir=sweep", before=_nobody_reads)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [UNREAD]
    assert len([*tmp_path.glob("sweep/*/report/metrics.json")]) == 2


def _nobody_reads() -> None:
    """Leaves the process what a shell does behind `| head -1`: an output whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, sys.stdout.fileno())


def test_a_log_that_nobody_reads_any_more_is_reported_once() -> None:
    script = (
        "import logging; from fer_lightning.config.closed_output import Console; import sys;"
        "logging.basicConfig(level=20, handlers=[Console(sys.stdout)]); [logging.info('line') for _ in range(9)]"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(240) == 0
        assert process.stderr is not None
        assert process.stderr.read().splitlines() == [UNREAD]
