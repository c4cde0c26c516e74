"""The folder of a refused command goes, and nothing else ever does."""

from pathlib import Path

import pytest
from conftest import Compose
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, read_write

from fer_lightning.command_line import ConfigError
from fer_lightning.run_folder import gone_if_refused


def refused(cfg: DictConfig, run: Path, mode: RunMode, *files: str) -> bool:
    """Whether the folder, with these files, is gone after a refusal."""
    hydra = HydraConfig.get()
    with read_write(hydra):
        hydra.mode, hydra.job.name = mode, "train"
    for file in files:
        (run / file).parent.mkdir(parents=True, exist_ok=True)
        (run / file).write_text("")
    with pytest.raises(ConfigError), gone_if_refused(cfg):
        raise ConfigError("optimizer.lr is abc")
    return not run.exists()


STARTED = (".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log")


def test_a_folder_that_only_hydra_has_written_to_is_gone(composed: Compose, tmp_path: Path) -> None:
    assert refused(composed(), tmp_path / "run", RunMode.RUN, *STARTED)


@pytest.mark.parametrize("other", ["checkpoints/last.ckpt", "notes.txt", ".hydra/mine.yaml"])
def test_a_folder_with_anything_else_stays(other: str, composed: Compose, tmp_path: Path) -> None:
    assert not refused(composed(), tmp_path / "run", RunMode.RUN, *STARTED, other)
    assert (tmp_path / "run" / "train.log").exists()


def test_the_folder_of_a_job_of_a_stopped_run_or_one_that_was_named_stays(composed: Compose, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert not refused(composed(), run, RunMode.MULTIRUN, *STARTED)
    cfg = composed()
    cfg.resume = "outputs/train/x"
    assert not refused(cfg, run, RunMode.RUN, *STARTED)
    cfg = composed()
    with read_write(HydraConfig.get()):
        HydraConfig.get().overrides.hydra.append("hydra.run.dir=here")
    assert not refused(cfg, run, RunMode.RUN, *STARTED)
