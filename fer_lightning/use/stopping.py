"""Ends a command that is asked to stop, by Ctrl-C or SIGTERM: no more frames come, and what there is is written."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


_END: Any = object()


class Stopped(BaseException):
    """A command that ends at once, since it was asked to for the second time.

    Args:
        number: of the signal that asked.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_status = _exit_status(number)


class _Woken(Stopped):
    """Ends the wait for an item, since the first signal came."""


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
        return 0 if self.received is None else _exit_status(self.received)

    def before_stopped(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields items until a signal comes, also while the next one, of a camera or a pipe, does not."""
        iterator = iter(items)
        try:
            while True:
                # A signal that comes before this line is seen in the next one, and one that comes after it raises here.
                self._waiting = True
                item = _END if self.received is not None else next(iterator, _END)
                self._waiting = False
                if item is _END:
                    return
                yield item
        except _Woken:
            return
        finally:
            self._waiting = False  # after an error too

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.received = self.received is not None, number
        waited, self._waiting = self._waiting, False
        if again:
            raise Stopped(number)
        if waited:
            raise _Woken(number)


def _exit_status(number: int) -> int:
    """Returns what a shell says of a program that a signal has ended."""
    return 128 + number
