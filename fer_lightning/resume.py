"""python train.py resume=RUN_DIR: a run that was stopped goes on in its own folder, by its own config."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.loggers import CSVLogger
from omegaconf import DictConfig, OmegaConf

from fer_lightning.build import Experiment
from fer_lightning.checkpoints import LastCheckpoint, newest_whole
from fer_lightning.command_line import ConfigError
from fer_lightning.data import FERDataModule
from fer_lightning.metrics_csv import continue_csv
from fer_lightning.processes import process_rank
from fer_lightning.run_config import refuse_foreign, run_config

log = logging.getLogger(__name__)

MAY_CHANGE = ("resume", "trainer.max_epochs", "data.path")


@dataclass(frozen=True)
class StoppedRun:
    """A run that goes on: its config, and where it stands.

    `checkpoint` is None if it was stopped before there was one: then it begins anew.
    """

    config: DictConfig
    checkpoint: Path | None
    state: dict[str, Any]

    @classmethod
    def of(cls, cfg: DictConfig, overrides: list[str]) -> "StoppedRun":
        """
        Args:
            cfg: what this command composes to, with cfg.resume.
            overrides: what was typed; only what is in `MAY_CHANGE`.

        Raises:
            ConfigError: another override, a config that names foreign code, no usable checkpoint, a run that is
                finished, fewer epochs than it has had.
        """
        given = {override.partition("=")[0].lstrip("+~") for override in overrides}
        _refuse_other_changes(given)
        run_dir = Path(str(cfg.resume)).expanduser()
        run = run_config(run_dir)
        if run.get("instead"):
            raise ConfigError(f"resume={cfg.resume} is of debug=…: there is no training in it to go on with")
        refuse_foreign(run)
        checkpoint, state = _state(run_dir)
        if checkpoint is None and any(run_dir.glob("checkpoints/*.ckpt")):
            raise ConfigError(
                f"{run_dir} holds no checkpoint to go on from: last.ckpt and the one before it are damaged or missing. "
                f"Start anew with what {run_dir / '.hydra' / 'overrides.yaml'} says"
            )
        if checkpoint:
            of_last = state["callbacks"][LastCheckpoint.__name__]
            tested = of_last["finished"] and (run_dir / "report" / "metrics.json").exists()
            if tested and "trainer.max_epochs" not in given:
                raise ConfigError(
                    f"resume={cfg.resume}: that run is finished, after {state['epoch']} epochs. To train on, give more "
                    f"with trainer.max_epochs=…; to test it again: python test.py run_dir={cfg.resume}"
                )
            _take_from_checkpoint(run, state)
            _find_weights(run, run_dir)
        if "data.path" in given:
            run.data.path = cfg.data.path
        if "trainer.max_epochs" in given:
            epochs, done = cfg.trainer.max_epochs, state.get("epoch", 0)
            if isinstance(epochs, int) and 0 <= epochs < done:
                raise ConfigError(f"trainer.max_epochs is {epochs}, but the run has trained for {done} already")
            run.trainer.max_epochs = epochs
        return cls(run, checkpoint, state)

    @classmethod
    def of_job(cls, cfg: DictConfig, run_dir: Path) -> "StoppedRun | None":
        """Of a sweep's job, in the folder where the same job was stopped; None if there is nothing to go on from."""
        checkpoint, state = _state(run_dir)
        if checkpoint is None:
            return None
        run = cfg.copy()
        _take_from_checkpoint(run, state)
        return cls(run, checkpoint, state)

    @property
    def seconds(self) -> float:
        """Of training, until it was stopped."""
        return float(self.state["callbacks"][LastCheckpoint.__name__]["seconds"]) if self.checkpoint else 0.0

    def take_up(self, experiment: Experiment) -> None:
        """Puts an experiment made from the config where the run was stopped, as far as Lightning does not.

        Raises:
            ConfigError: the data is not what the run was trained on.
        """
        if self.checkpoint is None:
            log.info("the run was stopped before its first checkpoint: it begins anew")
            return
        known, found = self.state[FERDataModule.__name__]["trained_on"], experiment.datamodule.trained_on
        if not torch.equal(known, found):
            raise ConfigError(
                f"{experiment.datamodule.source} is not what this run was trained on: of its {len(known):,} training "
                f"faces {int(torch.isin(known, found).sum()):,} are there. Give the same data with data.path=…"
            )
        log.info("going on from %s: epoch %d, step %d", self.checkpoint, self.state["epoch"], self.state["global_step"])
        if process_rank() == 0:
            for unfinished in self.checkpoint.parent.glob(".*.tmp"):  # of a process that was killed while it wrote
                unfinished.unlink()
        for logger in experiment.trainer.loggers:
            if isinstance(logger, CSVLogger) and process_rank() == 0:
                continue_csv(logger, self.state["global_step"])


def _refuse_other_changes(given: set[str]) -> None:
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise ConfigError("resume goes on with one run: leave out -m, and sweep=…")
    if other := sorted(given - set(MAY_CHANGE)):
        raise ConfigError(
            f"{other[0]} is given with resume: a resumed run keeps its own config, and only "
            f"{' and '.join(MAY_CHANGE[1:])} can be changed. For another config start a new run"
        )


def _state(run_dir: Path) -> tuple[Path | None, dict[str, Any]]:
    """The checkpoint to go on from and what is in it; None and nothing where there is none that is whole."""
    found = newest_whole(run_dir / "checkpoints")
    if found is None:
        return None, {}
    checkpoint, state = found
    of_last = state.get("callbacks", {}).get(LastCheckpoint.__name__)
    if of_last is None:
        raise ConfigError(f"{checkpoint} was made by an older version of this program: it cannot be resumed")
    for name, kind in {"epoch": int, "global_step": int, "seconds": float, "finished": bool, "max_epochs": int}.items():
        value = (of_last if name in of_last else state).get(name)
        # What goes into the config must not be a node, or a text that becomes one.
        if not (isinstance(value, kind) or (name == "max_epochs" and value is None)):
            raise ConfigError(f"{checkpoint} is not a checkpoint of this program: its {name} is {value!r}")
    return checkpoint, state


def _take_from_checkpoint(run: DictConfig, state: dict[str, Any]) -> None:
    """Sets in a run's config what is not as it was when the run began."""
    run.trainer.max_epochs = state["callbacks"][LastCheckpoint.__name__]["max_epochs"]  # raised once before
    if not isinstance(run.data.path, DictConfig):  # of demo faces: they are drawn again if they are gone
        run.data.path = state[FERDataModule.__name__]["source"]  # wherever this is called from
    if run.data.get("votes"):
        run.data.votes.path = state[FERDataModule.__name__]["votes"]
    if run.logger and "tensorboard" in run.logger:  # without what was written after the checkpoint
        OmegaConf.update(run, "logger.tensorboard.purge_step", state["global_step"], force_add=True)


def _find_weights(run: DictConfig, run_dir: Path) -> None:
    """A path relative to where the run was started."""
    if weights := run.model.get("weights_path"):
        started = OmegaConf.load(run_dir / ".hydra" / "hydra.yaml").hydra.runtime.cwd
        run.model.weights_path = str(Path(started) / Path(weights).expanduser())
