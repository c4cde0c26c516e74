"""The files below a folder, found by what tables call them: a path, a part of it, or a name without its ending."""

import os
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from fer_lightning.data.readers.entries import files_below
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES


@dataclass(frozen=True)
class FilesBelow:
    """Files below a folder, as paths from it with /."""

    folder: Path
    files: frozenset[str]

    @classmethod
    def of(cls, folder: Path) -> "FilesBelow":
        """Lists a folder; raises DataError if it holds far too many files."""
        return cls(folder, frozenset(files_below(folder)))

    def called(self, name: str) -> list[str]:
        """Returns the files that a table may mean by a path: the very one, or all that end so; one of links to one.

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
        found = [
            file
            for end in ends
            for file in self._by_name.get(PurePosixPath(end).name, ())
            if f"/{file.lower()}".endswith(f"/{end}")
        ]
        if len(found) > 1:
            found = [*{os.path.realpath(self.folder / file): file for file in found[::-1]}.values()][::-1]
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for file in sorted(self.files):
            names[PurePosixPath(file).name.lower()].append(file)
        return names
