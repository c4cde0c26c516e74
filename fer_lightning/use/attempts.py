"""Lets a part of what a command writes fail: the log says why, and the others go on."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fer_lightning.use.faces import Answer
from fer_lightning.use.writers import Writer

log = logging.getLogger(__name__)


class Attempts:
    """Attempts what may fail: the log says why, and the command goes on.

    Attributes:
        refused: what the system did not let be written, in words, as keys.
    """

    def __init__(self) -> None:
        self.refused: dict[str, None] = {}
        self._logged = ("", "")  # what failed last, and why

    @contextmanager
    def attempt(self, what: str, source: str = "") -> Iterator[None]:
        """Lets its block fail; of many sources that fail for one reason, the log names the first.

        Args:
            what: is written, in words.
            source: for which.
        """
        try:
            yield
        except Exception as error:
            is_refused = isinstance(error, OSError) and error.errno is not None  # a full disk
            if is_refused:
                self.refused[what] = None
            reason = (what, f"{type(error).__name__} {error.strerror if isinstance(error, OSError) else error}")
            if reason != self._logged:
                self._logged = reason
                whole = f"{what} of {source}" if source else what
                log.warning("%s could not be written: %s", whole, error, exc_info=not is_refused)


class Dispensable:
    """A writer that may fail: the log says why, and the others go on.

    Args:
        make: the writer.
        what: it writes, in words.
        attempts: counts what fails.
        each_alone: it writes a file for each answer, so that after one that it cannot write, it can write the next.
    """

    def __init__(self, make: Callable[[], Writer], what: str, attempts: Attempts, each_alone: bool = False) -> None:
        self._what, self._attempts, self._each_alone = what, attempts, each_alone
        self._writer: Writer | None = None
        with attempts.attempt(what):
            self._writer = make()

    def write(self, answer: Answer) -> None:
        writer, self._writer = self._writer, None
        if writer:
            with self._attempts.attempt(self._what, answer.frame.source if self._each_alone else ""):
                writer.write(answer)
                self._writer = writer
            if self._each_alone:
                self._writer = writer

    def close(self, stopped: bool = False) -> None:
        if self._writer:
            with self._attempts.attempt(self._what):
                self._writer.close(stopped)
