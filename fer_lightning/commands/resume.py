"""python train.py resume=RUN_DIR: a run that was stopped goes on in its own folder, by its own config."""

import logging
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from fer_lightning.callbacks.checkpoints import newest_whole
from fer_lightning.callbacks.metrics_csv import MetricsCsv
from fer_lightning.commands.failures import in_one_message
from fer_lightning.config.build import Experiment
from fer_lightning.config.data_paths import path_keys, set_places, with_own_entries
from fer_lightning.config.hydra_files import literal_text
from fer_lightning.config.model import model_config
from fer_lightning.config.own_modules import command_on_run
from fer_lightning.config.run_config import refuse_foreign, run_config
from fer_lightning.config.run_places import keep_to_own_folder
from fer_lightning.config.typed_command import override
from fer_lightning.data import FERDataModule
from fer_lightning.data.faces import EMOTIONS
from fer_lightning.errors import ConfigError
from fer_lightning.processes import process_rank
from fer_lightning.report.run_yaml import hydra_value
from fer_lightning.training.checkpoint_content import (
    CheckpointContent,
    DataState,
    HyperParameters,
    validated,
    validated_content,
)
from fer_lightning.training.fitting import refuse_unfitting_weights
from fer_lightning.training.stopped_state import StoppedState

log = logging.getLogger(__name__)

MAY_CHANGE = ("resume", "trainer.max_epochs", "data.path")


@dataclass(frozen=True)
class StoppedRun:
    """A run that goes on: its config, and where it stands.

    `checkpoint` is None if it was stopped before there was one: then it begins again.
    """

    config: DictConfig
    checkpoint: Path | None
    state: StoppedState | None

    @classmethod
    def of(cls, cfg: DictConfig, overrides: list[str]) -> "StoppedRun":
        """Returns the run that a command names.

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
        if OmegaConf.to_container(run, resolve=False).get("action"):  # type: ignore[union-attr]
            raise ConfigError(f"resume={cfg.resume} is of debug=…: there is no training in it to go on with")
        checkpoint, state, content = _state(run_dir)
        if state is None and any(run_dir.glob("checkpoints/*.ckpt")):
            raise ConfigError(
                f"{run_dir} holds no checkpoint to go on from: last.ckpt and the one before it are damaged or missing. "
                f"Start a new run with what {run_dir / '.hydra' / 'overrides.yaml'} says"
            )
        refuse_foreign(run)
        _complete_paths(run, run_dir)
        _refuse_other_network(run, content)
        if taken_out := keep_to_own_folder(run, run_dir):
            log.warning("a run that goes on does without %s of its config", ", ".join(taken_out))
        if state:
            tested = state.callbacks.last.finished and (run_dir / "report" / "metrics.json").exists()
            if tested and "trainer.max_epochs" not in given:
                raise ConfigError(
                    f"resume={cfg.resume}: that run is finished, after {state.epoch} epochs. To train on, give more "
                    f"with trainer.max_epochs=…; to test it again: "
                    f"{command_on_run('test.py', override('run_dir', run_dir))}"
                )
            _take_from_checkpoint(run, state)
        if "data.path" in given:
            run.data.path = with_own_entries(run.data.path, cfg.data.path)
        if "trainer.max_epochs" in given:
            epochs, done = cfg.trainer.max_epochs, state.epoch if state else 0
            if isinstance(epochs, int) and 0 <= epochs < done:
                raise ConfigError(f"trainer.max_epochs is {epochs}, but the run has trained for {done} already")
            run.trainer.max_epochs = epochs
        return cls(run, checkpoint, state)

    @classmethod
    def of_job(cls, cfg: DictConfig, run_dir: Path) -> "StoppedRun | None":
        """Returns a sweep's job as it was stopped in this folder; None if there is nothing to go on from."""
        checkpoint, state, _ = _state(run_dir)
        if state is None:
            return None
        run = cfg.copy()
        _take_from_checkpoint(run, state)
        return cls(run, checkpoint, state)

    @property
    def seconds(self) -> float:
        """Returns how long it had trained when it was stopped."""
        return self.state.callbacks.last.seconds if self.state else 0.0

    def take_up(self, experiment: Experiment) -> None:
        """Puts an experiment made from the config where the run was stopped, as far as Lightning does not.

        Raises:
            ConfigError: the data is not what the run was trained on.
        """
        if self.checkpoint is None or self.state is None:
            log.info("the run was stopped before its first checkpoint: it starts again from the beginning")
            return
        if differ := _differing(self.state.data, experiment.datamodule):
            raise ConfigError(
                f"{experiment.datamodule.source} is not what this run was trained on: {differ}. Give the same data "
                f"with data.path=…, or start a new run on this one"
            )
        log.info("going on from %s: epoch %d, step %d", self.checkpoint, self.state.epoch, self.state.global_step)
        if process_rank() == 0:
            for folder in self.checkpoint.parents[:2]:
                for unfinished in folder.glob(".*.tmp"):  # of a process that was killed while it wrote
                    if unfinished.is_file() or unfinished.is_symlink():
                        unfinished.unlink()
        for logger in experiment.trainer.loggers:
            if isinstance(logger, MetricsCsv) and process_rank() == 0:
                logger.keep_before(self.state.global_step)

    def go_on(self, experiment: Experiment) -> None:
        """Trains from where the run was stopped.

        Raises:
            ConfigError: Lightning or torch cannot use what the checkpoint holds of its loops, callbacks or optimizer.
        """
        trainer = experiment.trainer
        try:
            trainer.fit(experiment.model, experiment.datamodule, ckpt_path=self.checkpoint, weights_only=True)
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            if self.checkpoint is None or self.state is None or _steps(trainer) > self.state.global_step:
                raise
            if in_one_message(error, self.checkpoint.parents[1]):  # a full disk, too little memory, NaN
                raise
            why = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
            raise ConfigError(
                f"the run cannot go on from {self.checkpoint}: {why}. Either that file was changed, or a part of the "
                f"run fails at its first step: HYDRA_FULL_ERROR=1 shows where"
            ) from error


def _steps(trainer: L.Trainer) -> int:
    """Returns how many steps were made; -1 where that cannot be said, since the loops' counts are not numbers."""
    try:
        return int(trainer.global_step)
    except (AttributeError, TypeError, ValueError):
        return -1


def _differing(was: DataState, data: FERDataModule) -> str:
    """Returns which faces and labels of the run are not there as they were; an empty text if all are."""
    images = {"train": (was.trained_on, data.trained_on), "val": (was.chosen_on, data.chosen_on)}
    differ = []
    for split, labelled in data.labelled.items():
        name = "training" if split == "train" else split
        known, found = images.get(split, (None, None))
        before = was.labelled.get(split, labelled)
        if known is not None and found is not None and len(known) and not torch.equal(known, found):
            differ.append(_other_faces(name, known, found))
        elif known is not None and len(before) == len(labelled) and (changed := int((before != labelled).sum())):
            differ.append(f"of its {len(before):,} {name} faces {changed:,} have other labels")
        elif not torch.equal(before, labelled):
            as_they_were = "as they were" if known is not None else "with the labels that they had"
            differ.append(_other_faces(name, before, labelled, as_they_were))
    return "; ".join(differ)


def _other_faces(name: str, known: Tensor, found: Tensor, as_they_were: str = "as they were") -> str:
    there = int(torch.isin(known, found).sum())
    if there == len(known) == len(found):
        return f"its {len(known):,} {name} faces are in another order"
    return f"of its {len(known):,} {name} faces {there:,} are there {as_they_were}"


def _refuse_other_changes(given: set[str]) -> None:
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise ConfigError("resume goes on with one run: leave out -m, and sweep=…")
    if other := sorted(given - set(MAY_CHANGE)):
        raise ConfigError(
            f"{other[0]} is given with resume: a resumed run keeps its own config, and only "
            f"{' and '.join(MAY_CHANGE[1:])} can be changed. For another config start a new run"
        )


def _state(run_dir: Path) -> tuple[Path | None, StoppedState | None, CheckpointContent | None]:
    """Returns the checkpoint to go on from and what is in it; None where there is none that is whole."""
    found = newest_whole(run_dir / "checkpoints")
    if found is None:
        return None, None, None
    checkpoint, values = found
    try:
        content = validated_content(checkpoint, values)  # which looks at its version first
        return checkpoint, validated(StoppedState, checkpoint, values), content
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _refuse_other_network(run: DictConfig, content: CheckpointContent | None) -> None:
    """Refuses another network before it takes memory: a config from elsewhere can ask for any."""
    described = model_config(run.model)
    known = dict(content.hyper_parameters) if content else {"class_names": EMOTIONS, "in_channels": 1}
    typed = {"network": described.network, "arguments": described.arguments, "channels_last": False}
    try:
        description = HyperParameters(**known | typed)
        refuse_unfitting_weights(description, content.state_dict if content else None)
    except (ValueError, TypeError, RuntimeError) as error:
        where = "the run's config describes another network than its checkpoint holds" if content else "model"
        raise ConfigError(f"{where}: {error}") from error


def _take_from_checkpoint(run: DictConfig, state: StoppedState) -> None:
    """Sets in a run's config what is not as it was when the run began."""
    run.trainer.max_epochs = state.callbacks.last.max_epochs  # raised once before
    set_places(run, state.data.source, state.data.votes)  # wherever this is called from
    if run.logger and "tensorboard" in run.logger:  # without what was written after the checkpoint
        OmegaConf.update(run, "logger.tensorboard.purge_step", state.global_step, force_add=True)


def _complete_paths(run: DictConfig, run_dir: Path) -> None:
    """Completes paths that are relative to where the run was started."""
    for key in (*path_keys(run), "model.weights_path", "loss.teacher"):
        typed = OmegaConf.select(run, key)
        if typed and isinstance(typed, str) and not (path := Path(typed).expanduser()).is_absolute():
            started = Path(str(hydra_value(run_dir, "runtime", "cwd") or ""))
            OmegaConf.update(run, key, literal_text(str(started / path)))
