"""The error that a user can cause with a command or a config."""


class ConfigError(ValueError):
    """A config that cannot be used: says which key, what was there, what was expected."""
