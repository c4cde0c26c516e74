"""Modules of somebody's own, found in the folder where a command is typed and next to the folder of --config-dir.

A console script has neither folder on sys.path, and they are not put there: a stray random.py or wandb.py would be
taken for what Python, torch or Lightning mean by that name. Only the modules that the user lists as trusted are looked
for, and only if Python has not found them elsewhere.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_lightning.nets.registry import typed_modules


class OwnModules(MetaPathFinder):
    """Finds the modules of $FER_LIGHTNING_TRUST in these folders, the first first."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [str(folder) for folder in folders]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in {name.partition(".")[0] for name in typed_modules()}:
            return PathFinder.find_spec(fullname, self.folders, target)
        return None


def find_own_modules() -> None:
    """Lets this process find them, be it the one that was started or one that runs a job of a sweep."""
    hydra = HydraConfig.get()
    folders = [folder.parent for folder in config_dirs(hydra)] + [Path(hydra.runtime.cwd)]
    others = [finder for finder in sys.meta_path if not isinstance(finder, OwnModules)]
    sys.meta_path[:] = [*others, OwnModules(folders)]


def config_dirs(hydra: DictConfig) -> Iterator[Path]:
    """Yields the folder of --config-dir, if one was typed.

    Args:
        hydra: the `hydra` part of the config of this process, never of a run: it says where code is looked for.
    """
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line":
            yield Path(source.path)
