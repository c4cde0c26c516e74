"""Training and testing what a config describes."""

import logging
import math
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any, get_args

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from fer_lightning.callbacks.checkpoints import CHECKPOINTS, LastCheckpoint
from fer_lightning.callbacks.stop_signals import Stopped, log_why_stopped, stopping_at_once
from fer_lightning.commands.failures import in_one_message
from fer_lightning.commands.resume import StoppedRun
from fer_lightning.commands.run_folder import gone_if_refused
from fer_lightning.commands.wandb_runs import begin_wandb_run, ends_its_wandb_run
from fer_lightning.config.build import build, rebuild
from fer_lightning.config.command_line import give_up
from fer_lightning.config.hydra_files import hydra_value, overrides_of
from fer_lightning.config.messages import latest_runs
from fer_lightning.config.random_seed import SEED_FILE, record_seed, with_seed
from fer_lightning.config.run_config import checkpoint_of, refuse_unreadable, run_config
from fer_lightning.config.run_places import refuse_other_places
from fer_lightning.config.typed_command import as_typed, command, config_options, override, shell_word, typed_overrides
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.processes import process_rank
from fer_lightning.report.provenance import provenance
from fer_lightning.report.results import Results
from fer_lightning.report.run_page import write_report
from fer_lightning.sweep.jobs import FAILED, PRUNED, job
from fer_lightning.sweep.pruning import Pruned
from fer_lightning.training.model_file import save_model
from fer_lightning.transforms.views import Tta

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float:
    """Fits, tests the checkpoint that cfg.ckpt names and writes the run's results; returns its validation score."""
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    multirun = HydraConfig.get().mode is RunMode.MULTIRUN
    try:
        with stopping_at_once():
            return _train_as_job(cfg, run_dir) if multirun else _train(cfg)
    except Stopped as stop:
        go_on = command("train.py", override("resume", as_typed(run_dir)))
        if multirun:
            folder = override("hydra.sweep.dir", as_typed(Path(HydraConfig.get().sweep.dir)))
            go_on = f"the same command, with {shlex.quote(folder)}"
        log.info("\nstopped by %s%s", stop, "" if cfg.instead else f". To go on: {go_on}")
        sys.exit(128 + stop.number)
    except Exception as raised:
        error = in_one_message(raised, as_typed(run_dir)) or raised
        if isinstance(error, ConfigError):
            give_up(error)
        raise


def test(cfg: DictConfig) -> None:
    """Measures the checkpoint of a finished run on its own test split, or on the data that cfg names instead."""
    if process_rank() > 0:  # under torchrun or srun; one is enough
        return
    try:
        _test(cfg)
    except Exception as raised:
        error = in_one_message(raised, as_typed(Path(HydraConfig.get().runtime.output_dir)))
        if error is None:
            raise
        give_up(error)


def _test(cfg: DictConfig) -> None:
    with gone_if_refused():
        run_dir, checkpoint = _finished_run(cfg)
        run = run_config(run_dir)
        experiment = rebuild(run, cfg, checkpoint)
    experiment.model.tta = cfg.tta
    experiment.trainer.test(experiment.model, experiment.datamodule, verbose=False)
    results = Results.of(experiment.model, experiment.trainer)
    averaged = "" if cfg.tta == "none" else f", each face averaged over its {cfg.tta} views"
    log.info("\n%s%s%s", as_typed(checkpoint), averaged, results.table())
    device = experiment.trainer.strategy.root_device.type
    facts = {
        "run": str(run_dir),
        "ckpt": checkpoint.stem,
        "tta": cfg.tta,
        **provenance("test.py", typed_overrides(HydraConfig.get().overrides.task), device),
    }
    folder = Path(HydraConfig.get().runtime.output_dir)
    page = write_report(folder, experiment.model, experiment.trainer, results, facts, run_dir, run.monitor)
    log.info("\nreport       %s", as_typed(page))


def _train_as_job(cfg: DictConfig, run_dir: Path) -> float:
    """`train` in a sweep. A job that fails says so at once and leaves error.txt, and the others go on.

    A job that is done already, since its sweep was stopped and is being continued, only returns its score.
    """
    with job(run_dir, cfg.monitor) as before:
        if before.state in ("done", "pruned"):
            with_seed(cfg, run_dir)  # Hydra has written the job's config anew
            return before.score
        if threads := HydraConfig.get().launcher.get("cpus_per_task"):  # of submitit; joblib sets them for its workers
            torch.set_num_threads(threads)
        log.info("job %s computes on %d of %d cores", run_dir.name, torch.get_num_threads(), os.cpu_count())
        try:
            with ends_its_wandb_run():
                return _train(cfg)
        except Pruned as why:
            log.info("pruned: %s", why)
            with written_whole(run_dir / PRUNED) as unfinished:
                unfinished.write_text(f"{why}\n", "utf-8")
        except Exception as raised:
            error = in_one_message(raised, as_typed(run_dir)) or raised
            # A traceback for what its user cannot mend; one message for what they can.
            log.error("this job failed: %s", error, exc_info=not isinstance(error, ConfigError))
            with written_whole(run_dir / FAILED) as unfinished:
                unfinished.write_text(f"{type(error).__name__}: {error}\n", "utf-8")
    return math.nan


def _train(cfg: DictConfig) -> float:
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    with gone_if_refused():
        stopped = _stopped(cfg, run_dir)
        if not cfg.resume:
            refuse_other_places(cfg, run_dir)
        drawn = (stopped.config if stopped else cfg).seed is None
        cfg = with_seed(stopped.config if stopped else cfg, run_dir)
        if cfg.instead and HydraConfig.get().mode is RunMode.MULTIRUN:
            raise ConfigError("debug=… trains nothing that a sweep could compare: give it one run at a time")
        if cfg.instead:
            instantiate(cfg.instead)(cfg, run_dir)
            return math.nan
        experiment = build(cfg)
        if stopped:
            stopped.take_up(experiment)
        if process_rank() == 0:
            refuse_unreadable(run_dir)
        begin_wandb_run(experiment.trainer)
    datamodule, model, trainer = experiment.datamodule, experiment.model, experiment.trainer
    if drawn and process_rank() == 0:
        record_seed(cfg.seed, run_dir)
    started = time.perf_counter() - (stopped.seconds if stopped else 0)
    trainer.fit(model, datamodule, ckpt_path=stopped.checkpoint if stopped else None, weights_only=True)
    minutes = (time.perf_counter() - started) / 60
    log_why_stopped(trainer)
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    tested = Path(best) if cfg.ckpt == "best" else checkpoint_of(run_dir, "last")
    kept = tested.is_file()  # not with trainer.fast_dev_run
    if kept:
        # Not by trainer.test(ckpt_path=…): EMAWeightAveraging would put the weights that are not averaged in place.
        model.load_state_dict(torch.load(tested, map_location="cpu", weights_only=True)["state_dict"])
    score = _score(cfg, trainer)
    trainer.test(model, datamodule, verbose=False)
    results = Results.of(model, trainer)
    if not trainer.is_global_zero:  # of several processes, the first writes what follows
        return score
    log.info(results.table())
    figures = {cfg.monitor: score, "minutes": minutes, "epochs": trainer.current_epoch}
    save_model(model, datamodule.preprocessing, run_dir)
    _log_hyperparameters(cfg, trainer, run_dir, figures | results.metrics)
    options = config_options(hydra_value(run_dir))
    overrides = [*options, *_overrides(run_dir, trainer.max_epochs)]
    accelerator = trainer.strategy.root_device.type
    made_with = provenance("train.py", overrides, accelerator, trainer.world_size)
    facts = figures | {"monitor": cfg.monitor, "ckpt": cfg.ckpt} | made_with
    page = write_report(run_dir / "report", model, trainer, results, facts, run_dir, cfg.monitor)
    picked = f"{cfg.ckpt} {cfg.monitor} {score:.4f}, " if kept else "no checkpoint was kept; tested as it was "
    log.info("\n%safter %.1f minutes of training", picked, minutes)
    shown = as_typed(run_dir)
    log.info("run folder   %s", shown)
    log.info("weights      %s, or .pth", shown / "model.safetensors")
    log.info("report       %s", as_typed(page))
    if kept:
        log.info("test again   %s", command("test.py", override("run_dir", shown)))
    board = Path("outputs") if shown.parts[:1] == ("outputs",) else shown
    log.info("TensorBoard  tensorboard --logdir %s", shell_word(board))
    return score


def _score(cfg: DictConfig, trainer: L.Trainer) -> float:
    """What monitor says of the tested checkpoint."""
    best = getattr(trainer.checkpoint_callback, "best_model_score", None)
    last = [callback.score for callback in trainer.callbacks if isinstance(callback, LastCheckpoint)]  # type: ignore[attr-defined]
    score = best if cfg.ckpt == "best" else last[0]
    # callback_metrics holds the last epoch; a run without checkpoints (trainer.fast_dev_run) has nothing else.
    value = float(trainer.callback_metrics.get(cfg.monitor, math.nan) if score is None else score)
    return value if math.isfinite(value) else math.nan  # Lightning's best score is infinite if there was none but NaN


def _stopped(cfg: DictConfig, run_dir: Path) -> StoppedRun | None:
    """What this command goes on with: the run that it names, or the job that it is, of a sweep that was stopped."""
    if cfg.resume:
        return StoppedRun.of(cfg, list(HydraConfig.get().overrides.task))
    return StoppedRun.of_job(cfg, run_dir) if HydraConfig.get().mode is RunMode.MULTIRUN else None


def _overrides(run_dir: Path, max_epochs: int | None) -> list[str]:
    """What repeats a run: what it was started with, without the sweep it is of, its epochs by now and a drawn seed."""
    overrides = [one for one in overrides_of(run_dir) or [] if not one.startswith("sweep=")]
    run = run_config(run_dir)
    if (run_dir / SEED_FILE).is_file():
        overrides = [one for one in overrides if one.partition("=")[0].lstrip("+") != "seed"] + [f"seed={run.seed}"]
    if run.trainer.max_epochs == max_epochs:
        return overrides
    return [one for one in overrides if not one.startswith("trainer.max_epochs=")] + [
        f"trainer.max_epochs={max_epochs}"
    ]


def _finished_run(cfg: DictConfig) -> tuple[Path, Path]:
    """The folder of the run that cfg names, and the checkpoint in it."""
    latest = latest_runs()
    if OmegaConf.is_missing(cfg, "run_dir") or cfg.run_dir is None:
        raise ConfigError(f"run_dir is missing: say which run, as in run_dir=outputs/train/….{latest}")
    for key, choices in (("ckpt", (None, *CHECKPOINTS)), ("tta", get_args(Tta))):
        if cfg[key] not in choices:
            raise ConfigError(f"{key} is {cfg[key]}; it is one of {', '.join(filter(None, choices))}")
    run_dir = Path(str(cfg.run_dir)).expanduser()
    if not (run_dir / ".hydra" / "config.yaml").is_file():
        raise ConfigError(f"run_dir {run_dir} is not the folder of a run: it has no .hydra/config.yaml.{latest}")
    checkpoint = checkpoint_of(run_dir, cfg.ckpt)
    if not checkpoint.is_file():
        raise ConfigError(f"{checkpoint} does not exist: that run has not finished an epoch")
    return run_dir, checkpoint


def _log_hyperparameters(cfg: DictConfig, trainer: L.Trainer, run_dir: Path, figures: dict[str, float]) -> None:
    """The choices, the numbers behind them and the outcome: a row of TensorBoard's HPARAMS tab, W&B's config, …"""
    groups = ("data", "augmentation", "model", "finetune", "loss", "optimizer", "scheduler")
    choices = hydra_value(run_dir, "runtime", "choices")
    known = choices if isinstance(choices, dict) else {}
    row: dict[str, Any] = {group: str(known.get(group, "–")) for group in groups}
    row |= {"seed": cfg.seed, "batch_size": cfg.data.batch_size, "max_epochs": trainer.max_epochs}
    for group in ("model", "finetune", "loss", "optimizer"):
        plain = OmegaConf.to_container(cfg[group], resolve=True)
        assert isinstance(plain, dict)
        row |= {
            f"{group}.{key!s}": value
            for key, value in plain.items()
            if isinstance(value, int | float | str) and not str(key).startswith("_")
        }
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(row, {f"hp/{name}": value for name, value in figures.items()})
        elif not isinstance(logger, CSVLogger):  # the run's folder has .hydra/
            logger.log_hyperparams(row)
        logger.save()
