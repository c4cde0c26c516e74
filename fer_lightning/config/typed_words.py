"""Turns what was typed into what Hydra takes: options first, and Hydra's own form of what people type in theirs."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from fer_lightning.config.hydra_internals import get_args_parser
from fer_lightning.config.messages import choices_of, our_name
from fer_lightning.config.typed_command import readable
from fer_lightning.errors import ConfigError
from fer_lightning.installation import CONF, command_name, shell_command

SHORT = {"test": {"model": "model.file"}}
"""Of commands: what is typed for a key, where Hydra would take the word for a choice of a group of train.py."""


def for_hydra(script: str, words: Sequence[str]) -> list[str]:
    """Returns the words of a command line such that Hydra reads what they mean.

    Args:
        script: the one that was started.
        words: what was typed after it.

    Raises:
        ConfigError: an option that Hydra does not have, or a group that is left empty and cannot be.
    """
    groups, short = _groups(command_name(script)), SHORT.get(command_name(script), {})
    given, overrides = _options_and_overrides(words)
    options = [word for word in words if word != "--"]  # the process that starts others has put one there
    for override in overrides:
        options.remove(override)
    folder = given.config_path
    if folder and not folder.startswith("pkg://") and not Path(folder).is_absolute():
        options.append(f"--config-path={Path(folder).absolute()}")  # Hydra's own would begin in our package
    if "data" in groups:
        overrides = _with_room_for_sets(overrides)
    # A word that looks like an option comes first: behind an override, argparse takes what follows it for a mistake.
    typed = [_with_whole_key(word, short) for word in readable(overrides)]
    return [*options, *(["--"] if options else []), *(_with_choice(word, groups) for word in typed)]


def _with_room_for_sets(overrides: Sequence[str]) -> list[str]:
    """Returns overrides by which a list for data.path has a place, where no data is chosen.

    OmegaConf does not put a list where a mapping is, and the path of data=demo is one.
    """
    keys = {word.partition("=")[0] for word in overrides}
    has_list = any(re.match(r"\+{0,2}data\.path=.*\[", word) for word in overrides)
    if not has_list or keys & {"data", "experiment"}:
        return [*overrides]
    return ["data.path=null" if "resume" in keys else "data=fer2013", *overrides]


def _options_and_overrides(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        given, others = parser.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}. {shell_command('train.py')} --help lists what can be set") from error
    if strange := [word for word in others if word.startswith("-")]:
        name, _, value = strange[0].lstrip("-").partition("=")
        following = list(words)[list(words).index(strange[0]) + 1 :][:1]
        value = value or next((word for word in following if "=" not in word and not word.startswith("-")), "…")
        meant = f"{our_name(name)}={value}" if our_name(name) else "optimizer.lr=0.1"
        raise ConfigError(
            f"{strange[0]} is no option. What a run is made of is written key=value, without dashes, as in {meant}; "
            f"{shell_command('train.py')} --help lists it"
        )
    return given, [*given.overrides, *others]


def _groups(config: str) -> dict[str, bool]:
    """Returns the groups of a command, and of each whether there may be no choice of it."""
    file = CONF / f"{config}.yaml"
    defaults = OmegaConf.to_container(OmegaConf.load(file), resolve=False)["defaults"] if file.is_file() else []  # type: ignore[index,call-overload]
    groups = {group: choice is None for one in defaults if isinstance(one, dict) for group, choice in one.items()}
    return {group: may_be_none for group, may_be_none in groups.items() if group != "hydra"}


def _with_choice(word: str, groups: dict[str, bool]) -> str:
    """Returns what says in Hydra's way that a group is to have no choice, as logger=null and ~logger do in ours."""
    override = _parsed(word)
    if override is None or (group := override.key_or_group) not in groups:
        return word
    if override.is_add() or override.is_force_add():
        raise ConfigError(f"{word}: {group} is one of the groups already, so without a plus: {word.lstrip('+')}")
    if not override.is_delete() and override.value() not in (None, []):
        return word
    if "none" in choices_of(group):
        return f"{group}=none"
    if groups[group]:
        return f"~{group}"
    single = "; single ones are turned off as in callbacks.pictures=null" if group == "callbacks" else ""
    raise ConfigError(f"{word}: a run needs a choice of {group}, of {', '.join(choices_of(group))}{single}")


def _with_whole_key(word: str, short: Mapping[str, str]) -> str:
    key, equals, value = word.partition("=")
    return f"{short[key]}={value}" if equals and key in short else word


def _parsed(word: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None
