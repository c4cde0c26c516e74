"""Lists a folder: in the order of names, without what is hidden, and with links that lead nowhere."""

import os
from itertools import islice
from pathlib import Path

from fer_lightning.data.readers.archive import is_visible
from fer_lightning.data.readers.bounded import MOST_IMAGES, too_many_files


def visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        found = list(islice((entry for entry in entries if is_visible(entry.name)), MOST_IMAGES + 1))
    if len(found) > MOST_IMAGES:
        raise too_many_files(folder)
    return sorted(found, key=lambda entry: entry.name)


def subfolders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in visible_entries(folder) if is_folder(entry)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    return not leads_nowhere(entry) and entry.is_dir()


def leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Checks for a link to what there is not, or to itself."""
    return entry.is_symlink() and not os.path.exists(entry.path)
