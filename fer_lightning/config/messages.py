"""Says in one message what is wrong with a command: which key or group, and what was meant or can be chosen."""

import difflib
import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from fer_lightning.config.hydra_internals import root_of
from fer_lightning.config.trainer_options import NOT_TAKEN, TAKEN
from fer_lightning.config.typed_command import override
from fer_lightning.errors import ConfigError
from fer_lightning.installation import CONF, command_name

NAMES_ELSEWHERE = {
    "data": ("dataset",),
    "data.batch_size": ("batch", "batch_size", "bs"),
    "data.image_size": ("image_size", "img_size", "imgsz", "input_size"),
    "data.path": ("csv", "data_dir", "data_path", "dataset_path", "root"),
    "hydra.run.dir": ("exp_dir", "log_dir", "logdir", "out_dir", "output", "output_dir", "save_dir"),
    "loss": ("criterion", "loss_fn"),
    "model": ("arch", "architecture", "backbone", "net", "network"),
    "optimizer": ("opt", "optim"),
    "optimizer.lr": ("learning_rate", "lr", "lr0"),
    "optimizer.weight_decay": ("wd",),
    "scheduler": ("lr_scheduler", "sched"),
    "seed": ("manual_seed", "random_seed", "random_state"),
    "trainer.accelerator": ("cuda", "device"),
    "trainer.accumulate_grad_batches": ("accumulation_steps", "gradient_accumulation_steps"),
    "trainer.devices": ("gpu", "gpus", "n_gpus", "num_gpus"),
    "trainer.gradient_clip_val": ("clip", "clip_grad", "clip_grad_norm", "grad_clip", "max_grad_norm"),
    "trainer.max_epochs": ("epoch", "epochs", "max_epochs", "n_epochs", "nb_epochs", "num_epochs", "num_train_epochs"),
    "trainer.precision": ("amp", "bf16", "fp16"),
}
"""Keys of ours, and what the same thing is called in other programs."""

NOT_HERE = dict.fromkeys(
    ("workers", "num_workers", "n_workers", "dataloader_num_workers"),
    "batches are made without worker processes, which would only slow them down: leave it out",
)
"""Options of other programs that this one does not need."""


def message(error: Exception) -> str:
    """Returns what is wrong, where, and which choices there are."""
    if ours := next((e for e in _chain(error) if isinstance(e, ConfigError)), None):  # from a resolver too
        return str(ours)
    cause = error.__cause__
    if isinstance(error, InstantiationException) and cause is not None:
        return f"{str(error).rpartition('full_key: ')[2]}: {cause}"
    origin = cause if isinstance(cause, OmegaConfBaseException) else error
    if isinstance(origin, OmegaConfBaseException) and _is_unknown_key(origin):
        return _unknown_key(origin)
    if isinstance(error, ConfigCompositionException) and isinstance(cause, InterpolationResolutionError):
        key = cause.full_key  # Hydra looks what + and ~ would replace, and there is no folder yet
        return f"{key} refers to the folder of the run: set it as it is, without + or ~, as in {key}=…"
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    # Below the choices of a group, Hydra lists the folders that it searched.
    text = str(error).partition("\nConfig search path")[0].strip()
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        text += _hint_for_missing(error.missing_cfg_file, listed=bool(error.options))
    elif there := re.match("Could not append to config. An item is already at '(.+)'", text):
        text = f"there is a key {there[1]} already, so set it without a plus: {there[1]}=…"
    elif isinstance(error, ConfigCompositionException):
        text, of_a_group, _ = text.partition("\nTo append to your default list")  # by a plus; test.py has no groups
        text += "\nHere single keys can be set, as in data.path=…" if of_a_group else ""
    return text


def our_name(name: str) -> str | None:
    """Returns the key that sets what other programs call this; None for a name that is known nowhere."""
    return next((key for key, names in NAMES_ELSEWHERE.items() if name.lower().replace("-", "_") in names), None)


def latest_runs() -> str:
    """Returns a sentence that names up to three of them, with a space before it; empty if there are none."""
    runs = sorted(Path("outputs").glob("train/*/checkpoints/best.ckpt"), key=lambda file: file.stat().st_mtime)[-3:]
    words = [shlex.quote(override("run_dir", run.parent.parent).partition("=")[2]) for run in runs]
    return f" The latest runs: {', '.join(words)}" if runs else ""


def choices_of(group: str) -> list[str]:
    """Returns the names of the files of a group of conf/."""
    return [file.stem for file in _group(group)]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, and those that it was raised from or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unreadable(error: OverrideParseException) -> str:
    if "…" in error.override:
        return f"{error.override}: … stands for a name: put that of your own run in its place.{latest_runs()}"
    if sum(map(error.override.count, "[{")) > sum(map(error.override.count, "]}")):
        key = error.override.partition("=")[0]
        return (
            f"{error.override}: a bracket is not closed. A blank ends a word in a shell, so write the list without "
            f"blanks, as in {key}=[a,b], or quotes around all of it: '{key}=[a, b]'"
        )
    text = "Overrides are key=value. A value with spaces, commas or brackets needs quotes within quotes: "
    return f"{str(error).strip()}\n{text}" + "\"data.path='fer2013 (1).csv'\""


def _hint_for_missing(file: str, listed: bool) -> str:
    """Returns what to do about a missing file of conf/; listed: whether Hydra has named those that are there."""
    group, _, name = file.rpartition("/")
    package = re.match("joblib|submitit", name)
    if group == "hydra/launcher" and package:
        return f"\nIt needs a package: pip install hydra-{package[0]}-launcher"
    if file == "callbacks/gradient_clipping":
        return "\nGradients are clipped by trainer.gradient_clip_val=5, whatever callbacks there are: leave it out"
    if listed or "/" in group or not group:
        return ""
    near = difflib.get_close_matches(name, choices_of(group), n=1)
    return (f"\nDid you mean {near[0]}?" if near else "") + f"\nChoices of {group}: {', '.join(choices_of(group))}"


def _group(name: str) -> list[Path]:
    return sorted((CONF / name).glob("*.yaml"))


def _is_unknown_key(error: OmegaConfBaseException) -> bool:
    return OmegaConf.is_dict(error.parent_node) and error.key not in (None, *error.parent_node)


def _unknown_key(error: OmegaConfBaseException) -> str:
    # Unresolved: what is there may refer to the run's folder, and there is none yet.
    parent: Any = OmegaConf.to_container(error.parent_node, resolve=False)
    key, full_key = str(error.key), str(error.full_key)
    text = f"there is no key {full_key}"
    if full_key in NOT_TAKEN:
        return f"{full_key}: {NOT_TAKEN[full_key]}"
    if key in NOT_HERE:
        return f"{text}: {NOT_HERE[key]}"
    target = str(parent.get("_target_", ""))
    addable = f"{text} in conf/, but {target} takes it: add it with a plus, as in +{full_key}=…"
    if target == "lightning.Trainer" and key in TAKEN:
        return addable
    keys = [str(one) for one in parent if one != "hydra" and not str(one).startswith("_")]
    root: Any = OmegaConf.to_container(root_of(error.parent_node), resolve=False)
    near = [name for name in (our_name(key),) if name and _is_there(root, name)]
    near = near or difflib.get_close_matches(key, keys, n=1)
    near = near or [f"{one}.{key}" for one in keys if isinstance(parent[one], dict) and key in parent[one]]
    elsewhere = _choices_that_have(full_key)
    if not near and not elsewhere and _takes(target, key):  # which imports what it asks
        return addable
    meant = f"\nDid you mean {near[0]}?" if near else ""
    return f"{text}{meant}\nKeys here: {', '.join(keys)}{elsewhere}"


def _takes(target: str, key: str) -> bool:
    """Checks whether what a node describes has an argument of this name, also if its yaml does not list it."""
    module, _, name = target.rpartition(".")
    try:
        parameters = inspect.signature(getattr(import_module(module), name)).parameters
    except Exception:  # whatever importing it raises: what is wrong is the key
        return False
    return key in parameters


def _is_there(config: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(config, dict) or part not in config:
            return False
        config = config[part]
    return True


def _choices_that_have(full_key: str) -> str:
    """Returns the choices of the key's group in whose file it is, as in loss=distillation for loss.teacher."""
    group, _, key = full_key.partition(".")
    if command_name(sys.argv[0]) != "train":  # test.py has no groups: a run brings its own
        return ""
    as_typed = "'callbacks=[default,{}]'" if group == "callbacks" else group + "={}"
    line = re.compile(rf"^{re.escape(key)}:", re.MULTILINE)
    having = [as_typed.format(file.stem) for file in _group(group) if line.search(file.read_text("utf-8"))]
    return f"\nIt is a key of {', '.join(having)}" if having else ""
