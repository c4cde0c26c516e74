"""Being asked to stop: by Ctrl-C, by SIGTERM (a machine that shuts down), by SIGUSR1 (SLURM, before its time limit)."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, Timer

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


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Lets a signal that asks to stop raise Stopped within the block."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    before = _handled(dict.fromkeys(SIGNALS, stop))
    try:
        yield
    finally:
        _handled(before)


class StopSignals:
    """Remembers the first signal that asks to stop, for whoever looks at `received`; a second one raises Stopped."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        self._before = _handled(dict.fromkeys(SIGNALS, self._receive))

    def leave(self) -> None:
        """Puts the handlers back that were there before."""
        _handled(self._before)
        self._before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Stopped(number)
        self.received = number
        log.info("%s: stopping after this step; once more stops at once", signal.Signals(number).name)


def log_why_stopped(trainer: L.Trainer) -> None:
    """Logs what ended a training before its last epoch or step, if anything did."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopping_reason_message:
            log.info("stopped early: %s", callback.stopping_reason_message)
        if isinstance(callback, Timer) and trainer.should_stop and (callback.time_remaining() or 0) <= 0:
            minutes = callback.time_elapsed() / 60
            log.info("stopped by trainer.max_time, after %.1f minutes, at step %d", minutes, trainer.global_step)


def _handled(handlers: dict[int, Any]) -> dict[int, Any]:
    """Sets these handlers, but for signals that a shell has us ignore; returns those that were there before."""
    return {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
