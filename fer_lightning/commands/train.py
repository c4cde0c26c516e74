"""python train.py: trains what a config describes, tests it, and writes what the run came to."""

import logging
import math
import shlex
import sys
import time
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from fer_lightning.callbacks.checkpoints import LastCheckpoint
from fer_lightning.callbacks.stop_signals import Stopped, log_why_stopped, stopping_at_once
from fer_lightning.commands.failures import in_one_message
from fer_lightning.commands.resume import StoppedRun
from fer_lightning.commands.run_folder import gone_if_refused
from fer_lightning.commands.run_record import log_hyperparameters, log_what_is_where, repeating_command
from fer_lightning.commands.sweep_job import train_as_job
from fer_lightning.commands.wandb_runs import begin_wandb_run
from fer_lightning.config.build import Experiment, build
from fer_lightning.config.command_line import give_up
from fer_lightning.config.own_modules import command_on_run, find_own_modules
from fer_lightning.config.random_seed import record_seed, with_seed
from fer_lightning.config.run_config import checkpoint_of, refuse_unreadable
from fer_lightning.config.run_places import refuse_other_places
from fer_lightning.config.typed_command import as_typed, override
from fer_lightning.errors import ConfigError
from fer_lightning.processes import process_rank
from fer_lightning.report.provenance import provenance
from fer_lightning.report.results import Results
from fer_lightning.report.run_page import write_report
from fer_lightning.training.calibrate import calibrate
from fer_lightning.training.model_file import save_model
from fer_lightning.use.export_packages import refuse_without_packages

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float:
    """Fits, tests the checkpoint that cfg.ckpt names and writes the run's results; returns its validation score."""
    find_own_modules()
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    multirun = HydraConfig.get().mode is RunMode.MULTIRUN
    try:
        with stopping_at_once():
            return train_as_job(_train, cfg, run_dir) if multirun else _train(cfg, run_dir)
    except Stopped as stop:
        log.info("\nstopped by %s%s", stop, "" if cfg.action else f". To go on: {_going_on(run_dir, multirun)}")
        sys.exit(128 + stop.number)
    except Exception as raised:
        error = in_one_message(raised, as_typed(run_dir)) or raised
        if isinstance(error, ConfigError):
            give_up(error)
        raise


def _going_on(run_dir: Path, multirun: bool) -> str:
    """Returns the command that goes on with what was stopped."""
    if multirun:
        folder = override("hydra.sweep.dir", as_typed(Path(HydraConfig.get().sweep.dir)))
        return f"the same command, with {shlex.quote(folder)}"
    return command_on_run("train.py", override("resume", as_typed(run_dir)))


def _train(cfg: DictConfig, run_dir: Path) -> float:
    """Refuses what cannot be trained, and does the rest step by step."""
    with gone_if_refused():
        stopped = _stopped_run(cfg, run_dir)
        if not cfg.resume:
            refuse_other_places(cfg, run_dir)
        cfg = stopped.config if stopped else cfg
        draws_seed = cfg.seed is None
        cfg = with_seed(cfg, run_dir)
        if cfg.action:
            _act(cfg, run_dir)
        experiment = None if cfg.action else _ready(cfg, run_dir, stopped)
    if draws_seed and process_rank() == 0:
        log.info("seed=null: the seed of this run is %d", cfg.seed)
        record_seed(cfg.seed, run_dir)
    if experiment is None:
        return math.nan
    minutes = _fit(experiment, stopped)
    checkpoint = _load_tested_checkpoint(cfg, experiment, run_dir)
    score = _score(cfg, experiment)
    val = calibrate(experiment.model, experiment.trainer, checkpoint)
    experiment.trainer.test(experiment.model, experiment.datamodule, verbose=False)
    results = Results.of(experiment.model, experiment.trainer, val)
    if experiment.trainer.is_global_zero:  # of several processes, the first writes what follows
        log.info(results.table())
        page = _record(cfg, experiment, results, run_dir, score, minutes)
        picked = f"{cfg.ckpt} {cfg.monitor} {score:.4f}, "
        if checkpoint is None:
            picked = "no checkpoint was kept; tested as it was "
        log.info("\n%safter %.1f minutes of training", picked, minutes)
        log_what_is_where(run_dir, page, checkpoint is not None)
        if cfg.get("export"):
            _export(experiment, run_dir)
    return score


def _stopped_run(cfg: DictConfig, run_dir: Path) -> StoppedRun | None:
    """Returns what this command goes on with: the run that it names, or the job that it is, of a stopped sweep."""
    if cfg.resume:
        return StoppedRun.of(cfg, list(HydraConfig.get().overrides.task))
    return StoppedRun.of_job(cfg, run_dir) if HydraConfig.get().mode is RunMode.MULTIRUN else None


def _act(cfg: DictConfig, run_dir: Path) -> None:
    """Does what cfg.action names; nothing is trained."""
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise ConfigError("debug=… trains nothing that a sweep could compare: give it one run at a time")
    instantiate(cfg.action)(cfg, run_dir)


def _ready(cfg: DictConfig, run_dir: Path, stopped: StoppedRun | None) -> Experiment:
    """Returns what is to be trained, where it was stopped or at its beginning, once nothing speaks against it."""
    if cfg.get("export"):  # which a config of an older version does not have
        refuse_without_packages()
    experiment = build(cfg)
    if stopped:
        stopped.take_up(experiment)
    if process_rank() == 0:
        refuse_unreadable(run_dir)
    begin_wandb_run(experiment.trainer)
    return experiment


def _fit(experiment: Experiment, stopped: StoppedRun | None) -> float:
    """Trains; returns the minutes that it took, those before a stop included."""
    started = time.perf_counter() - (stopped.seconds if stopped else 0)
    if stopped:
        stopped.go_on(experiment)
    else:
        experiment.trainer.fit(experiment.model, experiment.datamodule)
    minutes = (time.perf_counter() - started) / 60
    log_why_stopped(experiment.trainer)
    return minutes


def _load_tested_checkpoint(cfg: DictConfig, experiment: Experiment, run_dir: Path) -> Path | None:
    """Loads the weights that cfg.ckpt names; returns their file, None where there is none (trainer.fast_dev_run)."""
    best = getattr(experiment.trainer.checkpoint_callback, "best_model_path", "")
    tested = Path(best) if cfg.ckpt == "best" else checkpoint_of(run_dir, "last")
    if not tested.is_file():
        return None
    # Not by trainer.test(ckpt_path=…): EMAWeightAveraging would put the weights that are not averaged in place.
    weights = torch.load(tested, map_location="cpu", weights_only=True)["state_dict"]
    experiment.model.load_state_dict(weights)
    return tested


def _score(cfg: DictConfig, experiment: Experiment) -> float:
    """Returns what monitor says of the tested checkpoint."""
    trainer = experiment.trainer
    if cfg.ckpt == "last" and trainer.current_epoch % (trainer.check_val_every_n_epoch or 1):
        # The last validation measured the network of an earlier epoch. This one is of no epoch, and so not logged.
        loggers, trainer.loggers = trainer.loggers, []
        measured = trainer.validate(experiment.model, experiment.datamodule, verbose=False)
        trainer.loggers = loggers
        if measured and cfg.monitor in measured[0]:
            return float(measured[0][cfg.monitor])
    best = getattr(trainer.checkpoint_callback, "best_model_score", None)
    last = [callback.score for callback in trainer.callbacks if isinstance(callback, LastCheckpoint)]  # type: ignore[attr-defined]
    score = best if cfg.ckpt == "best" else last[0]
    # callback_metrics holds the last epoch; a run without checkpoints (trainer.fast_dev_run) has nothing else.
    value = float(trainer.callback_metrics.get(cfg.monitor, math.nan) if score is None else score)
    return value if math.isfinite(value) else math.nan  # Lightning's best score is infinite if there was none but NaN


def _record(
    cfg: DictConfig, experiment: Experiment, results: Results, run_dir: Path, score: float, minutes: float
) -> Path:
    """Writes the weights, the row of the trackers and the report; returns the report's page."""
    model, trainer = experiment.model, experiment.trainer
    measured = {cfg.monitor: score, "minutes": minutes, "epochs": trainer.current_epoch}
    save_model(model, experiment.datamodule.preprocessing, run_dir)
    log_hyperparameters(cfg, trainer, run_dir, measured | results.metrics)
    repeat = repeating_command(run_dir, trainer.max_epochs)
    made_with = provenance(repeat, trainer.strategy.root_device.type, trainer.world_size)
    facts = measured | {"monitor": cfg.monitor, "ckpt": cfg.ckpt} | made_with
    return write_report(run_dir / "report", model, trainer, results, facts, run_dir, cfg.monitor)


def _export(experiment: Experiment, run_dir: Path) -> None:
    """Writes model.onnx; the run is complete without it, should it be refused."""
    from fer_lightning.use.exporting import export  # its packages take a second to import
    from fer_lightning.use.known_faces import known_faces

    made = export(run_dir, faces=known_faces(experiment.datamodule, "val"))
    log.info("exported     %s\n%s", as_typed(made.file), made.comparison)
