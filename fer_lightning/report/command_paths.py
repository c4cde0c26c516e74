"""Takes folders out of commands: what was trained is the same wherever its files lie. Imports nothing slow."""

import re

CONFIG_FOLDERS = re.compile(r" --config-(?:path|dir)=(?:'[^']*'|\S+)")

LEADING_FOLDERS = re.compile(r"(?<=[=\[,'\"])(?:~|[A-Za-z]:)?[/\\](?:[^\s,\[\]{}'\"]*[/\\])?")
"""The folders in front of a file's name, where its path is a whole one."""

FOLDERS_OF_SETS = re.compile(r"[^\[\],{}:\s]*[/\\](?=[^/\\])")
"""The folders that each of several sets is in, also where its path is relative."""


def without_folders(command: str) -> str:
    """Returns a command as it is typed elsewhere: with the names of its files and folders, and not where they are.

    Relative paths stay: a value like lr=1/2 looks like one.
    """
    return LEADING_FOLDERS.sub("", CONFIG_FOLDERS.sub("", command))


def sets_without_folders(value: str) -> str:
    """Returns a value of paths with … for them; of several sets, such as [a/x.csv,b/y], with their names."""
    return FOLDERS_OF_SETS.sub("…/", value) if value.startswith("[") else "…"
