"""Refuses what a run is too short for before it begins: its data says how many steps there are."""

import math

import lightning as L
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from omegaconf import DictConfig

from fer_lightning.errors import ConfigError
from fer_lightning.training.schedules import Schedule, is_validated, steps_of_epoch


def refuse_what_never_comes(cfg: DictConfig, trainer: L.Trainer, batches: int) -> None:
    """Refuses a run whose end comes before the body learns, or before there is anything to pick its checkpoint by.

    Args:
        cfg: of the run.
        trainer: of the run.
        batches: of the training split; the devices share them out.

    Raises:
        ConfigError: says what comes first.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return
    batches = math.ceil(batches / (trainer.num_devices * trainer.num_nodes))
    steps = steps_of_epoch(trainer, batches)
    _refuse_never_unfreezing(cfg, steps)
    if not cfg.action and not is_validated(trainer, batches):
        _refuse_never_validated(cfg, trainer, steps)


def refuse_changing_accumulation(trainer: L.Trainer, schedule: Schedule | None) -> None:
    """Refuses a schedule over all steps of a run if a callback changes how many batches make a step.

    Raises:
        ConfigError: there are both.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    if schedule and schedule.steps_as and any(isinstance(c, GradientAccumulationScheduler) for c in callbacks):
        raise ConfigError(
            "callbacks: a GradientAccumulationScheduler changes how many batches make a step, and this scheduler must "
            "know the number of steps: give trainer.accumulate_grad_batches, or scheduler=none, step or plateau"
        )


def _refuse_never_unfreezing(cfg: DictConfig, steps: int) -> None:
    """Leaves trainer.max_epochs to `check`."""
    epoch, max_steps = cfg.finetune.unfreeze_at_epoch, cfg.trainer.max_steps
    if epoch and 0 < max_steps <= epoch * steps:
        raise ConfigError(
            f"finetune.unfreeze_at_epoch is {epoch}, but trainer.max_steps={max_steps} ends within epoch "
            f"{(max_steps - 1) // steps} ({steps} steps each): the body would never learn"
        )


def _refuse_never_validated(cfg: DictConfig, trainer: L.Trainer, steps: int) -> None:
    every, monitor = cfg.trainer.check_val_every_n_epoch, cfg.monitor
    why = (
        f"the run would end before its first validation: trainer.max_epochs={cfg.trainer.max_epochs} and "
        f"trainer.max_steps={cfg.trainer.max_steps}, where an epoch has {steps} steps and "
        f"trainer.check_val_every_n_epoch={every}"
    )
    if monitor.startswith("val/"):
        raise ConfigError(f"{why}. There would be no {monitor} to pick the best by: train longer, or validate sooner")
    whole = cfg.trainer.limit_val_batches == 0 or trainer.val_check_interval == 1.0
    if cfg.ckpt == "best" and not (every == 1 and whole):  # otherwise Lightning picks after each epoch of train
        raise ConfigError(f"{why}. best.ckpt is picked after a validation: give ckpt=last, or validate sooner")
