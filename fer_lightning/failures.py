"""What the surroundings of a training can do to it, in one message each: a full disk, too little memory, NaN."""

from pathlib import Path

import torch
from omegaconf import OmegaConf

from fer_lightning.command_line import ConfigError
from fer_lightning.finite import NonFiniteLossError


def in_one_message(error: Exception, run_dir: Path) -> ConfigError | None:
    """What happened and what to do, for errors that are no fault of the program; None for all others."""
    if isinstance(error, ConfigError):
        return error
    kept = run_dir / "checkpoints" / "last.ckpt"
    go_on = f"To go on from the last checkpoint: python train.py resume={run_dir}" if kept.exists() else ""
    if isinstance(error, NonFiniteLossError):
        return ConfigError(f"{error}. {kept} is from before it")
    if _out_of_memory(error):
        cfg = OmegaConf.load(run_dir / ".hydra" / "config.yaml")
        size = int(cfg.data.batch_size)
        less = "a smaller network or smaller images"
        if size > 1:
            steps = cfg.trainer.accumulate_grad_batches * 2
            less = f"data.batch_size={size // 2} trainer.accumulate_grad_batches={steps}, which learns much the same"
        return ConfigError(f"not enough memory for batches of {size}. Try {less}. {go_on}".strip())
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return ConfigError(f"cannot go on writing to {run_dir}: {error.strerror or error}{where}. {go_on}".strip())
    return None


def _out_of_memory(error: Exception) -> bool:
    """torch has a type for GPUs only."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
