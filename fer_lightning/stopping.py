"""Being asked to stop: by Ctrl-C, by SIGTERM (a machine that shuts down), by SIGUSR1 (SLURM, before its time limit)."""

import logging
import signal
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
)  # Windows has no SIGUSR1


# Like KeyboardInterrupt, it is no error, and `except Exception` lets it pass.
class Stopped(BaseException):
    """A training that ended since it was asked to.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopSignals:
    """Remembers the first signal that asks to stop, for whoever looks at `received`; a second one raises Stopped."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._handlers: dict[int, Any] = {}  # those that were there before

    def listen(self) -> None:
        for number in SIGNALS:
            self._handlers[number] = signal.signal(number, self._receive)

    def leave(self) -> None:
        """Puts the handlers back that were there before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Stopped(number)
        self.received = number
        log.info("%s: stopping after this step; once more stops at once", signal.Signals(number).name)
