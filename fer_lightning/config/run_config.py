"""The config that comes with a run from who knows where: it may describe the run, and do nothing more."""

import re
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.hydra_files import config_file
from fer_lightning.config.trust import trusted_target
from fer_lightning.errors import ConfigError
from fer_lightning.report.run_yaml import hydra_value, run_overrides
from fer_lightning.training.checkpoint_names import CHECKPOINTS

NEEDED_GROUPS = ("data", "augmentation", "model", "finetune", "loss", "optimizer", "trainer", "callbacks")

REFERENCES = re.compile(r"(?:[^$]|\$(?!\{)|\$\{(?:hydra:)?[\w./\[\]-]+\}|\$\{better:\$\{[\w.]+\}\})*")
"""Texts that at most refer to other keys. OmegaConf's other resolvers make nodes of texts and read the environment."""


def run_config(run_dir: Path) -> DictConfig:
    """Returns the config of a run, as Hydra has left it in its folder.

    Raises:
        ConfigError: it cannot be read, or is none that Hydra writes.
    """
    file = run_dir / ".hydra" / "config.yaml"
    cfg = config_file(file)
    if not isinstance(cfg, DictConfig):
        raise ConfigError(f"{file} is a list, not the config of a run")
    return cfg


def refuse_unreadable(run_dir: Path) -> None:
    """Refuses a run whose files could not be read when it is tested or resumed: Hydra has written them already.

    Raises:
        ConfigError: says which, as one that is too long.
    """
    if not (run_dir / ".hydra").is_dir():  # not started by Hydra's own way
        return
    run_config(run_dir)
    hydra_value(run_dir)
    run_overrides(run_dir)


def checkpoint_of(run_dir: Path, name: str | None = None) -> Path:
    """Returns a run's checkpoint of this name, best or last; without a name, the one that train.py tested.

    Raises:
        ConfigError: a run whose config cannot be read, or names foreign code or another checkpoint.
    """
    if name is None:
        run = run_config(run_dir)
        refuse_foreign(run)
        name = run.get("ckpt")
        if name not in CHECKPOINTS:
            file = run_dir / ".hydra" / "config.yaml"
            raise ConfigError(f"{file}: ckpt is {name}; it is one of {', '.join(CHECKPOINTS)}")
    return run_dir / "checkpoints" / f"{name}.ckpt"


def refuse_foreign(cfg: DictConfig) -> None:
    """Refuses the config of a run that names what is not trusted, or has keys that such a config does not have.

    Raises:
        ConfigError: names the first key that does.
    """
    model: Any = OmegaConf.to_container(cfg, resolve=False).get("model")  # type: ignore[union-attr]
    if isinstance(model, dict) and str(model.get("_target_")).startswith("fer_lightning."):
        raise ConfigError("this run was made by version 0.1 of fer_lightning, whose runs are not read. Train it again")
    refuse_untrusted(cfg)
    for group in NEEDED_GROUPS:
        if not isinstance(OmegaConf.select(cfg, group), DictConfig):
            raise ConfigError(f"{group} has no keys in the config of this run: it is damaged, or of another program")
    if not isinstance(cfg.get("monitor"), str):
        raise ConfigError("monitor is no name in the config of this run: it is damaged, or of another program")
    if "action" not in cfg:
        raise ConfigError("action is no key in the config of this run: an older version of this program made it")


def refuse_untrusted(cfg: DictConfig) -> None:
    """Refuses a config that would import, call or look up what is not trusted: see `trust`.

    Raises:
        ConfigError: names the first key that does.
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
                f"Write the value itself; for a run that is there, into its .hydra/config.yaml"
            )
    for place, name in targets:
        if place == "model":
            raise ConfigError(
                f"model._target_ is {name}; a network has no _target_: model.name says what it is registered by, as in "
                f"conf/model/"
            )
        try:
            trusted_target(place, name)
        except ValueError as error:
            raise ConfigError(f"{place}._target_ is {error}") from error
