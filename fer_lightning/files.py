"""Files that are whole or not there. Imports nothing that takes a while."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(file: Path, mode: int = 0o666) -> Iterator[Path]:
    """Yields a temporary name beside `file`, which becomes `file` when the block ends and is gone if it fails.

    So two processes at once do not meet, and a killed one leaves no half file under the real name. The file has the
    permissions `mode` without those of the umask, whatever writes it: safetensors makes files for their owner alone.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        permissions = stat.S_IMODE(unfinished.stat().st_mode)
        yield unfinished
        if stat.S_IMODE(unfinished.stat().st_mode) != permissions:
            unfinished.chmod(permissions)
        _on_disk(unfinished, os.O_RDWR)  # Windows syncs no file that is open for reading alone
        os.replace(unfinished, file)
        if os.name == "posix":  # elsewhere, folders cannot be opened
            _on_disk(file.parent, os.O_RDONLY)
    finally:
        unfinished.unlink(missing_ok=True)


def _on_disk(path: Path, flags: int) -> None:
    """Not only in the system's memory: a power cut would leave a name without a content."""
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
