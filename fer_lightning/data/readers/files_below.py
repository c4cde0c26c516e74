"""The files below a folder, found by what tables call them: a path, a part of it, or a name without its ending."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath

from fer_lightning.data.readers.archive import is_visible
from fer_lightning.data.readers.bounded import MOST_IMAGES, too_many_files
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES


@dataclass(frozen=True)
class FilesBelow:
    """Files below a folder, as paths from it with /."""

    folder: Path
    files: frozenset[str]

    @classmethod
    def of(cls, folder: Path) -> "FilesBelow":
        """Lists a folder; raises DataError if it holds far too many files."""
        files = frozenset(islice(_walked(folder), MOST_IMAGES + 1))
        if len(files) > MOST_IMAGES:
            raise too_many_files(folder)
        return cls(folder, files)

    def called(self, name: str) -> list[str]:
        """Returns the files that a table may mean by a path: the very one, or all that end so.

        Raises ValueError for a path outside the folder.
        """
        path = PurePosixPath(name)
        if path.is_absolute() and path.is_relative_to(self.folder):
            path = path.relative_to(self.folder)
        if str(path) in self.files:
            return [str(path)]
        path = PurePosixPath(str(path).replace("\\", "/"))
        if not path.parts or path.is_absolute() or PureWindowsPath(path).anchor or ".." in path.parts or "\0" in name:
            raise ValueError(name)
        end = str(path).lower()
        ends = [end, *(end + suffix for suffix in IMAGE_SUFFIXES if not end.endswith(IMAGE_SUFFIXES))]
        return [
            file
            for end in ends
            for file in self._by_name.get(PurePosixPath(end).name, ())
            if f"/{file.lower()}".endswith(f"/{end}")
        ]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for file in sorted(self.files):
            names[PurePosixPath(file).name.lower()].append(file)
        return names


def _walked(folder: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if is_visible(name)]
        below = Path(where).relative_to(folder)
        yield from ((below / name).as_posix() for name in files if is_visible(name))
