"""Standard streams that a shell has closed, as by >&-, or that nobody reads any more, as behind `| head`.

Imports nothing slow.
"""

import os
import sys

READER_GONE = 128 + 13
"""Exit status of a command whose reader has gone and that had nothing else to do: as shells report SIGPIPE."""


def open_closed_streams() -> frozenset[str]:
    """Opens the standard streams that are closed, to nowhere, and returns which they were: stdin, stdout or stderr.

    The next file that is opened would take the number of a closed one, and what is printed would land in it.
    """
    closed = {name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None}
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    for name in closed - {"stdin"}:
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the end)
    return frozenset(closed)


def print_nowhere() -> None:
    """Lets what is printed from now on vanish, and what could not be printed too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
