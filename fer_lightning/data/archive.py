"""The CSV inside whatever it came in (gzip, xz, zip, tar), told apart by content, never unpacked to disk."""

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
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO, cast

from fer_lightning.data.bounded import Bounded, most_unpacked, too_large
from fer_lightning.data.faces import DataError
from fer_lightning.data.pixel_csv import read_header
from fer_lightning.data.pixel_text import shown

SUFFIXES = (".csv", ".csv.gz", ".csv.xz", ".csv.zip", ".gz", ".xz", ".zip", ".tgz", ".tar.gz", ".tar.xz", ".tar")
BUFFER = 1 << 20

DAMAGE = (
    *(EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
    NotImplementedError,  # of zipfile, for a version or a method that there is not
)

FORMS = """\
- fer2013.csv (emotion,pixels,Usage), icml_face_data.csv or train.csv (emotion,pixels)
- one of these as .gz, .xz or .zip, or inside a .tgz or .tar
- a folder that holds one of these
- a folder of images: train/<emotion>/*.jpg and test/<emotion>/*.jpg (jpg, png or bmp), or <emotion>/*.jpg"""


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """The bytes of the CSV in the file `path`, and its name within the archive ("" if it is in none).

    Damage that shows only while reading (a truncated archive) becomes a DataError too, and so does what unpacks to far
    more than faces do, and an archive with a member outside its own folder.
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
    """How messages call a CSV."""
    return f"{path}, member {member}" if member else str(path)


def table_named_fer2013(names: Sequence[str], where: Path) -> str | None:
    """The file called fer2013 or, failing that, icml_face_data; a plain .csv before a packed one."""
    for stem in ("fer2013", "icml_face_data"):
        for suffix in SUFFIXES:
            named = [name for name in names if PurePosixPath(name).name.lower() == stem + suffix]
            if named:
                return _only(named, where)
    return None


def table_with_fitting_header(names: Sequence[str], refusal: Callable[[str], str | None], where: Path) -> str | None:
    """The one of these files whose header fits, train.csv before all others; DataError if several do.

    `refusal` says why a file does not fit. If none fits though some might be meant, DataError says why.
    """
    candidates = [name for name in names if name.lower().endswith(SUFFIXES)]
    refusals = {name: refusal(name) for name in candidates}
    fitting = [name for name in candidates if refusals[name] is None]
    named_train = [name for name in fitting if PurePosixPath(name).name.lower().startswith("train.")]
    if fitting:
        return _only(named_train or fitting, where)
    if candidates:
        raise DataError(
            f"{where}: holds no usable CSV:\n"
            + "\n".join(f"- {refusals[name]}" for name in candidates)
            + f"\nGive as data.path one of:\n{FORMS}"
        )
    return None


def is_visible(name: str) -> bool:
    """Whether no part of a path is hidden (.DS_Store, macOS's ._copies) or called __MACOSX."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _in_zip(file: BinaryIO, path: Path) -> Iterator[tuple[BinaryIO, str]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        allowed = most_unpacked(path)
        if sum(member.file_size for member in members) > allowed:  # zipfile reads no more than this of each
            raise too_large(path, allowed)
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            _refuse_outside(path, member.filename, kind not in (0, stat.S_IFREG, stat.S_IFDIR))
        files = [member.filename for member in members if not member.is_dir()]
        chosen = _member(files, lambda name: _decompressed(archive, name), path)
        with _decompressed(archive, chosen) as compressed:
            yield _buffered(compressed), chosen


def _in_tar_or_alone(stream: BinaryIO, path: Path) -> Iterator[tuple[BinaryIO, str]]:
    if not _is_tar(stream):
        yield stream, ""
        return
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        members = {member.name: member for member in _tar_members(tar, path) if member.isfile()}
        while stream.read(BUFFER):
            pass  # the compression's checksum stands behind the last member
        chosen = _member(list(members), lambda name: _extracted(tar, members[name]), path)
        yield _buffered(_extracted(tar, members[chosen])), chosen


def _is_tar(stream: BinaryIO) -> bool:
    """Unlike tarfile.is_tarfile, without unpacking a stream that is unpacked already."""
    try:
        with tarfile.open(fileobj=stream, mode="r:"):
            return True
    except tarfile.ReadError:
        return False
    finally:
        stream.seek(0)


def _tar_members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    end = 0
    for member in tar:
        if member.offset_data < end:  # tarfile would go round in circles
            raise tarfile.ReadError("its members overlap")
        end = member.offset_data + member.size
        _refuse_outside(path, member.name, not (member.isfile() or member.isdir()))
        yield member


def _unpacked(file: BinaryIO, magic: bytes, path: Path) -> BinaryIO:
    for start, opened in ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ", lzma.open), (b"BZh", bz2.open)):
        if magic.startswith(start):
            return _buffered(Bounded(cast(BinaryIO, opened(file)), path))
    return file


def _refuse_outside(path: Path, name: str, is_link_or_device: bool) -> None:
    windows = PureWindowsPath(name)  # which takes / and \ for the same
    if is_link_or_device or windows.anchor or name.startswith("/") or ".." in windows.parts:
        what = "a link or device" if is_link_or_device else "outside the archive's folder"
        raise DataError(
            f"{path}: its member {shown(name)} is {what}, which no archive of faces needs; nothing of it was read. "
            f"Get it from where it was first published, or unpack it and give the CSV as data.path."
        )


def _member(names: list[str], opened: Callable[[str], IO[bytes]], path: Path) -> str:
    def refusal(name: str) -> str | None:
        try:
            with opened(name) as stream:
                read_header(_buffered(stream), titled(path, name))
        except DataError as error:
            return str(error)
        return None

    names = [name for name in names if is_visible(name)]
    tables = [name for name in names if name.lower().endswith(".csv")]
    member = table_named_fer2013(tables, path) or table_with_fitting_header(tables, refusal, path)
    if member is None:
        held = ", ".join(names[:3]) + (", …" if len(names) > 3 else "") if names else "no files"
        raise DataError(
            f"{path}: this archive holds {held}, but no .csv. Images and packed files are not read "
            "from inside an archive: unpack it and give the folder as data.path."
        )
    return member


def _only(names: list[str], where: Path) -> str:
    if len(names) > 1:
        raise DataError(
            f"{where}: holds several tables that could be meant: {', '.join(sorted(names))}. "
            "Give the one to read as data.path, or keep only that one here."
        )
    return names[0]


def _buffered(stream: IO[bytes] | io.RawIOBase) -> BinaryIO:
    # The readline of a zip member is slow Python; that of BufferedReader is not and needs only `readinto`.
    return io.BufferedReader(cast(io.RawIOBase, stream), BUFFER)


def _decompressed(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except RuntimeError as error:  # encrypted, or a compression method that Python lacks
        what = f"{archive.filename}, member {member}: cannot be unpacked here ({error})"
        raise DataError(f"{what}. Unpack it and give the CSV as data.path.") from error


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(member)
    assert stream is not None, "extractfile returns None only for what is no regular file"
    return stream
