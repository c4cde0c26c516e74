"""Data sets that come as several files, with the part that each holds in its name: train-00000-of-00002.parquet."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from fer_lightning.data.identity import file_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_TABLES
from fer_lightning.data.readers.entries import subfolders, visible_entries
from fer_lightning.data.readers.image_folder import SPLIT_SPELLINGS
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.table_columns import parts_of
from fer_lightning.errors import DataError

SAMPLED = 100
"""Files of a folder that are looked at to see if it holds shards."""


def shards(path: Path, suffix: str) -> list[Path]:
    """Returns the files of this ending that a path is, or that lie in a folder or the folders right in it.

    Raises:
        DataError: far too many, or some of 00000-of-00002 are not there.
    """
    if not path.is_dir():
        return [path] if path.is_file() and path.name.lower().endswith(suffix) else []
    files = [
        Path(entry.path)
        for folder in (path, *(folder for folder in subfolders(path) if _has_shards(folder, suffix)))
        for entry in visible_entries(folder)
        if entry.name.lower().endswith(suffix) and entry.is_file()
    ]
    if len(files) > MOST_TABLES:
        raise DataError(f"{path}: holds {len(files):,} files *{suffix}. Give a smaller folder as data.path.")
    _refuse_gaps(files)
    return files


def shard_list(
    path: Path,
    files: Sequence[Path],
    given: Mapping[str, str],
    images: Sequence[ListedImage],
    words: Sequence[str],
    what: Mapping[str, Any],
) -> ImageList:
    """Returns a list of images that lie in shards.

    Args:
        path: what data.path names.
        files: the shards.
        given: the columns that a person named.
        images: whose parts are still to be found.
        words: which part each is of.
        what: the other fields of the list.

    Raises:
        DataError: far too many parts.
    """
    root = path if path.is_dir() else path.parent
    part_names, places = (("all",), {"all": 0}) if {*words} <= {"all"} else parts_of(words, path)
    return ImageList(
        root=root,
        part_names=part_names,
        images=tuple(image._replace(part=places[word]) for image, word in zip(images, words, strict=True)),
        ignored=(),
        digest=repr([(given, file.relative_to(root).as_posix(), file_identity(file)) for file in files]),
        mode=mode_for_all([stamp(file.stat()) for file in files]),
        **what,
    )


def part_of(name: str) -> str:
    """Returns train, val or test, whichever a file's name or its folder's has as a word; "" if none or several."""
    for text in PurePosixPath(name).parts[:-3:-1]:
        words = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z\d])", text)
        if parts := {SPLIT_SPELLINGS[word.lower()] for word in words if word.lower() in SPLIT_SPELLINGS}:
            return parts.pop() if len(parts) == 1 else ""
    return ""


def parts_of_files(names: Sequence[str]) -> list[str]:
    """Returns the part of each file, "all" where no name has one.

    Raises:
        DataError: some names have one and others do not.
    """
    parts = [part_of(name) for name in names]
    if any(parts) and not all(parts):
        without = next(name for name, part in zip(names, parts, strict=True) if not part)
        raise DataError(
            f"{without}: its name does not say which part it is, as the others do (train, val, test). Rename it, or "
            "move it away."
        )
    return [part or "all" for part in parts]


def _has_shards(folder: Path, suffix: str) -> bool:
    """Checks some files of a folder: one of a class may have very many, and shards lie among themselves."""
    with os.scandir(folder) as entries:
        return any(entry.name.lower().endswith(suffix) for entry in islice(entries, SAMPLED))


def _refuse_gaps(files: Sequence[Path]) -> None:
    numbered: defaultdict[tuple[Path, str, str], set[int]] = defaultdict(set)
    for file in files:
        if found := re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})(.*)", file.name):
            start, number, count, _ = found.groups()
            numbered[file.parent, start, count].add(int(number))
    for (folder, start, count), numbers in numbered.items():
        if missing := {*range(min(int(count), MOST_TABLES))} - numbers:
            raise DataError(
                f"{folder}: {start}-{min(missing):05}-of-{count} is not there, nor are {len(missing) - 1} others. Get "
                "a complete copy, or give one file as data.path."
            )
