"""Chooses the folder that a command writes into: empty or new, and in no folder that it looks through."""

import os
from datetime import datetime
from pathlib import Path

from fer_lightning.errors import ConfigError
from fer_lightning.files import folder_around
from fer_lightning.use.arguments import Command
from fer_lightning.use.paths import found_paths

NEW_FOLDERS = Path("outputs", "predict")


def result_folder(command: Command) -> Path | None:
    """Returns the folder to write into, which is not made yet; None where nothing is to be written.

    Raises:
        ConfigError: it has something in it, or lies in a folder that is looked through.
    """
    if command.out is None and command.as_json:
        return None
    if command.out is None:
        if (around := folder_around(NEW_FOLDERS, _folders(command))) is not None:
            raise ConfigError(
                f"the results would lie in {NEW_FOLDERS}, within {around}, where nothing is written: the next command "
                f"may take them for photographs. Say where they are to lie: --out FOLDER"
            )
        # Microseconds, so that two commands that start in the same second get a folder each.
        return NEW_FOLDERS / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    folder = Path(os.path.expanduser(command.out))  # a user who is not there is a folder's name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "has something in it" if folder.is_dir() else "is a file"
        raise ConfigError(f"--out {folder}: it {what}, and nothing is overwritten. Give a new or empty folder")
    if (around := folder_around(folder, _folders(command))) is not None:
        raise ConfigError(
            f"--out {folder}: it is in {around}, which is looked through, and nothing is written there. Give a folder "
            f"elsewhere"
        )
    return folder


def _folders(command: Command) -> list[str]:
    """Returns the folders that are looked through, also those that wildcards and lists of paths lead to."""
    return [found.path for found in found_paths(command.paths, recursive=False) if found.is_folder]
