"""Identifies the content of a source, for its cache: cheap to look up, and changed by what changes the content."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from io import FileIO
from itertools import chain
from pathlib import Path

import numpy as np

Stamp = tuple[int, ...]

NO_FILE: Stamp = (0,) * 5
"""In place of the stamp of an image that is not there."""

PIECES = 16
"""Samples of a file, or of the files of a folder, spread evenly: some file systems keep no time of change."""

PIECE = 4096
"""Bytes of each sample."""


def stamp(found: os.stat_result) -> Stamp:
    """Returns size, time of writing, time of change, inode and mode.

    Tools set the time of writing, which a copy keeps; nothing sets that of change.
    """
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino % (1 << 63), found.st_mode


def mode_for_all(stamps: Iterable[Stamp | None]) -> int:
    """Returns the permissions that all of these files give."""
    mode = 0o777
    for found in filter(None, stamps):
        mode &= found[-1]
    return mode


def file_identity(file: Path) -> str:
    """Returns what identifies a file's content, without reading all of it."""
    found = stamp(file.stat())
    size = found[0]
    starts = [*range(0, size, max(size // PIECES, PIECE)), max(size - PIECE, 0)]
    with FileIO(file) as stream:
        digest = hashlib.blake2b(b"".join(_piece(stream, start) for start in starts), digest_size=8).hexdigest()
    return f"{found}, sample {digest}"


def images_identity(root: Path, stamps: Mapping[str, Stamp | None], labels: bytes = b"") -> str:
    """Returns the same of images, by their paths below root, and of the table of their labels."""
    paths = sorted(stamps)
    known = [stamps[path] or NO_FILE for path in paths]
    files = [path for path, found in zip(paths, known, strict=True) if stat.S_ISREG(found[-1])]
    sample = [_start(root / path) for path in files[:: max(len(files) // PIECES, 1)]]
    names = "\0".join(paths).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(repr((labels, sample, len(names))).encode(), digest_size=16)
    digest.update(names)
    digest.update(np.fromiter(chain.from_iterable(known), np.int64).tobytes())
    return digest.hexdigest()


def _piece(stream: FileIO, start: int) -> bytes:
    stream.seek(start)
    return stream.read(PIECE)


def _start(file: Path) -> bytes:
    try:
        with FileIO(file) as stream:
            return stream.read(PIECE)
    except OSError:
        return b""
