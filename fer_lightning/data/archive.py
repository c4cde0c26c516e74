"""The CSV inside whatever it came in (gzip, xz, zip, tar), told apart by content, never unpacked to disk."""

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from fer_lightning.data.faces import DataError
from fer_lightning.data.pixel_csv import read_header

SUFFIXES = (".csv", ".csv.gz", ".csv.xz", ".csv.zip", ".gz", ".xz", ".zip", ".tgz", ".tar.gz", ".tar.xz", ".tar")
BUFFER = 1 << 20

FORMS = """\
- fer2013.csv (emotion,pixels,Usage), icml_face_data.csv or train.csv (emotion,pixels)
- one of these as .gz, .xz or .zip, or inside a .tgz or .tar
- a folder that holds one of these
- a folder of images: train/<emotion>/*.jpg and test/<emotion>/*.jpg (jpg, png or bmp), or <emotion>/*.jpg"""


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """The bytes of the CSV in the file `path`, and its name within the archive ("" if it is in none).

    Damage that shows only while reading (a truncated archive) becomes a DataError too.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        if magic.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                files = [member.filename for member in archive.infolist() if not member.is_dir()]
                member = _member(files, lambda name: _decompressed(archive, name), path)
                with _decompressed(archive, member) as compressed:
                    yield _buffered(compressed), member
        elif tarfile.is_tarfile(path):
            with tarfile.open(path, "r:*") as tar:
                members = {member.name: member for member in tar if member.isfile()}
                while tar.fileobj is not None and tar.fileobj.read(BUFFER):
                    pass  # the compression's checksum stands behind the last member
                member = _member(list(members), lambda name: _extracted(tar, members[name]), path)
                yield _buffered(_extracted(tar, members[member])), member
        elif magic.startswith(b"\x1f\x8b"):
            with gzip.open(path) as compressed:
                yield _buffered(compressed), ""
        elif magic.startswith(b"\xfd7zXZ"):
            with lzma.open(path) as compressed:
                yield _buffered(compressed), ""
        else:
            with path.open("rb", buffering=BUFFER) as file:
                yield file, ""
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError) as error:
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


def _buffered(stream: IO[bytes] | gzip.GzipFile) -> BinaryIO:
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
