"""How much a compressed file may unpack to: to three or four times its size where it is faces, a bomb to a thousand."""

import io
from pathlib import Path
from typing import BinaryIO

from fer_lightning.data.faces import DataError

RATIO = 100
"""Times its own size that a compressed file may unpack to."""

SMALL = 1 << 24
"""Bytes that it always may: a few flat drawings are compressed better than photographs."""


def most_unpacked(path: Path) -> int:
    """Bytes that a compressed file may unpack to."""
    return max(RATIO * path.stat().st_size, SMALL)


def too_large(path: Path, allowed: int) -> DataError:
    return DataError(
        f"{path}: unpacks to more than {allowed:,} bytes, {allowed / path.stat().st_size:,.0f} times its own size, "
        f"which faces do not. Get it from where it was first published, or unpack it and give the CSV as data.path."
    )


class Bounded(io.RawIOBase):
    """What is decompressed from `path`, up to as much as it may unpack to; then DataError."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path, self.allowed = stream, path, most_unpacked(path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        room = self.allowed + 1 - self.stream.tell()
        content = self.stream.read(min(len(buffer), room))
        if len(content) == room:
            raise too_large(self.path, self.allowed)
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To a place beyond the bound only in name: the next reading ends there."""
        if whence == io.SEEK_SET and offset > self.allowed:
            raise too_large(self.path, self.allowed)
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()
