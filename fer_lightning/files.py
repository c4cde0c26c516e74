"""Files that are whole or not there. Imports nothing that takes a while."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A temporary name beside `file`, which becomes `file` when the block ends and is gone if it fails.

    So two processes at once do not meet, and a killed one leaves no half file under the real name.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield unfinished
        _on_disk(unfinished)
        os.replace(unfinished, file)
        if os.name == "posix":  # elsewhere, folders cannot be opened
            _on_disk(file.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _on_disk(path: Path) -> None:
    """Not only in the system's memory: a power cut would leave a name without a content."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
