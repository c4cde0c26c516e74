"""Logs to an output that nobody may read any more, as behind `| head`: the log file of a training has the rest."""

import logging
import sys
from contextlib import suppress

from fer_lightning.use.streams import print_nowhere

UNREAD = "nobody reads the output any more: the command goes on, and its log file has the rest"


class Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Logs to standard output; once nobody reads that any more, to nowhere, which standard error reports once."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handleError(record)
            return
        print_nowhere()
        with suppress(OSError):
            print(UNREAD, file=sys.stderr)
