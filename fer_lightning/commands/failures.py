"""Explains failures that come from outside of a training, in one message each: a full disk, too little memory, NaN."""

import errno
import os
from pathlib import Path

import torch

from fer_lightning.callbacks.finite_loss import NonFiniteLossError
from fer_lightning.config.own_modules import command_on_run
from fer_lightning.config.typed_command import as_typed, override
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.report.run_yaml import plain_yaml

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
"""Errors of a folder that takes no file: it is full, or may not be written into."""

NO_FAULT_OF_OURS = (
    *CANNOT_WRITE, errno.ENOENT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOTCONN, errno.ETIMEDOUT,
)  # fmt: skip
"""Errors that the system can raise wherever a file lies: it is gone, or its disk or server is."""


def in_one_message(error: Exception, run_dir: Path) -> ConfigError | None:
    """Returns what happened and what to do, for errors that are no fault of the program; None for all others."""
    if isinstance(error, ConfigError):
        return error
    checkpoint = run_dir / "checkpoints" / "last.ckpt"
    if isinstance(error, NonFiniteLossError):
        return ConfigError(f"{error}. {checkpoint} is from before it" if checkpoint.exists() else str(error))
    if _out_of_memory(error):
        return ConfigError(_hint_for_memory(run_dir / ".hydra" / "config.yaml"))
    text = _surroundings(error, run_dir) if isinstance(error, OSError) else ""
    if isinstance(error, DataError):  # an image that was damaged after it was read first
        text = str(error).rstrip(".")
    if not text:
        return None
    go_on = f". To go on from the last checkpoint: {command_on_run('train.py', override('resume', run_dir))}"
    return ConfigError(f"{text}{go_on}" if checkpoint.exists() else text)


def _surroundings(error: OSError, run_dir: Path) -> str:
    """Returns what the surroundings did; an empty text for a fault of the program."""
    reason = error.strerror or str(error)
    if not isinstance(error.filename, str | bytes):  # to write into an open file, or to reach a server
        if error.errno in CANNOT_WRITE and not isinstance(error, PermissionError):
            return f"cannot go on writing to {run_dir}: {reason}"
        return f"no connection: {error}" if isinstance(error, ConnectionError | TimeoutError) else ""
    file = _lasting_path(Path(os.fsdecode(error.filename)))
    inside = file.absolute().is_relative_to(run_dir.absolute())
    if inside and (error.errno in CANNOT_WRITE or not run_dir.exists()):
        return f"cannot go on writing to {run_dir}: {reason} ({as_typed(file)})"
    return f"{as_typed(file)}: {reason}" if error.errno in NO_FAULT_OF_OURS else ""


def _lasting_path(path: Path) -> Path:
    """Returns the path; of the passing name of a file that is being written, its folder."""
    return path.parent if path.suffix == ".tmp" else path


def _hint_for_memory(config: Path) -> str:
    """Returns what to start again with. Only the first process has a config on the disk, and test.py's says less."""
    try:
        cfg = plain_yaml(config)
        size, batches = int(cfg["data"]["batch_size"]), int(cfg["trainer"]["accumulate_grad_batches"])
    except (ValueError, TypeError, KeyError):
        return "not enough memory: start again with a smaller data.batch_size"
    if size == 1:
        return "not enough memory for a batch of one face: start again with a smaller network or smaller images"
    return (
        f"not enough memory for batches of {size}. Start again with data.batch_size={size // 2} "
        f"trainer.accumulate_grad_batches={2 * batches}, which learns much the same"
    )


def _out_of_memory(error: Exception) -> bool:
    """Returns whether memory ran out: of a GPU, for which torch has a type, or of the machine."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
