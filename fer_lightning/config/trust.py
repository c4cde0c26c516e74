"""Decides what a config may import and call: what conf/ names, what only computes, and what a user trusts.

A run's config may come from who knows where. So a `_target_` in it is imported only if it is one of these:

- conf/ names it, at that place. Whoever adds a yaml to conf/ trusts what it names.
- It only computes: torch's own optimizers, learning-rate schedulers and losses, torchvision's v2 transforms. They are
  made of numbers and texts, take tensors and return tensors; none opens a file, connects to a network or runs a text.
  Callbacks and loggers of Lightning are not of this kind: they write where their arguments say, remove what they take
  for their own files, or send a run to a server. Those that conf/ does not name need their user's trust.
- It belongs to a package or module that its user trusts on purpose: see `nets.trusted`. Networks have no `_target_`:
  what is trusted registers them by a name.

And in each case it must be of the kind that belongs in its place: what a trusted package holds besides is not called.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from types import FunctionType
from typing import Any

import lightning as L
import yaml
from hydra.utils import get_object
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.strategies import Strategy
from torch import nn
from torch.nn.modules.loss import _Loss
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchvision.transforms import v2

from fer_lightning.data import FERDataModule
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.installation import CONF
from fer_lightning.nets.trusted import VARIABLE, trusted_modules
from fer_lightning.training.finetuning import Finetuning
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.transforms.augment import Augmentation

HARMLESS_TO_IMPORT = ("torch", "torchvision", "torchmetrics", "lightning", "fer_lightning")
"""They are imported already. They hold much that executes what it is given, so that is all there is to say for them."""

KINDS: dict[str, tuple[Any, ...]] = {
    "data": (FERDataModule,),
    "data.path": (FunctionType,),
    "data.votes": (VotesOptions,),
    "augmentation": (Augmentation, Callable, FunctionType),
    "augmentation.*": (nn.Module,),
    "finetune": (Finetuning,),
    "loss": (CrossEntropy, Callable, FunctionType),
    "optimizer": (Optimizer, FunctionType),
    "scheduler": (LRScheduler, FunctionType),
    "trainer": (L.Trainer,),
    "trainer.*": (Strategy, CheckpointIO),
    "callbacks.progress_bar": (ProgressBar,),
    "callbacks.*": (Callback,),
    "logger.*": (Logger,),
    "action": (),
}
"""The places where a config may have a _target_: classes derived from these, and functions where FunctionType is."""

IN_WORDS = {Callable: "a class whose instances are called", FunctionType: "a function"}

COMPUTING: tuple[tuple[str, str, type], ...] = (
    ("optimizer", "torch.optim", Optimizer),
    ("scheduler", "torch.optim", LRScheduler),
    ("loss", "torch.nn.modules.loss", _Loss),
    ("augmentation*", "torchvision.transforms.v2", v2.Transform),
)
"""Classes that only compute: the place, the module that they are from, and their base class."""


def trusted_target(place: str, name: str) -> Any:
    """Returns what a _target_ names, which is imported only if it is trusted.

    Args:
        place: the key of the node that has it, as in "optimizer" or "callbacks.checkpoint".
        name: with its module, as in "torch.optim.RAdam".

    Raises:
        ValueError: it is not trusted, of another kind than belongs there, or not there; the text begins with the name.
    """
    pattern = next((pattern for pattern in KINDS if fnmatchcase(place, pattern)), None)
    if pattern is None:
        raise ValueError(f"{name}; a run's own config may name something to call only at {', '.join(KINDS)}")
    if named_in_conf(place, name):
        return _imported(name)
    trusted = [module for module in trusted_modules() if _lies_in(name, module)]
    package = name.partition(".")[0]
    if not trusted and package not in HARMLESS_TO_IMPORT:
        raise ValueError(f"{name}; {_only_trusted(package)}")
    target, kinds = _imported(name), KINDS[pattern]
    if not _is_of(kinds, target):
        expected = " or ".join(IN_WORDS.get(kind, getattr(kind, "__name__", "")) for kind in kinds)
        raise ValueError(f"{name}; there a run's own config may only name {expected or 'what conf/ names there'}")
    if name in trusted or any(_lies_in(target.__module__, module) for module in trusted):
        return target
    if any(
        fnmatchcase(place, where) and _is_of((kind,), target) and _lies_in(target.__module__, module)
        for where, module, kind in COMPUTING
    ):
        return target
    if trusted:  # mylion.subprocess.run is no part of mylion
        raise ValueError(f"{name}, which comes from {target.__module__}; {_only_trusted(target.__module__)}")
    raise ValueError(f"{name}; {_only_trusted(name if inspect.isclass(target) else '')}")


def named_in_conf(place: str, name: str) -> bool:
    return any(name in names for pattern, names in _targets_of_conf().items() if fnmatchcase(place, pattern))


def _lies_in(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _imported(name: str) -> Any:
    try:
        return get_object(name)
    except Exception as error:  # of a module of somebody's own, any
        raise ValueError(f"{name}, which cannot be imported: {error}") from error


def _is_of(kinds: tuple[Any, ...], target: Any) -> bool:
    if inspect.isclass(target):
        return issubclass(target, kinds)
    return FunctionType in kinds and isinstance(target, FunctionType)


def _only_trusted(what: str) -> str:
    """States the rule, and how to trust `what`, unless nobody should."""
    rule = "a run's own config may only name what conf/ names there, what only computes, and what you trust"
    package = what.partition(".")[0]
    if not what.replace(".", "_").isidentifier() or package in sys.stdlib_module_names:
        return rule
    together = ",".join(filter(None, [os.environ.get(VARIABLE), what]))
    return (
        f"{rule}. If you do trust {what}, set {VARIABLE}={together} in the environment, for the training and for "
        f"whatever uses the run afterwards: a test, resume=, loss.teacher, load_model"
    )


@functools.cache
def _targets_of_conf() -> dict[str, frozenset[str]]:
    """Returns what conf/ names at each place of KINDS."""
    found: dict[str, set[str]] = {}
    for file in sorted(CONF.glob("**/*.yaml")):
        group = file.parent.relative_to(CONF).as_posix().replace("/", ".")
        if group.partition(".")[0] == "hydra":  # which is in no run's config
            continue
        text = file.read_text("utf-8")
        place = "" if group == "." or "# @package _global_" in text else group
        nodes: list[tuple[str, Any]] = [(place, yaml.load(text, yaml.CSafeLoader))]
        for key, node in nodes:  # which grows on the way
            if isinstance(node, dict):
                nodes += [(f"{key}.{inner}".lstrip("."), one) for inner, one in node.items()]
            elif key.rpartition(".")[2] == "_target_":
                where = key.rpartition(".")[0]
                for pattern in KINDS:
                    if fnmatchcase(where, pattern):
                        found.setdefault(pattern, set()).add(str(node))
    return {pattern: frozenset(names) for pattern, names in found.items()}
