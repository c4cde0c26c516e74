"""Bounds the reading of a source, where no honest data comes: so that nothing fills the memory or never ends."""

import io
from pathlib import Path
from typing import BinaryIO

from fer_lightning.errors import DataError

RATIO = 100
"""Times its own size that a compressed file may unpack to: faces do to three or four times, a bomb to a thousand."""

SMALL = 1 << 24
"""Bytes that it always may: a few flat drawings are compressed better than photographs."""

MOST_MEMBERS = 100_000
"""Members of an archive: FER2013 has 35,887 images, and images are not read from inside an archive."""

MOST_MEMBER_LIST = 1 << 24
"""Bytes of a zip's list of its members, which is read in one piece: a hundred each, with a long name."""

MOST_TABLES = 1_000
"""Files whose headers are looked at where no name says which of them is meant."""

MOST_COLUMNS = 1_000

MAX_LINE = 1 << 20
"""Bytes of a line: a face has about 9 kB."""

MOST_BLANK_LINES = 1_000_000
"""More than there are rows: some programs write one behind each row."""

MOST_BAD_ROWS = 100_000
"""More than there are good ones."""

MOST_IMAGES = 2_000_000
"""Files of a folder of images, and lines of its table: the largest set of the field has half as many."""

MOST_TABLE = 1 << 28
"""Bytes of a table that is read in one piece: of a labels.csv, a hundred a line."""


def most_unpacked(path: Path) -> int:
    """Bytes that a compressed file may unpack to."""
    return max(RATIO * path.stat().st_size, SMALL)


def too_large(path: Path, allowed: int) -> DataError:
    return DataError(
        f"{path}: unpacks to more than {allowed:,} bytes, {allowed / path.stat().st_size:,.0f} times its own size, "
        f"which faces do not. Get it from where it was first published, or unpack it and give the CSV as data.path."
    )


def too_many_members(path: Path) -> DataError:
    return DataError(
        f"{path}: this archive holds more than {MOST_MEMBERS:,} files. Unpack it, and give the CSV or the folder of "
        f"images as data.path."
    )


def too_many_files(folder: Path) -> DataError:
    return DataError(f"{folder}: holds more than {MOST_IMAGES:,} files. Give a smaller folder as data.path.")


class Bounded(io.RawIOBase):
    """The content that is decompressed from `path`; raises DataError beyond as much as it may unpack to."""

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
        """Goes to a place beyond the bound only in name: the next reading ends there."""
        if whence == io.SEEK_SET and offset > self.allowed:
            raise too_large(self.path, self.allowed)
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()
