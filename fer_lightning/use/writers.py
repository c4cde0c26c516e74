"""What all writers have in common: they take answers one by one, tell sources apart, and name files after them."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import PurePath
from typing import Protocol

from fer_lightning.use.faces import Answer, Frame, Unreadable

LONGEST_STEM = 100
"""Bytes of a file's name at most, in UTF-8 and without its ending: systems take 255, some tools fewer."""

RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10))}
"""Names that Windows does not give to a file, whatever their ending."""


class Writer(Protocol):
    """Takes answers in the order of their frames, source after source."""

    def write(self, answer: Answer) -> None: ...

    def close(self, stopped: bool = False) -> None:
        """Completes what was written; stopped: the last source did not come to its end."""


class PerVideo:
    """Gives each video, animation or camera a writer of its own, and closes it when its last frame was written.

    Args:
        begin: makes the writer of a video from its first frame.
    """

    def __init__(self, begin: Callable[[Frame], Writer]) -> None:
        self._begin = begin
        self._writer: Writer | None = None
        self._last: Frame | None = None

    def write(self, answer: Answer) -> None:
        frame = answer.frame
        if starts_source(frame, self._last):
            self.close()
        if isinstance(frame, Frame) and frame.time_s is not None:
            self._writer = self._writer or self._begin(frame)
            self._last = frame
            self._writer.write(answer)

    def close(self, stopped: bool = False) -> None:
        writer, self._writer, self._last = self._writer, None, None
        if writer:
            writer.close(stopped)


class SourceNames:
    """Names of files for sources: like the source, safe on every system, and each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: Frame | None = None
        self._name = ""

    def name(self, frame: Frame) -> str:
        """Returns the name, without an ending, that all frames of this frame's source share."""
        if frame is not self._last:
            if starts_source(frame, self._last):
                self._name = self._unused(safe_name(frame.source))
            self._last = frame
        return self._name

    def _unused(self, name: str) -> str:
        number, free = 1, name
        while free.casefold() in self._taken:
            number += 1
            free = f"{name}-{number}"
        self._taken.add(free.casefold())
        return free


def starts_source(frame: Frame | Unreadable, last: Frame | None) -> bool:
    """Returns whether a frame is not of the same source as the last one; a path may be given twice in a row."""
    if last is None or frame.source != last.source:
        return True
    return frame.index is not None and frame.index <= last.index


def safe_name(source: str) -> str:
    """Returns a source's name without its folder and ending, with nothing in it that a system or a shell minds."""
    if source == "-":
        return "standard-input"
    name = PurePath(source.replace("\\", "/")).name if "/" in source or "\\" in source else source
    stem, _, ending = name.rpartition(".")
    if stem and re.fullmatch(r"\w{1,5}", ending):
        name = stem
    name = unicodedata.normalize("NFC", name).encode("utf-8", "replace").decode()
    name = "".join("-" if unicodedata.category(letter)[0] in "CZ" else letter for letter in name)
    name = re.sub(r"[\s\"*/:<>?\\|'`$&;!#%{}()\[\]=,~^@+-]+", "-", name).strip("-. ")
    name = name.encode()[:LONGEST_STEM].decode("utf-8", "ignore").strip("-. ")
    return f"{name}-" if name.casefold() in RESERVED else name or "picture"
