"""What Hydra writes into the folders of runs and sweeps, read as it stands: bounded, and nothing in it is resolved.

A folder from elsewhere could otherwise have the values of environment variables resolved into a report, or a few
hundred characters become billions of nodes. Imports no torch.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.errors import ConfigError

LONGEST = 1 << 14
"""Characters of a config.yaml; honest ones have some 3,000."""

LONGEST_OTHER = 1 << 16
"""Of Hydra's other files; honest ones have some 6,000."""

LONGEST_PLAN = 1 << 24
"""Of the overrides of all jobs of a sweep."""

_REFERENCE = re.compile(r"(\\*)\$\{")
"""With the backslashes before it, which an escaped one has twice."""

DEEPEST = 32
"""Levels of lists and mappings within each other; honest files have some eight."""


def config_file(file: Path) -> DictConfig | ListConfig:
    """A config with its references as they stand, which are resolved once a value is asked for.

    Raises:
        ConfigError: it cannot be read, or Hydra has not written it.
    """
    text = _text(file, LONGEST)
    try:
        config = OmegaConf.create(text)
    except (ValueError, AssertionError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise _unreadable(file, error) from error
    assert isinstance(config, DictConfig | ListConfig)
    return config


def plain_yaml(file: Path, longest: int = LONGEST_OTHER) -> Any:
    """The plain values in a file, where a text like ${seed} is just that text.

    Raises:
        ConfigError: as `config_file`.
    """
    try:
        return yaml.load(_text(file, longest), yaml.CSafeLoader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise error if isinstance(error, ConfigError) else _unreadable(file, error) from error


def hydra_value(run_dir: Path, *keys: str) -> Any:
    """The value below `hydra` in .hydra/hydra.yaml that the keys lead to; None where there is none.

    Raises:
        ConfigError: as `config_file`.
    """
    value = plain_yaml(run_dir / ".hydra" / "hydra.yaml")
    for key in ("hydra", *keys):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def overrides_of(run_dir: Path) -> list[str] | None:
    """What was typed or chosen for a run; None if it was killed before that was written.

    Raises:
        ConfigError: as `config_file`, or it is no list.
    """
    file = run_dir / ".hydra" / "overrides.yaml"
    if not file.exists():
        return None
    overrides = plain_yaml(file)
    if overrides is None or overrides == []:
        return []
    if not isinstance(overrides, list):
        raise ConfigError(f"{file} is not the list of overrides that Hydra writes: it is damaged")
    return [str(override) for override in overrides]


def literal(values: dict[str, Any]) -> DictConfig:
    """A config whose texts stay as they are when they are asked for."""
    config: DictConfig = OmegaConf.create(_escaped(values))
    return config


def literal_text(text: str) -> str:
    """What gives this text when it is asked for as a value of a config, also where it looks like a reference."""
    return _REFERENCE.sub(r"\1\1\\${", text)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return literal_text(value) if isinstance(value, str) else value


def _text(file: Path, longest: int) -> str:
    """What a file holds, if it could be YAML that Hydra has written."""
    try:
        if not file.is_file():  # to read a pipe or a device might never end
            raise ConfigError(f"{file} is not a file")
        with file.open(encoding="utf-8") as stream:
            text = stream.read(longest + 1)
        if len(text) > longest:
            raise ConfigError(f"{file} is longer than {longest:,} characters: Hydra has not written it")
        depth = 0
        # By libyaml, since PyYAML's own parser takes minutes for some thousand brackets. Of a few aliases of aliases
        # OmegaConf would make billions of nodes, and a list in a list in a list … would fill the stack.
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(f"{file} holds YAML aliases (*name), which Hydra does not write")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ConfigError(f"{file} is nested deeper than {DEEPEST} levels: Hydra has not written it")
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise error if isinstance(error, ConfigError) else _unreadable(file, error) from error
    return text


def _unreadable(file: Path, error: BaseException) -> ConfigError:
    return ConfigError(f"{file} cannot be read as the config of a run: {str(error)[:300]}")
