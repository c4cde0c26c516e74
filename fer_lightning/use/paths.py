"""Paths as people have them: with wildcards that the shell left alone, lists of paths in a file, folders.

Imports nothing slow.
"""

import codecs
import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_LIST = 1 << 26
"""Bytes of a list of paths at most."""

NOT_FOUND = "there is no such file or folder"


@dataclass(frozen=True)
class FoundPath:
    """A path, and how it was found.

    Args:
        path: as it was typed or listed, or below a folder that was; a file's name that is not UTF-8 has surrogates.
        folder: in which it was found; empty for what was typed or listed itself.
        is_folder: it is a folder; the files in it come next.
        reason: why it leads to nothing; empty where there is a file or a folder.
    """

    path: str
    folder: str = ""
    is_folder: bool = False
    reason: str = ""


def found_paths(typed: Sequence[str], recursive: bool) -> Iterator[FoundPath]:
    """Yields the files and folders that paths lead to, and files in folders; a path that leads to none has a reason.

    A path that exists is that file or folder, whatever characters it has. Of others, "@list.txt" stands for the paths
    in a text file, one a line, and *, ? and [] match as in a shell.

    Args:
        typed: paths; "-" stands for standard input, and is yielded as it is.
        recursive: takes the folders within folders too.
    """
    for path in typed:
        if not path.startswith("@") or os.path.lexists(path):
            yield from _one_path(path, recursive)
            continue
        try:
            listed = _listed(path[1:])
        except (OSError, ValueError) as error:
            yield FoundPath(path, reason=f"it cannot be read as a list of paths: {reason_of(error)}")
        else:
            for line in listed:
                yield from _one_path(line, recursive)


def natural_key(path: str) -> list[list[str | int]]:
    """Returns what sorts paths as people number files: 2.jpg before 10.jpg, and a folder's files side by side."""
    return [
        [int(piece) if piece.isdecimal() else piece.casefold() for piece in re.split(r"(\d+)", part)]
        for part in Path(path).parts
    ]


def _one_path(path: str, recursive: bool) -> Iterator[FoundPath]:
    if path == "-":
        yield FoundPath(path)
        return
    for match in _expanded(path):
        if os.path.isdir(match):
            yield FoundPath(match, is_folder=True)
            yield from _in_folder(match, recursive)
        elif os.path.isfile(match):
            yield FoundPath(match)
        else:
            yield FoundPath(match, reason=_why_not(match))


def _expanded(path: str) -> list[str]:
    if os.path.lexists(path):
        return [path]
    home = os.path.expanduser(path)
    if glob.has_magic(home):
        return sorted(glob.glob(home, recursive=True), key=natural_key) or [path]
    return [home if os.path.lexists(home) else path]


def _in_folder(folder: str, recursive: bool) -> Iterator[FoundPath]:
    """Yields the files of a folder, sorted; hidden ones and hidden folders are passed over."""
    failures: list[OSError] = []
    files = []
    for parent, folders, names in os.walk(folder, onerror=failures.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if not recursive:
            folders.clear()
        files += [os.path.join(parent, name) for name in names if not name.startswith(".")]
    for failure in failures:
        yield FoundPath(failure.filename or folder, folder, reason=reason_of(failure))
    # A pipe, a socket, or a link to nothing lies in a folder by chance.
    yield from (FoundPath(file, folder) for file in sorted(files, key=natural_key) if os.path.isfile(file))


def _listed(file: str) -> list[str]:
    """Returns the lines of a text file that are not empty: in UTF-8 or what the system's names are in, or in UTF-16.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such text.
    """
    if not os.path.isfile(file):
        raise FileNotFoundError(2, NOT_FOUND)
    if (size := os.path.getsize(file)) > LONGEST_LIST:
        raise ValueError(f"it has {size:,} bytes, more than {LONGEST_LIST:,}")
    content = Path(file).read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16")
    else:
        text = content.decode("utf-8-sig", "surrogateescape")
    if "\0" in text:
        raise ValueError("it is not text")
    return [line for line in re.split(r"\r?\n", text) if line.strip()]


def _why_not(path: str) -> str:
    if re.match(r"\w+://", path):
        return "it is an address: nothing is fetched from the network"
    if not os.path.lexists(path):
        return "no file matches" if glob.has_magic(path) else NOT_FOUND
    return "it is a link to nothing" if not os.path.exists(path) else "it is not a file"


def reason_of(error: BaseException) -> str:
    """Returns what an error says, in one short line without a file's name."""
    said = getattr(error, "strerror", None) or str(error)  # of the system's errors and FFmpeg's
    line = " ".join(said.split()) or type(error).__name__
    return line if len(line) <= 200 else f"{line[:100]}…{line[-100:]}"
