"""Output that nobody reads any more, as behind `| head`: a training goes on, and its log file has the rest."""

import logging
import os
import sys
from contextlib import suppress

STATUS = 128 + 13
"""Exit status of a command that had nothing to do but to print: as shells report SIGPIPE."""


class Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Logs to standard output, and to nowhere once nobody reads that any more, which standard error is told."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handleError(record)
            return
        print_nowhere()
        with suppress(OSError):
            print(
                "nobody reads the output any more: the command goes on, and its log file has the rest", file=sys.stderr
            )


def print_nowhere() -> None:
    """Lets what is printed from now on vanish, and what could not be printed too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
