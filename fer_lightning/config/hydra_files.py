"""Configs out of files, whose references stand until a value is asked for, and configs in which nothing is one."""

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.files import written_whole
from fer_lightning.report.run_yaml import unreadable, yaml_text

LONGEST_CONFIG = 1 << 14
"""Characters of a config.yaml; honest ones have some 3,000."""

_REFERENCE = re.compile(r"(\\*)\$\{")
"""A `${`, with the backslashes before it: twice as many if it is escaped."""


def config_file(file: Path) -> DictConfig | ListConfig:
    """Returns a config with its references as they stand, which are resolved once a value is asked for.

    Raises:
        ConfigError: it cannot be read, or Hydra has not written it.
    """
    text = yaml_text(file, LONGEST_CONFIG)
    try:
        config = OmegaConf.create(text)
    except (ValueError, AssertionError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise unreadable(file, error) from error
    assert isinstance(config, DictConfig | ListConfig)
    return config


def literal(values: dict[str, Any]) -> DictConfig:
    """Returns a config whose texts stay as they are when they are asked for."""
    config: DictConfig = OmegaConf.create(_escaped(values))
    return config


def literal_text(text: str) -> str:
    """Returns what a config gives this text for when it is asked for it, also where it looks like a reference."""
    return _REFERENCE.sub(r"\1\1\\${", text)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return literal_text(value) if isinstance(value, str) else value


def save_config(config: DictConfig | ListConfig, file: Path) -> None:
    """Writes a config, its references as they stand."""
    with written_whole(file) as unfinished:
        OmegaConf.save(config, unfinished)
