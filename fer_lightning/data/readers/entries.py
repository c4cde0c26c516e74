"""Lists what lies in a folder and below it, by one rule for every reader.

In the order of names; without what is hidden; through links, as long as these stay in the folder and lead in no circle.
"""

import logging
import os
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from fer_lightning.data.readers.archive import is_visible
from fer_lightning.data.readers.bounded import MOST_IMAGES, too_many_files
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

DEEPEST = 32
"""Folders within each other that are looked into, below that which data.path names."""


def visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    """Returns what lies in a folder, by its names; raises DataError if that is far too much, hidden or not."""
    with os.scandir(folder) as entries:
        found = []
        for count, entry in enumerate(entries, start=1):
            if is_visible(entry.name):
                found.append(entry)
            if len(found) > MOST_IMAGES or count > 2 * MOST_IMAGES:
                raise too_many_files(folder)
    found.sort(key=attrgetter("name"))
    return found


def subfolders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in visible_entries(folder) if is_folder(entry)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    return not leads_nowhere(entry) and entry.is_dir()


def leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Checks for a link to what there is not, or to itself."""
    return entry.is_symlink() and not os.path.exists(entry.path)


def files_below(folder: Path) -> Iterator[str]:
    """Yields the paths of the files below a folder, from there, with /; as `entries_below`."""
    for path, _ in entries_below(folder, folder):
        yield path


def entries_below(folder: Path, root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields the files below a folder, each with its path from there, with /; also links that lead nowhere.

    A link to a folder outside of root is not followed, and logged. One to a file is yielded wherever it leads:
    `Inside` checks that of what is read.

    Raises:
        DataError: far too many files or folders, or folders too deep within each other.
    """
    inside, real = Inside(root), Path(os.path.realpath(folder))
    around = tuple(str(outer) for outer in (*reversed(real.parents), real) if inside.has(outer))
    count = 0
    for files in _below(folder, "", around or (str(real),), inside):
        count += max(len(files), 1)
        if count > MOST_IMAGES:
            raise too_many_files(folder)
        yield from files


class Inside:
    """Tells if files lie in a folder, once all links on the way to them are followed.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._around: dict[str, str] = {}  # real paths of the folders that files lie in: thousands share each

    def has(self, file: str | Path) -> bool:
        around, name = os.path.split(os.path.abspath(file))
        real = self._around.get(around)
        if real is None:
            real = self._around[around] = os.path.realpath(around)
        real = os.path.join(real, name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        return os.path.join(real, "").startswith(os.path.join(self.root, ""))


def _below(
    folder: Path, path: str, around: tuple[str, ...], inside: Inside
) -> Iterator[list[tuple[str, os.DirEntry[str]]]]:
    """Yields the files, as many at a time as there are up to the next folder.

    Args:
        folder: is listed.
        path: goes before the names in it.
        around: the real paths of the folder and of those that it was found in.
        inside: of the outermost folder.
    """
    files: list[tuple[str, os.DirEntry[str]]] = []
    for entry in visible_entries(folder):
        if entry.is_file(follow_symlinks=False) or not is_folder(entry):
            files.append((path + entry.name, entry))
            continue
        yield files
        files = []
        if entry.is_symlink() and not inside.has(entry.path):
            log.warning("%s is a link out of %s, which is not followed", entry.path, inside.root)
            continue
        real = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(around[-1], entry.name)
        if real not in around:
            if len(around) > DEEPEST:
                raise DataError(
                    f"{entry.path}: lies in more than {DEEPEST} folders within each other, and what is in it is not "
                    "read. Move it up, or away."
                )
            yield from _below(Path(entry.path), f"{path}{entry.name}/", (*around, real), inside)
    yield files
