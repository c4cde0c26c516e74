"""hydra.sweeper.storage, the URL of a database: its password gets into no config, no log and no printed command.

What is typed moves into an environment variable, which the processes that this one starts inherit.
"""

import os
import re
from collections.abc import Sequence

from fer_lightning.config.typed_command import override
from fer_lightning.errors import ConfigError

KEY = "hydra.sweeper.storage"

URL_VARIABLE = "FER_LIGHTNING_STORAGE"
"""The environment variable that holds the URL with its password."""

HIDDEN = "***"
"""In the place of a password."""

_BEFORE_HOST = re.compile(r"(?<=://)([^:@/?]*):(.*)@", re.DOTALL)
"""A user and a password. The last @ ends it, so that one in the password shows nothing of it."""

_IN_QUERY = re.compile(r"(?<=[?&])([^=&]*(?:pass|pwd|secret|token)[^=&]*)=([^&]*)", re.IGNORECASE)


def without_password(url: str) -> str:
    """Returns the URL as it may be shown."""
    return _IN_QUERY.sub(rf"\1={HIDDEN}", _BEFORE_HOST.sub(rf"\1:{HIDDEN}@", url))


def with_password(url: str) -> str:
    """Returns the URL that one can connect with.

    Args:
        url: as it was typed, or `without_password`.

    Raises:
        ConfigError: its password is hidden, and the environment variable does not hold this URL.
    """
    return url if HIDDEN not in url or without_password(url) != url else url_of_this_process(url)


def url_of_this_process(shown: str) -> str:
    """Returns the URL in the environment variable, if it is this one.

    Args:
        shown: without password, as in a sweep's folder, which alone leads to no database.

    Raises:
        ConfigError: the environment variable does not hold this URL.
    """
    whole = os.environ.get(URL_VARIABLE, "")
    if without_password(whole) != shown or HIDDEN in whole:
        raise ConfigError(
            f"{KEY}={shown} alone leads nowhere, since passwords are not written down: put the whole URL, with its "
            f"password if it has one, into the environment variable {URL_VARIABLE}, or type it"
        )
    return whole


def hide_passwords(words: Sequence[str]) -> list[str]:
    """Returns what was typed without the password of the storage; the URL moves into the environment variable.

    A URL that refers to another variable, as in ${oc.env:STUDY_URL}, is resolved when it is used.

    Raises:
        ConfigError: a password is typed within a URL that refers to something.
    """
    return [_hidden(word) for word in words]


def refuse_written_password(url: str) -> None:
    """Refuses a password that would be copied into the folder of each run.

    Args:
        url: as it stands in the config, its references not resolved; what was typed has no password any more.

    Raises:
        ConfigError: it has one.
    """
    if _has_password(url):
        raise ConfigError(
            f"{KEY} is {without_password(url)}, with its password in plain text, which would be written into every "
            f"run's folder. Put the whole URL into an environment variable, and write ${{oc.env:NAME}} here"
        )


def _has_password(url: str) -> bool:
    """Returns whether a password stands there itself, and not a reference to one."""
    found = [match[2] for pattern in (_BEFORE_HOST, _IN_QUERY) for match in pattern.finditer(url)]
    return any(password and password != HIDDEN and "${" not in password for password in found)


def _hidden(word: str) -> str:
    key, equals, value = word.partition("=")
    if key.lstrip("+") != KEY or not equals:
        return word
    url = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    if not _has_password(url):
        return word
    if "${" in url:
        refuse_written_password(url)
    os.environ[URL_VARIABLE] = url
    return key.removesuffix(KEY) + override(KEY, without_password(url))
