"""Finds the CSV inside whatever it came in (gzip, xz, zip, tar), told apart by content, never unpacked to disk."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from fer_lightning.data.faces import SHOWN
from fer_lightning.data.readers.bounded import (
    MOST_MEMBER_LIST,
    MOST_MEMBERS,
    MOST_TABLES,
    Bounded,
    most_unpacked,
    too_large,
    too_many_members,
)
from fer_lightning.data.readers.forms_taken import FORMS
from fer_lightning.data.readers.pixel_header import read_header
from fer_lightning.data.readers.pixel_text import short, some
from fer_lightning.errors import DataError

SUFFIXES = (".csv", ".csv.gz", ".csv.xz", ".csv.zip", ".gz", ".xz", ".zip", ".tgz", ".tar.gz", ".tar.xz", ".tar")
BUFFER = 1 << 20

DAMAGE = (
    *(EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
    NotImplementedError,  # of zipfile, for a version or a method that there is not
    RecursionError,  # of tarfile, for the long name of a long name of …
)


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Yields the bytes of the CSV in the file `path`, and its name within the archive ("" if it is in none).

    Damage that shows only while reading (a truncated archive) becomes a DataError too, and so does what unpacks to far
    more than faces do. Nothing is written, so the other members are nobody's danger, whatever they are called.
    """
    try:
        with path.open("rb", buffering=BUFFER) as file:
            magic = file.read(6)
            file.seek(0)
            if magic.startswith(b"PK"):
                yield from _in_zip(file, path)
            else:
                yield from _in_tar_or_alone(_unpacked(file, magic, path), path)
    except DAMAGE as error:
        raise DataError(f"{path}: damaged or cut short ({error}). Get a complete copy.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}). Give a readable file as data.path.") from error


def titled(path: Path, member: str) -> str:
    """Returns the name of a CSV for messages."""
    return f"{path}, member {short(member)}" if member else str(path)


def table_named_fer2013(names: Sequence[str], where: Path) -> str | None:
    """Returns the file called fer2013 or, failing that, icml_face_data; a plain .csv before a packed one."""
    for stem in ("fer2013", "icml_face_data"):
        for suffix in SUFFIXES:
            named = [name for name in names if PurePosixPath(name).name.lower() == stem + suffix]
            if named:
                return _only(named, where)
    return None


def table_with_fitting_header(
    names: Sequence[str], header_error: Callable[[str], str | None], where: Path
) -> str | None:
    """Returns the one of these files whose header fits, train.csv before all others.

    Args:
        names: the files.
        header_error: says why a file's header does not fit; None if it does.
        where: what holds the files, for messages.

    Raises:
        DataError: several fit, there are far too many, or none fits though some might be meant.
    """
    candidates = [name for name in names if name.lower().endswith(SUFFIXES)]
    if len(candidates) > MOST_TABLES:
        raise DataError(
            f"{where}: holds {len(candidates):,} tables, and none is called fer2013.csv: {some(candidates)}. "
            "Give the one to read as data.path."
        )
    errors = {name: header_error(name) for name in candidates}
    fitting = [name for name in candidates if errors[name] is None]
    named_train = [name for name in fitting if PurePosixPath(name).name.lower().startswith("train.")]
    if fitting:
        return _only(named_train or fitting, where)
    if candidates:
        why = [f"- {short(errors[name] or '', 600)}" for name in candidates[:SHOWN]]
        if len(candidates) > SHOWN:
            why.append(f"- … and {len(candidates) - SHOWN:,} more")
        raise DataError("\n".join([f"{where}: holds no usable CSV:", *why, f"Give as data.path one of:\n{FORMS}"]))
    return None


def is_visible(name: str) -> bool:
    """Checks that no part of a path is hidden (.DS_Store, macOS's ._copies) or called __MACOSX."""
    return not any((part.startswith(".") and part != ".") or part == "__MACOSX" for part in name.split("/"))


def _in_zip(file: BinaryIO, path: Path) -> Iterator[tuple[BinaryIO, str]]:
    with zipfile.ZipFile(_BoundedList(file, path)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise too_many_members(path)
        allowed = most_unpacked(path)
        if sum(member.file_size for member in members) > allowed:  # zipfile reads no more than this of each
            raise too_large(path, allowed)
        files = [member.filename for member in members if not (member.is_dir() or _is_link(member))]
        chosen = _member(files, lambda name: _decompressed(archive, name, path), path)
        with _decompressed(archive, chosen, path) as compressed:
            yield _buffered(compressed), chosen


class _BoundedList:
    """A file for zipfile, which reads the whole list of the members in one piece, however long it says that it is."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > MOST_MEMBER_LIST:
            raise too_many_members(self.path)
        return self.file.read(size)


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _in_tar_or_alone(stream: BinaryIO, path: Path) -> Iterator[tuple[BinaryIO, str]]:
    if not _is_tar(stream):
        yield stream, ""
        return
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        tables: dict[str, tarfile.TarInfo] = {}
        others: list[str] = []
        for member in _tar_members(tar, path):
            if member.isfile() and member.name.lower().endswith(".csv"):
                tables[member.name] = member
            elif member.isfile():
                others.append(member.name)
        while stream.read(BUFFER):
            pass  # the compression's checksum stands behind the last member
        chosen = _member([*tables, *others], lambda name: _extracted(tar, tables[name]), path)
        yield _buffered(_extracted(tar, tables[chosen])), chosen


def _is_tar(stream: BinaryIO) -> bool:
    """Checks for a tar file, unlike tarfile.is_tarfile in a stream that is unpacked already."""
    try:
        with tarfile.open(fileobj=stream, mode="r:"):
            return True
    except tarfile.ReadError:
        return False
    finally:
        stream.seek(0)


def _tar_members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    count = end = 0
    while (member := tar.next()) is not None:
        if member.offset_data < end:  # tarfile would go round in circles
            raise tarfile.ReadError("its members overlap")
        end = member.offset_data + member.size
        count += 1
        if count > MOST_MEMBERS:
            raise too_many_members(path)
        tar.members.clear()  # type: ignore[attr-defined]  # which tarfile keeps, a kilobyte each
        yield member


def _unpacked(file: BinaryIO, magic: bytes, path: Path) -> BinaryIO:
    for start, opened in ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ", lzma.open), (b"BZh", bz2.open)):
        if magic.startswith(start):
            return _buffered(Bounded(cast(BinaryIO, opened(file)), path))
    return file


def _member(names: list[str], opened: Callable[[str], IO[bytes]], path: Path) -> str:
    def header_error(name: str) -> str | None:
        try:
            with opened(name) as stream:
                read_header(_buffered(stream), titled(path, name))
        except DataError as error:
            return str(error)
        return None

    names = [name for name in names if is_visible(name)]
    tables = [name for name in names if name.lower().endswith(".csv")]
    if "xl/workbook.xml" in names:
        raise DataError(f"{path}: is an Excel workbook, expected a table as text. Save it as a CSV, in UTF-8.")
    if member := table_named_fer2013(tables, path):
        return member
    others = [name for name in names if name not in tables]
    with_images = len(others) > len(tables)
    try:
        member = table_with_fitting_header(tables, header_error, path)
    except DataError:
        if not with_images:
            raise
    if member is None:
        holds = f"{some(others) or 'no files'}, {'and no .csv of pixels' if tables else 'but no .csv'}"
        raise DataError(
            f"{path}: this archive holds {holds}. Images and packed files are not read from inside an archive: unpack "
            "it and give the folder as data.path."
        )
    return member


def _only(names: list[str], where: Path) -> str:
    if len(names) > 1:
        raise DataError(
            f"{where}: holds several tables that could be meant: {some(sorted(names))}. "
            "Give the one to read as data.path, or keep only that one here."
        )
    return names[0]


def _buffered(stream: IO[bytes] | io.RawIOBase) -> BinaryIO:
    # The readline of a zip member is slow Python; that of BufferedReader is not and needs only `readinto`.
    return io.BufferedReader(cast(io.RawIOBase, stream), BUFFER)


def _decompressed(archive: zipfile.ZipFile, member: str, path: Path) -> IO[bytes]:
    try:
        return archive.open(member)
    except RuntimeError as error:  # encrypted, or a compression method that Python lacks
        what = f"{titled(path, member)}: cannot be unpacked here ({error})"
        raise DataError(f"{what}. Unpack it and give the CSV as data.path.") from error


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(member)
    assert stream is not None, "extractfile returns None only for what is no regular file"
    return stream
