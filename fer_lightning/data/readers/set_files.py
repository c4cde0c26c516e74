"""Finds the files of a known set: whatever its letters' case, through links, and by the pattern of their names."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath

from fer_lightning.data.readers.archive import is_visible
from fer_lightning.data.readers.entries import is_folder, subfolders, visible_entries
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES

DEEPEST = 6
"""Folders within each other that are looked into."""

SAMPLED = 10
"""Images' names in each folder by which a set is recognised."""

LOOKED_AT = 1_000
"""Files and folders in each among which these are looked for."""

FOLDERS_SAMPLED = 1_000

TRIED = 100
"""Images of a table that are looked for, to find out which folder they are in."""


def inner(root: Path, *paths: str) -> Path | None:
    """Returns the first of these paths that there is below root, whatever its letters' case."""
    for path in paths:
        found: Path | None = root
        for part in PurePosixPath(path).parts:
            found = None if found is None else _entry(found, part)
        if found is not None:
            return found
    return None


def files_below(folder: Path) -> Iterator[str]:
    """Yields the paths of the visible files below a folder, with /, in order; follows links, but not in circles."""
    yield from _walk(folder, "", (os.path.realpath(folder),))


def are_named(root: Path, pattern: re.Pattern[str]) -> bool:
    """Checks that images have names of such a pattern: most of those in nearly every folder below root.

    So a folder that has another set beside one with these names has not.
    """
    if not root.is_dir():
        return False
    fitting = []
    samples = [_sample(root, depth=0), *(_sample(folder, depth=2) for folder in subfolders(root)[:FOLDERS_SAMPLED])]
    for names in filter(None, samples):
        fitting.append(2 * sum(pattern.fullmatch(name) is not None for name in names) > len(names))
    return sum(fitting) > 0.9 * len(fitting)


def folder_with(root: Path, folders: Sequence[str], paths: Iterable[str]) -> Path | None:
    """Returns the first of these folders below root that has any of the first paths in it."""
    tried = [*islice(paths, TRIED)]
    found = [path for name in folders if (path := inner(root, name)) is not None and path.is_dir()]
    return next((folder for folder in found if any((folder / path).is_file() for path in tried)), None)


def name_finder(names: Iterable[str]) -> Callable[[str], str]:
    """Returns what finds a name among some, whatever the case of its letters and its ending; else the name itself."""
    whole, stems = {}, {}
    for name in names:
        whole[name.lower()] = name
        stems[os.path.splitext(name.lower())[0]] = name

    def found(name: str) -> str:
        small = name.lower()
        return whole.get(small) or stems.get(os.path.splitext(small)[0]) or name

    return found


def is_image_name(path: str) -> bool:
    return path.lower().endswith(IMAGE_SUFFIXES)


def name_in(path: str) -> str:
    """Returns the last part of a path with /."""
    return path.rpartition("/")[2]


def below(root: Path, path: Path) -> str:
    """Returns a path below root, with / at its end; "" for root itself."""
    relative = path.relative_to(root).as_posix()
    return "" if relative == "." else f"{relative}/"


def _walk(folder: Path, path: str, around: tuple[str, ...]) -> Iterator[str]:
    for entry in visible_entries(folder):
        if not is_folder(entry):
            yield path + entry.name
        elif len(around) <= DEEPEST and (real := os.path.realpath(entry.path)) not in around:
            yield from _walk(Path(entry.path), f"{path}{entry.name}/", (*around, real))


def _sample(folder: str | Path, depth: int) -> list[str]:
    """Returns the names of some images in a folder, or in one of the first within it that has any, in no order."""
    with os.scandir(folder) as entries:
        found = [entry for entry in islice(entries, LOOKED_AT) if is_visible(entry.name)]
    names = [entry.name for entry in found if is_image_name(entry.name) and not is_folder(entry)][:SAMPLED]
    inner_folders = sorted(entry.path for entry in found if is_folder(entry))[:SAMPLED] if depth and not names else []
    return next(filter(None, (_sample(inner_folder, depth - 1) for inner_folder in inner_folders)), names)


def _entry(folder: Path, name: str) -> Path | None:
    if (folder / name).exists():
        return folder / name
    if not folder.is_dir():
        return None
    found = _by_small_letters(folder, folder.stat().st_mtime_ns).get(name.lower())
    return None if found is None else folder / found


@lru_cache(4)
def _by_small_letters(folder: Path, changed: int) -> dict[str, str]:
    """Returns the names in a folder by the same in small letters; a folder is looked into again when it has changed."""
    return {name.lower(): name for name in sorted(os.listdir(folder), reverse=True)}
