"""Commands as a person types them: those that the program prints work when pasted, and a plain path needs no quotes."""

import functools
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from fer_lightning.installation import CONF, shell_command

CHUNK = re.compile(r"(?:\$\{[^{}]*\}|[^,=()\[\]{}])+")
"""Text between the characters that mean something to Hydra; a reference, as in ${seed}, is part of it."""

INNER_KEY = re.compile(r"^\s*\w{2,}:")
"""The key of a value in a mapping, as in {path: /home/José}; one letter is a drive of Windows."""


def command(script: str, *words: str) -> str:
    """Returns the shell command that starts a script of this program with these overrides and options."""
    return shlex.join([*shell_command(script).split(), *words])


def override(key: str, value: object) -> str:
    """Returns the override from which Hydra reads this very value for the key, quoted if need be."""
    text = str(value)
    if isinstance(value, Path) and (text.startswith("~") or text == "???"):  # which mean something to what reads them
        text = str(value.absolute())
    plain = f"{key}={text}"
    if _value(plain) == text and "${" not in text:
        return plain
    no_reference = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return f"{key}={QuotedString(no_reference, Quote.double).with_quotes()}"


def as_typed(path: Path) -> Path:
    """Returns the path as its user would type it: relative, where it lies in the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def shell_word(path: Path) -> str:
    """Returns the path, quoted for a shell; also as an argument of its own it is not taken for an option."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def typed_overrides(overrides: Any) -> list[str]:
    """Returns what Hydra has recorded, as in hydra.overrides.task, with its references as they were typed."""
    recorded = OmegaConf.to_container(overrides, resolve=False) if OmegaConf.is_config(overrides) else overrides
    return [str(one) for one in recorded or []]


def config_options(hydra: DictConfig | dict[str, Any] | None) -> list[str]:
    """Returns the options that let a command find the same configs: --config-dir, --config-path, --config-name, …

    Args:
        hydra: the `hydra` part of a run's or a sweep's config.
    """
    plain: Any = OmegaConf.to_container(hydra, resolve=False) if isinstance(hydra, DictConfig) else hydra or {}
    job, runtime, overrides = (plain.get(key) or {} for key in ("job", "runtime", "overrides"))
    options = []
    for source in runtime.get("config_sources") or []:
        folder = Path(str(source.get("path")))
        if source.get("provider") == "command-line":
            options.append(f"--config-dir={as_typed(folder)}")
        elif source.get("provider") == "main" and folder != CONF:
            options.append(f"--config-path={folder}")  # as it was found
    if (name := job.get("config_name")) and name != job.get("name"):
        options.append(f"--config-name={name}")
    searched = [word for word in overrides.get("hydra") or [] if str(word).lstrip("+").startswith("hydra.searchpath=")]
    return [*options, *searched]


def readable(words: Iterable[str]) -> list[str]:
    """Returns a command line with quotes around what Hydra's grammar has no characters for, as in data.path=/home/José.

    What Hydra can read stays as it is, and so does what would mean something else with quotes than without.
    """
    return [word if word.startswith("-") else _readable(word) for word in words]


def _readable(word: str) -> str:
    key, equals, value = word.partition("=")
    # … is no letter of a path, but what help and messages have in the place of one.
    if not equals or any(sign in value for sign in "'\"…") or _parses(word):
        return word

    def quoted(chunk: re.Match[str], without_key: bool) -> str:
        text = INNER_KEY.sub("", chunk[0]).strip() if without_key else chunk[0].strip()
        if not text or _parses(f"{key}={text}"):
            return chunk[0]
        return chunk[0].replace(text, QuotedString(text, Quote.double).with_quotes())

    for without_key in (False, True):
        other = f"{key}={CHUNK.sub(functools.partial(quoted, without_key=without_key), value)}"
        if _parses(other):
            return other
    return word


def _value(word: str) -> object:
    """Returns what an override sets its key to; None also for one that Hydra cannot read."""
    try:
        return OverridesParser.create().parse_override(word).value()
    except HydraException:
        return None


def _parses(word: str) -> bool:
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True
