"""Files that are written whole or not at all, and texts that are read up to a bound. Imports nothing slow."""

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


def text_in(file: Path, longest: int) -> str:
    """Returns what a file holds, with the ends of its lines as they are.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no text, no file or has more characters than `longest`.
    """
    if not file.is_file() and file.exists():  # to read a pipe or a device might never end
        raise ValueError(f"{file} is not a file")
    try:
        with file.open(encoding="utf-8", newline="") as stream:  # not all of it, whatever its size is said to be
            text = stream.read(longest + 1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} cannot be read: it is not text in UTF-8") from error
    if len(text) > longest:
        raise ValueError(f"{file} is longer than {longest:,} characters: this program has not written it")
    return text


def _on_disk(path: Path, flags: int) -> None:
    """Not only in the system's memory: a power cut would leave a name without a content."""
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
