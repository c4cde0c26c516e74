"""Ends a command that is asked to stop, by Ctrl-C or SIGTERM: no more frames come, and what there is is written."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


class Stopped(BaseException):
    """A command that ends since it was asked to, for the second time or while it waited."""


class StopRequests:
    """Remembers the first signal that asks to stop, in `received`; a second one raises Stopped wherever it comes."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequests":
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell has it for what runs in the background
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @property
    def exit_status(self) -> int:
        """Returns what a shell says of a program that this signal has ended; 0 if none came."""
        return 0 if self.received is None else 128 + self.received

    def before_stopped(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields items until a signal comes, also while the next one, of a camera or a pipe, does not."""
        iterator = iter(items)
        while self.received is None:
            try:
                self._waiting = True
                item = next(iterator)
            except (StopIteration, Stopped):
                return
            finally:
                self._waiting = False
            yield item

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.received = self.received is not None, number
        if again or self._waiting:
            raise Stopped
