"""Runs of W&B: each job of a sweep has one of its own, and one that cannot begin is reported before any work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import lightning as L
from lightning.pytorch.loggers import WandbLogger

from fer_lightning.errors import ConfigError
from fer_lightning.sweep.pruning import Pruned


@contextmanager
def ends_its_wandb_run() -> Iterator[None]:
    """Ends the run of W&B that the block has begun: the next job would go on in it."""
    failed = True
    try:
        yield
        failed = False
    except Pruned:
        failed = False
        raise
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:
            wandb.finish(exit_code=int(failed))


def begin_wandb_run(trainer: L.Trainer) -> None:
    """Begins the run of W&B, where that is one of the trainer's loggers, which otherwise begins with the training.

    Raises:
        ConfigError: W&B refuses it, as without a login, or cannot be reached.
    """
    for logger in trainer.loggers:
        if not isinstance(logger, WandbLogger):
            continue
        try:
            import wandb
        except ImportError as error:
            raise ConfigError(f"logger=wandb: {error}") from error
        try:
            logger.experiment  # noqa: B018 (which begins it)
        except wandb.errors.Error as error:
            why = str(error).strip(" .\n")
            raise ConfigError(
                f"logger=wandb: {why}. Log in with `wandb login` or $WANDB_API_KEY, or keep the run on this machine "
                f"with logger.wandb.offline=true"
            ) from error
