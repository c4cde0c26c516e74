"""Where a run writes: into its own folder, whatever its config says. Imports no torch.

A config that came with a run from elsewhere may name any place, and Lightning writes and removes there. So the places
that are the program's own are set, and other places must lie in the folder of the run. A new run is held to the same
before it trains, since it could not be resumed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.hydra_files import literal_text
from fer_lightning.errors import ConfigError
from fer_lightning.installation import script_name

FOLDERS = {
    "trainer.default_root_dir": "",
    "callbacks.last_checkpoint.dirpath": "checkpoints",
    "callbacks.checkpoint.dirpath": "checkpoints",
    "logger.csv.save_dir": "",
    "logger.tensorboard.save_dir": "",
}
"""The program's own places, below the folder of the run."""

FILE_NAMES = {
    "callbacks.checkpoint.filename": "best",
    "logger.csv.name": "",
    "logger.csv.version": "",
    "logger.csv.prefix": "",
    "logger.tensorboard.name": "tensorboard",
    "logger.tensorboard.version": "",
}
"""The names of what lies there: test.py, resume= and the report look for these."""

KEPT_OF_TRACKERS: dict[str, tuple[str, ...]] = {
    "WandbLogger": (
        *("project", "entity", "name", "group", "job_type", "tags", "notes"),
        *("mode", "offline", "log_model", "prefix"),
    ),
    "MLFlowLogger": ("experiment_name", "run_name", "tags", "tracking_uri", "log_model", "prefix", "synchronous"),
}
"""Arguments that describe a run to these loggers; others can lead to another server, or into another run's curves."""

TRACKING_URI = "sqlite:///outputs/mlflow.db"
"""The address in conf/logger/mlflow.yaml; a run that goes on writes to another only if $MLFLOW_TRACKING_URI says so."""

MEASURING = (
    *("_target_", "_convert_", "accelerator", "precision", "limit_test_batches"),
    *("deterministic", "benchmark", "inference_mode"),
)
"""The keys of its trainer that the test of a run uses."""

OF_A_PLACE = {"dir", "path", "folder", "file", "filename", "dirpath", "filepath", "uri", "root", "location"}
"""A key with one of these words names a place."""


def keep_to_own_folder(run: DictConfig, run_dir: Path) -> list[str]:
    """Sets in the config of a run that goes on which places it writes to; returns the keys that it takes out.

    Raises:
        ConfigError: it names another place outside of the run's folder.
    """
    OmegaConf.set_struct(run, False)
    places = {key: literal_text(str(run_dir.absolute() / below)) for key, below in FOLDERS.items()}
    for key, text in (places | FILE_NAMES).items():
        if OmegaConf.select(run, key.rpartition(".")[0]):
            OmegaConf.update(run, key, text, force_add=True)
    taken_out = []
    for name, node in _nodes(run, "callbacks"):
        if node._target_ == "fer_lightning.sweep.pruning.Pruning":  # it writes into the study of the whole sweep
            del run.callbacks[name]
            taken_out.append(f"callbacks.{name}")
    for name, node in _nodes(run, "logger"):
        if (kept := _kept_of_tracker(node)) is None:
            continue
        uri = node.get("tracking_uri")
        if uri and uri not in (TRACKING_URI, os.environ.get("MLFLOW_TRACKING_URI")):
            raise ConfigError(
                f"logger.{name}.tracking_uri is {uri}, which a run's own config cannot choose. If its curves are to go "
                f"there, say so by MLFLOW_TRACKING_URI={uri} in the environment"
            )
        for argument in [str(one) for one in node if one not in kept and not str(one).startswith("_")]:
            if node.pop(argument) is not None and argument != "save_dir":
                taken_out.append(f"logger.{name}.{argument}")
        if "tracking_uri" not in kept:
            node.save_dir = places["trainer.default_root_dir"]
    refuse_other_places(run, run_dir)
    return taken_out


def refuse_other_places(cfg: DictConfig, run_dir: Path) -> None:
    """Refuses a config by which something would be written elsewhere than into the folder of its run.

    Raises:
        ConfigError: names the first key that says so.
    """
    for key, below in FOLDERS.items():
        found = OmegaConf.select(cfg, key, default=run_dir / below)
        if found is None or _whole(Path(str(found))) != _whole(run_dir / below):
            raise ConfigError(f"{key} is {found}; a run keeps that in its own folder, {run_dir / below}: leave it out")
    for key, expected in FILE_NAMES.items():
        if (found := OmegaConf.select(cfg, key, default=expected)) != expected:
            raise ConfigError(
                f"{key} is {found!r}; the report, {script_name('test.py')} and resume= need {expected!r}: leave it out"
            )
    for key, allowed in (("save_top_k", (1,)), ("save_last", (None, False))):
        if (found := OmegaConf.select(cfg, f"callbacks.checkpoint.{key}", default=allowed[0])) not in allowed:
            raise ConfigError(
                f"callbacks.checkpoint.{key} is {found}; a run keeps its best checkpoint, best.ckpt, and by "
                f"callbacks.last_checkpoint its last one: leave it out"
            )
    for key, text in _texts(cfg):
        if not _lies_within(key, text, run_dir):
            raise ConfigError(
                f"{key} is {text}, outside of the run's folder: such a run cannot be resumed. Give a place in it, as "
                f"'${{hydra:runtime.output_dir}}/more'"
            )


def measuring_trainer(run: DictConfig, folder: Path) -> DictConfig:
    """Returns what measuring takes of the trainer of a run: its profiler or plugins would write.

    It writes into this folder, on one device, however many the run was trained on.
    """
    trainer: DictConfig = OmegaConf.masked_copy(run.trainer, [key for key in MEASURING if key in run.trainer])
    trainer.update({"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_checkpointing": False})
    trainer.default_root_dir = literal_text(str(folder))
    return trainer


def refuse_links(run_dir: Path) -> None:
    """Refuses the folder of a run with a link in it that leads out of it: what is there would be overwritten.

    Raises:
        ConfigError: names the first such link.
    """
    whole = run_dir.resolve()
    for folder, folders, files in os.walk(whole):
        for name in (*folders, *files):
            link = Path(folder) / name
            if link.is_symlink() and not _is_within(link, whole):
                raise ConfigError(
                    f"{link} is a link to {os.readlink(link)}, outside of the run's folder, where a run that goes on "
                    f"writes: put in its place what it leads to"
                )


def _nodes(cfg: DictConfig, group: str) -> list[tuple[str, DictConfig]]:
    """Returns the objects of a group, by name."""
    nodes = cfg.get(group)
    pairs = nodes.items() if isinstance(nodes, DictConfig) else ()
    return [(str(name), node) for name, node in pairs if isinstance(node, DictConfig) and "_target_" in node]


def _kept_of_tracker(node: DictConfig) -> tuple[str, ...] | None:
    """Returns the arguments that a tracker keeps; None for a logger that writes into the run's folder alone."""
    return KEPT_OF_TRACKERS.get(str(node._target_).rpartition(".")[2])


def _texts(cfg: DictConfig) -> Iterator[tuple[str, str]]:
    """Yields the texts of all objects that write, references resolved, but for the program's own and for trackers."""
    trackers = {f"logger.{name}" for name, node in _nodes(cfg, "logger") if _kept_of_tracker(node) is not None}
    groups = ("trainer", "callbacks", "logger")
    pairs: list[tuple[str, Any]] = [
        (name, OmegaConf.to_container(cfg[name], resolve=True)) for name in groups if cfg.get(name)
    ]
    for key, value in pairs:  # which grows on the way
        if key in trackers:
            continue
        if isinstance(value, dict):
            pairs += [(f"{key}.{inner!s}", one) for inner, one in value.items()]
        elif isinstance(value, list):
            pairs += [(f"{key}.{place}", one) for place, one in enumerate(value)]
        elif isinstance(value, str) and key not in FOLDERS and key not in FILE_NAMES:
            yield key, value


def _lies_within(key: str, text: str, run_dir: Path) -> bool:
    """Returns whether a text names no place, or one in the folder of the run."""
    above = {".."} & {*re.split(r"[/\\]", text)}
    if key.endswith(".filename"):  # below a folder that has a key of its own
        return not above and text[:1] not in ("/", "\\", "~")
    elsewhere = above or re.match(r"[/\\~]|[A-Za-z]:[/\\]|(?!https?:)\w+://", text)
    if not elsewhere and not OF_A_PLACE & {*key.rpartition(".")[2].split("_")}:
        return True
    return "://" not in text and _is_within(Path(text), run_dir)


def _is_within(path: Path, folder: Path) -> bool:
    return _whole(path).is_relative_to(_whole(folder))


def _whole(path: Path) -> Path:
    return path.expanduser().resolve()
