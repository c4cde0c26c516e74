"""The errors that a user can cause: with a command or a config, or with data."""

LONGEST_MESSAGE = 4000
"""Characters of an error about data: a longer one loses its middle."""


class ConfigError(ValueError):
    """A config that cannot be used: says which key, what was there, what was expected."""


class DataError(ValueError):
    """Data that cannot be used: says which file, which row, what was there, what was expected and what to do."""

    def __init__(self, message: str) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE - 1003]} … {message[-1000:]}"
        super().__init__(message)
