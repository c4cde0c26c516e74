"""What the surroundings of a training can do to it, in one message each: a full disk, too little memory, NaN."""

import shlex
from pathlib import Path

import torch
from omegaconf import OmegaConf

from fer_lightning.command_line import ConfigError, as_typed
from fer_lightning.finite import NonFiniteLossError


def in_one_message(error: Exception, run_dir: Path) -> ConfigError | None:
    """What happened and what to do, for errors that are no fault of the program; None for all others."""
    if isinstance(error, ConfigError):
        return error
    kept = run_dir / "checkpoints" / "last.ckpt"
    if isinstance(error, NonFiniteLossError):
        return ConfigError(f"{error}. {kept} is from before it" if kept.exists() else str(error))
    if _out_of_memory(error):
        return ConfigError(_smaller(run_dir / ".hydra" / "config.yaml"))
    if isinstance(error, OSError):
        where = f" ({as_typed(_known(Path(name)))})" if isinstance(name := error.filename, str) else ""
        go_on = ""
        if kept.exists():
            go_on = f". To go on from the last checkpoint: python train.py {shlex.quote(f'resume={run_dir}')}"
        return ConfigError(f"cannot go on writing to {run_dir}: {error.strerror or error}{where}{go_on}")
    return None


def _known(path: Path) -> Path:
    """Itself, or for the passing name of a file that is written, its folder."""
    return path.parent if path.suffix == ".tmp" else path


def _smaller(config: Path) -> str:
    """What to start anew with; the processes beside the first have no config on the disk."""
    if not config.exists():
        return "not enough memory: start again with a smaller data.batch_size"
    cfg = OmegaConf.load(config)
    size, batches = int(cfg.data.batch_size), int(cfg.trainer.accumulate_grad_batches)
    if size == 1:
        return "not enough memory for a batch of one face: start again with a smaller network or smaller images"
    return (
        f"not enough memory for batches of {size}. Start again with data.batch_size={size // 2} "
        f"trainer.accumulate_grad_batches={2 * batches}, which learns much the same"
    )


def _out_of_memory(error: Exception) -> bool:
    """torch has a type for GPUs only."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
