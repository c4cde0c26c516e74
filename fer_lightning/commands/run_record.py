"""Records a tested run: the command that repeats it, its row in the trackers, where everything lies."""

import logging
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.own_modules import command_on_run
from fer_lightning.config.random_seed import SEED_FILE
from fer_lightning.config.run_config import run_config
from fer_lightning.config.typed_command import as_typed, command, config_options, override, shell_word
from fer_lightning.report.run_yaml import hydra_value, run_overrides

log = logging.getLogger(__name__)

GROUPS_WITH_CHOICES = ("data", "augmentation", "model", "finetune", "loss", "optimizer", "scheduler")
"""Whose choices are columns of the trackers' tables."""

GROUPS_WITH_NUMBERS = ("model", "finetune", "loss", "optimizer")
"""Whose values are columns too."""


def repeating_command(run_dir: Path, max_epochs: int | None) -> str:
    """Returns the command that repeats a run, with the configs that it found."""
    return command("train.py", *config_options(hydra_value(run_dir)), *repeating_overrides(run_dir, max_epochs))


def repeating_overrides(run_dir: Path, max_epochs: int | None) -> list[str]:
    """Returns what a run was started with, without the sweep it is of, with the epochs it had and a drawn seed."""
    overrides = [one for one in run_overrides(run_dir) or [] if not one.startswith("sweep=")]
    run = run_config(run_dir)
    if (run_dir / SEED_FILE).is_file():
        overrides = [one for one in overrides if one.partition("=")[0].lstrip("+") != "seed"] + [f"seed={run.seed}"]
    if run.trainer.max_epochs == max_epochs:
        return overrides
    return [one for one in overrides if not one.startswith("trainer.max_epochs=")] + [
        f"trainer.max_epochs={max_epochs}"
    ]


def log_hyperparameters(cfg: DictConfig, trainer: L.Trainer, run_dir: Path, measured: dict[str, float]) -> None:
    """Logs the choices, the numbers behind them and the outcome: a row of TensorBoard's HPARAMS tab, W&B's config, …"""
    choices = hydra_value(run_dir, "runtime", "choices")
    known = choices if isinstance(choices, dict) else {}
    row: dict[str, Any] = {group: str(known.get(group, "–")) for group in GROUPS_WITH_CHOICES}
    row |= {"seed": cfg.seed, "batch_size": cfg.data.batch_size, "max_epochs": trainer.max_epochs}
    for group in GROUPS_WITH_NUMBERS:
        plain = OmegaConf.to_container(cfg[group], resolve=True)
        assert isinstance(plain, dict)
        row |= {
            f"{group}.{key!s}": value
            for key, value in plain.items()
            if isinstance(value, int | float | str) and not str(key).startswith("_")
        }
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(row, {f"hp/{name}": value for name, value in measured.items()})
        elif not isinstance(logger, CSVLogger):  # the run's folder has .hydra/
            logger.log_hyperparams(row)
        logger.save()


def log_what_is_where(run_dir: Path, page: Path, has_checkpoint: bool) -> None:
    """Logs where the run, its weights and its report lie, and the commands that look at them."""
    shown = as_typed(run_dir)
    log.info("run folder   %s", shown)
    log.info("weights      %s, or .pth", shown / "model.safetensors")
    log.info("report       %s", as_typed(page))
    if has_checkpoint:
        log.info("test again   %s", command_on_run("test.py", override("run_dir", shown)))
    board = Path("outputs") if shown.parts[:1] == ("outputs",) else shown
    log.info("TensorBoard  tensorboard --logdir %s", shell_word(board))
