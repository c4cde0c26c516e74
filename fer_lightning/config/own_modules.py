"""Modules of somebody's own, found in the folder where a command is typed and next to the folder of --config-dir.

A console script has neither folder on sys.path, and they are not put there: a stray random.py or wandb.py would be
taken for what Python, torch or Lightning mean by that name. Only the modules that the user lists as trusted are looked
for, and only if Python has not found them elsewhere.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from hydra.core.hydra_config import HydraConfig

from fer_lightning.config.typed_command import as_typed, command
from fer_lightning.nets.trusted import VARIABLE, listed_modules


class OwnModules(MetaPathFinder):
    """Finds the modules of $FER_LIGHTNING_TRUST in these folders, the first first."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [str(folder) for folder in folders]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in {name.partition(".")[0] for name in listed_modules()}:
            return PathFinder.find_spec(fullname, self.folders, target)
        return None


def find_own_modules() -> None:
    """Lets this process find them, be it the one that was started or one that runs a job of a sweep."""
    folders = [folder.parent for folder in _config_dirs()] + [Path(HydraConfig.get().runtime.cwd)]
    others = [finder for finder in sys.meta_path if not isinstance(finder, OwnModules)]
    sys.meta_path[:] = [*others, OwnModules(folders)]


def with_trust(line: str) -> str:
    """Returns a command with the variable by which this process trusts other modules: it needs them too."""
    trusted = os.environ.get(VARIABLE)
    return f"{VARIABLE}={shlex.quote(trusted)} {line}" if trusted else line


def command_on_run(script: str, *words: str) -> str:
    """Returns a command that uses a run of this process, and finds the modules of somebody's own as this one has."""
    elsewhere = [folder for folder in _config_dirs() if folder.parent != Path.cwd() and os.environ.get(VARIABLE)]
    return with_trust(command(script, *(f"--config-dir={as_typed(folder)}" for folder in elsewhere), *words))


def _config_dirs() -> Iterator[Path]:
    """Yields the folder of --config-dir, if one was typed for this process; what a run's config has is never asked."""
    if HydraConfig.initialized():
        for source in HydraConfig.get().runtime.config_sources:
            if source.provider == "command-line":
                yield Path(source.path)
