"""Reads what Hydra writes into the folders of runs and sweeps as plain values: bounded, and nothing is resolved.

A folder from elsewhere could otherwise have the values of environment variables resolved into a report, or a few
hundred characters become billions of nodes. Imports neither torch nor Hydra.
"""

from pathlib import Path
from typing import Any

import yaml

from fer_lightning.errors import ConfigError
from fer_lightning.files import text_in

LONGEST_FILE = 1 << 16
"""Characters of one of Hydra's files; honest ones have some 6,000."""

DEEPEST = 32
"""Levels of lists and mappings within each other; honest files have some eight."""


def plain_yaml(file: Path, longest: int = LONGEST_FILE) -> Any:
    """Returns the plain values in a file, where a text like ${seed} is just that text.

    Raises:
        ConfigError: it cannot be read, or Hydra has not written it.
    """
    try:
        return yaml.load(yaml_text(file, longest), yaml.CSafeLoader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise error if isinstance(error, ConfigError) else unreadable(file, error) from error


def hydra_value(run_dir: Path, *keys: str) -> Any:
    """Returns the value below `hydra` in .hydra/hydra.yaml that the keys lead to; None where there is none.

    Raises:
        ConfigError: as `plain_yaml`.
    """
    value = plain_yaml(run_dir / ".hydra" / "hydra.yaml")
    for key in ("hydra", *keys):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def run_overrides(run_dir: Path) -> list[str] | None:
    """Returns what was typed or chosen for a run; None if it was killed before that was written.

    Raises:
        ConfigError: as `plain_yaml`, or it is no list.
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


def yaml_text(file: Path, longest: int) -> str:
    """Returns what a file holds, if it could be YAML that Hydra has written.

    Raises:
        ConfigError: as `plain_yaml`.
    """
    if not file.is_file():
        raise ConfigError(f"{file} is not a file")
    try:
        text = text_in(file, longest)
    except OSError as error:
        raise unreadable(file, error) from error
    except ValueError as error:  # it says which file
        raise ConfigError(str(error)) from error
    depth = 0
    try:
        # By libyaml, since PyYAML's own parser takes minutes for some thousand brackets. Of a few aliases of aliases
        # OmegaConf would make billions of nodes, and a list in a list in a list … would fill the stack.
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(f"{file} holds YAML aliases (*name), which Hydra does not write")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ConfigError(f"{file} is nested deeper than {DEEPEST} levels: Hydra has not written it")
    except yaml.YAMLError as error:
        raise unreadable(file, error) from error
    return text


def unreadable(file: Path, error: BaseException) -> ConfigError:
    """Returns the error for a file that no config of a run can be read from."""
    return ConfigError(f"{file} cannot be read as the config of a run: {str(error)[:300]}")
