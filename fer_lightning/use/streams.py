"""Standard streams that a shell has closed, as by >&-. Imports nothing slow."""

import os
import sys


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
