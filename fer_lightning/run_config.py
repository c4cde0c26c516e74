"""The config that comes with a run from who knows where: it may describe the run, and do nothing else."""

import inspect
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import lightning as L
from hydra.utils import get_object
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.strategies import Strategy
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fer_lightning.augment import Augmentation
from fer_lightning.checkpoints import CHECKPOINTS
from fer_lightning.classifier import EmotionClassifier
from fer_lightning.data import FERDataModule
from fer_lightning.data.demo import drawn
from fer_lightning.data.ferplus import Votes
from fer_lightning.errors import ConfigError
from fer_lightning.finetuning import Finetuning
from fer_lightning.hydra_files import config_file
from fer_lightning.losses import CrossEntropy
from fer_lightning.optimization import warmup_cosine

PACKAGES = ("torch", "torchvision", "torchmetrics", "lightning", "fer_lightning")
"""Nothing else is imported for a run's config; they hold much that executes what it is given, so KINDS says more."""

KINDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "data": (FERDataModule,),
    "data.path": (drawn,),
    "data.votes": (Votes,),
    "augmentation": (Augmentation,),
    "model": (EmotionClassifier,),
    "finetune": (Finetuning,),
    "loss": (CrossEntropy,),
    "optimizer": (Optimizer,),
    "scheduler": (LRScheduler, warmup_cosine),
    "trainer": (L.Trainer,),
    "trainer.*": (Strategy, CheckpointIO),
    "callbacks.progress_bar": (ProgressBar,),
    "callbacks.*": (Callback,),
    "logger.*": (Logger,),
}
"""Where a run's config may have a _target_, and which: these functions, these classes and what is derived from them."""

GROUPS = ("data", "augmentation", "model", "finetune", "loss", "optimizer", "trainer", "callbacks")

REFERENCES = re.compile(r"(?:[^$]|\$(?!\{)|\$\{(?:hydra:)?[\w./\[\]-]+\}|\$\{better:\$\{[\w.]+\}\})*")
"""Texts that at most refer to other keys. OmegaConf's other resolvers make nodes of texts and read the environment."""


def run_config(run_dir: Path) -> DictConfig:
    """The config of a run, as Hydra has left it in its folder.

    Raises:
        ConfigError: it cannot be read, or is none that Hydra writes.
    """
    file = run_dir / ".hydra" / "config.yaml"
    cfg = config_file(file)
    if not isinstance(cfg, DictConfig):
        raise ConfigError(f"{file} is a list, not the config of a run")
    return cfg


def checkpoint_of(run_dir: Path, name: str | None = None) -> Path:
    """Of a run, the checkpoint of this name, best or last; without one, that which train.py tested.

    Raises:
        ConfigError: a run whose config cannot be read, or names foreign code or another checkpoint.
    """
    if name is None:
        run = run_config(run_dir)
        refuse_foreign(run)
        name = run.get("ckpt", "best")  # there are runs from before there was the key
        if name not in CHECKPOINTS:
            file = run_dir / ".hydra" / "config.yaml"
            raise ConfigError(f"{file}: ckpt is {name}; it is one of {', '.join(CHECKPOINTS)}")
    return run_dir / "checkpoints" / f"{name}.ckpt"


def refuse_foreign(cfg: DictConfig) -> None:
    """Refuses the config of a run that would import, call or look up what this program's own configs do not.

    Raises:
        ConfigError: names the first key that does, or that has something else than the config of a run.
    """
    pairs: list[tuple[str, Any]] = [("", OmegaConf.to_container(cfg, resolve=False))]
    targets: list[tuple[str, str]] = []
    for key, value in pairs:  # which grows on the way
        if isinstance(value, dict):
            pairs += [(f"{key}.{inner!s}".lstrip("."), one) for inner, one in value.items()]
        elif isinstance(value, list):
            pairs += [(f"{key}.{place}", one) for place, one in enumerate(value)]
        elif key.rpartition(".")[2] == "_target_":
            targets.append((key.rpartition(".")[0], str(value)))
        elif isinstance(value, str) and not REFERENCES.fullmatch(value):
            raise ConfigError(
                f"{key} is {value}; a run's own config may only refer to its own keys, as in ${{seed}}. "
                f"Write the value itself into its .hydra/config.yaml"
            )
    for place, name in targets:
        if name.partition(".")[0] not in PACKAGES:
            raise ConfigError(
                f"{place}._target_ is {name}; a run's own config may only name parts of {', '.join(PACKAGES)}"
            )
        _refuse_other_kind(place, name)
    for group in GROUPS:
        if not isinstance(OmegaConf.select(cfg, group), DictConfig):
            raise ConfigError(f"{group} has no keys in the config of this run: it is damaged, or of another program")
    if not isinstance(cfg.get("monitor"), str):
        raise ConfigError("monitor is no name in the config of this run: it is damaged, or of another program")


def _refuse_other_kind(place: str, name: str) -> None:
    kinds = next((kinds for pattern, kinds in KINDS.items() if fnmatchcase(place, pattern)), None)
    if kinds is None:
        raise ConfigError(
            f"{place}._target_ is {name}; a run's own config may name something to call only at {', '.join(KINDS)}"
        )
    try:
        target = get_object(name)
    except Exception as error:
        raise ConfigError(f"{place}._target_ is {name}, which cannot be imported: {error}") from error
    classes = tuple(kind for kind in kinds if inspect.isclass(kind))
    if target not in kinds and not (inspect.isclass(target) and issubclass(target, classes)):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigError(f"{place}._target_ is {name}; there a run's own config may only name {expected}")
