"""The lock of a folder that one process works in. Imports no torch."""

import errno
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"
"""In the folder. The system lets go of it when the process ends, however it ends."""


def lock_folder(folder: Path, wait: bool = False) -> FileLock:
    """Makes a folder, and locks it for this process.

    Args:
        folder: to be made, or there already.
        wait: until another process lets go of it.

    Raises:
        filelock.Timeout: another process has it.
        OSError: it cannot be made, written into or locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.absolute() / LOCK)
    try:
        lock.acquire(blocking=wait)
    except NotImplementedError as error:  # as filelock says it
        raise OSError(errno.ENOLCK, "its file system has no locks", str(folder)) from error
    return lock


def is_locked(folder: Path) -> bool:
    """Returns whether a process of this machine is at work in the folder.

    Raises:
        OSError: that cannot be found out, as where the lock is another user's.
    """
    if not (folder / LOCK).is_file():
        return False
    try:
        lock = lock_folder(folder)
    except Timeout:
        return True
    lock.release()
    return False
