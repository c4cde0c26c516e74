"""The folder that a command writes into: no other run's, one process at a time, and gone again if it is refused."""

import atexit
import logging
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.command_line import FULL_ERROR
from fer_lightning.config.messages import latest_runs, message
from fer_lightning.config.own_modules import command_on_run
from fer_lightning.config.typed_command import override
from fer_lightning.errors import ConfigError
from fer_lightning.processes import end_with, process_rank
from fer_lightning.sweep.folder_lock import lock_folder

CONFIG = ".hydra"
"""In the folder of a run, where Hydra writes its config: all that reads a run looks there."""

LEFT_BY_A_RUN = ("checkpoints/*.ckpt", "report/metrics.json", "model.safetensors", "model.pth")
"""Files by which a folder is that of a run, which nobody wants to be overwritten."""

OWN_FOLDERS = ("checkpoints", "report", "tensorboard", CONFIG)
"""Folders in that of a run which are its own."""


class RunFolder(Callback):
    """Checks, by the composed config and before Hydra makes a folder or a file, that this command may have the folder.

    So it does not matter how the folder was typed. Of several processes that train together, the first has it.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _ended_by_an_error():
            _keep_name_as_typed(config)
            if process_rank() == 0:
                HydraConfig.instance().set_config(config)  # as Hydra does next: names of folders refer to it
                _take(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _ended_by_an_error():
            if process_rank() == 0:
                if config.get("resume") is not None:
                    raise ConfigError("resume goes on with one run: leave out -m, and sweep=…")
                _refuse_other_subdir(config, None)
                _refuse_run_in(Path(config.hydra.sweep.dir), "hydra.sweep.dir")

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        _leave()


@contextmanager
def gone_if_refused() -> Iterator[None]:
    """Removes the run's folder if the block, which comes before any training, ends in a ConfigError.

    But only if this command has made it, and it holds nothing but what was written at the start: config and log.
    """
    try:
        yield
    except ConfigError:
        if _taken:
            made, folder = _taken.made, _taken.folder
            _leave()  # Windows removes no file that is open
            if made:
                hydra = HydraConfig.get()
                _remove_if_unused(folder, Path(hydra.output_subdir or ""), f"{hydra.job.name}.log")
        raise


@dataclass(frozen=True)
class _Taken:
    """The folder that this process works in, alone; whether it has made it."""

    folder: Path
    made: bool
    lock: FileLock
    inode: int


_taken: _Taken | None = None


def _take(config: DictConfig) -> None:
    """Takes the folder of a command for this process.

    Raises:
        ConfigError: the folder is that of another run or of a process at work, or cannot be made or written into.
    """
    global _taken
    folder = Path(str(OmegaConf.select(config, "hydra.run.dir")))
    resume = config.get("resume")
    if resume is None:
        _refuse_run_in(folder, "hydra.run.dir", resumable="resume" in config)
    elif folder.resolve() != Path(resume).expanduser().resolve():
        raise ConfigError(f"hydra.run.dir={folder} is given with resume: a resumed run goes on in its own folder")
    _refuse_other_subdir(config, resume)
    made = not folder.exists()
    try:
        lock = lock_folder(folder)
    except Timeout as error:
        said = f"resume={resume}" if resume else f"hydra.run.dir={folder}"
        raise ConfigError(
            f"{said}: another process is at work in that folder. Wait for it, or stop it first"
        ) from error
    except OSError as error:
        if resume is None:
            raise ConfigError(f"the run's folder cannot be made: {error}. Give another with hydra.run.dir=…") from error
        raise ConfigError(
            f"resume={resume}: that run cannot go on, since its folder cannot be written into: {error}. Copy it to "
            f"where that is possible, and resume the copy"
        ) from error
    atexit.register(_leave)  # however this command ends; where it is killed, the system lets go of the lock
    _taken = _Taken(folder.absolute(), made, lock, Path(lock.lock_file).stat().st_ino)


def _leave() -> None:
    """Lets others have the folder, in which nothing of the lock stays."""
    global _taken
    if _taken:
        file = Path(_taken.lock.lock_file)
        with suppress(OSError):  # Windows does not remove it while it is locked
            if file.stat().st_ino == _taken.inode:  # and not that of a new folder with this name
                file.unlink()
        _taken.lock.release()
    _taken = None


def _refuse_run_in(folder: Path, key: str, resumable: bool = False) -> None:
    if any(any(folder.glob(pattern)) for pattern in LEFT_BY_A_RUN):
        again = command_on_run("train.py", override("resume", folder))
        go_on = f", or go on with that run by {again}" if resumable else ""
        raise ConfigError(f"{key}={folder}: that folder holds a run already. Give another one{go_on}")
    if folder.name in OWN_FOLDERS and (folder.parent / CONFIG / "config.yaml").is_file():
        raise ConfigError(f"{key}={folder}: that folder is a part of the run {folder.parent}. Give another one")


def _refuse_other_subdir(config: DictConfig, resume: str | None) -> None:
    """Refuses another name for the folder of train.py's config; what test.py writes, no other command reads."""
    if "resume" not in config:
        return
    given, expected = config.hydra.output_subdir, CONFIG if resume is None else None
    if given != expected:
        raise ConfigError(
            f"hydra.output_subdir is {'null' if given is None else given}: a run is tested and resumed by the config "
            f"in its {CONFIG}, which is written when the run begins. Leave hydra.output_subdir out"
        )


def _keep_name_as_typed(config: DictConfig) -> None:
    """Keeps the name of a run that is resumed or tested: Hydra takes 2024_01 for a number, 202401.

    Raises:
        ConfigError: what was given is no name of a folder.
    """
    key = "resume" if "resume" in config else "run_dir"
    if OmegaConf.is_missing(config, key) or (given := config.get(key)) is None:
        return
    if isinstance(given, bool) or not isinstance(given, str | int | float) or given == "":
        shown = str(given).lower() if isinstance(given, bool) else given
        raise ConfigError(f"{key}={shown}: give the folder of a run, as in {key}=outputs/train/….{latest_runs()}")
    if not isinstance(given, str):
        typed = [one.partition("=") for one in config.hydra.overrides.task]
        config[key] = next((value for name, _, value in reversed(typed) if name.lstrip("+") == key), str(given))


@contextmanager
def _ended_by_an_error() -> Iterator[None]:
    """Ends the program at an exception in a Hydra callback, of which Hydra would make a warning."""
    try:
        yield
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if FULL_ERROR:
            traceback.print_exc()
        end_with(message(error))
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def _remove_if_unused(folder: Path, config: Path, log: str) -> None:
    written = {config / name for name in ("config.yaml", "hydra.yaml", "overrides.yaml")} | {Path(log)}
    found = {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}
    if not found <= written:
        return
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, logging.FileHandler)]:
        handler.close()  # Windows removes no file that is open
        root.removeHandler(handler)
    shutil.rmtree(folder)
