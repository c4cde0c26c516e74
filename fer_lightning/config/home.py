"""The home folder in values of the command line, as in data.path=~/fer2013.csv: shells leave a ~ behind = alone."""

import os
import re

HOME = re.compile(r"(^|[,\[]\s*|\bpath:\s*)(~[^,\[\]{}'\"]*)")
"""A value, one of several, or the path of one of several sets, that begins with ~."""

PLAIN = re.compile(r"[\w/.:+@%-]+", re.ASCII)
"""Text that Hydra takes as it is."""


def with_home(argument: str) -> str:
    """Returns the argument with the home folder for each ~ that begins a value, in quotes where Hydra needs them."""
    key, equals, value = argument.partition("=")
    if key.startswith("-"):  # an option of Hydra's, which takes any text
        return key + equals + os.path.expanduser(value)
    return key + equals + HOME.sub(lambda found: found[1] + _quoted(os.path.expanduser(found[2])), value)


def _quoted(path: str) -> str:
    if PLAIN.fullmatch(path):
        return path
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), path)
    return f"'{escaped}'"
