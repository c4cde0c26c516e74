"""Reads the tables and lists of a known set, bounded and strict: a field is what its set says, or a bad line."""

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fer_lightning.data.emotions import NUMBERINGS, WITHOUT_EMOTION
from fer_lightning.data.readers.bounded import MAX_LINE, MOST_TABLE
from fer_lightning.data.readers.labels_table import BadLineError as BadLineError
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.errors import DataError

COMPLETE = "Get a complete copy of the set."


def table_lines(file: Path, form: str) -> list[str]:
    """Returns the lines of a text in UTF-8."""
    if file.stat().st_size > MOST_TABLE:
        raise DataError(f"{file}: {form}: has more than {MOST_TABLE:,} bytes. {COMPLETE}")
    content = file.read_bytes()
    try:
        if b"\0" in content:
            raise ValueError("it has zero bytes")
        return content.decode("utf-8-sig").splitlines()
    except ValueError as error:
        raise DataError(f"{file}: {form}: is no text in UTF-8 ({error}). {COMPLETE}") from error


def table_rows(file: Path, form: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a CSV that are not blank, each with its line, from 1; fields without outer blanks.

    It need not fit into memory: AffectNet's has half a gigabyte.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(iter(lambda: stream.readline(MAX_LINE), ""), strict=True)
        try:
            for fields in reader:
                if any(field.strip() for field in fields):
                    yield reader.line_num, [field.strip() for field in fields]
        except (csv.Error, UnicodeDecodeError) as error:
            line = f"{file}: {form}: line {reader.line_num + 1}"
            raise DataError(f"{line} is no line of a CSV in UTF-8 ({error}). {COMPLETE}") from error


def header_names(file: Path) -> tuple[str, ...]:
    """Returns the names in the first line of whatever file, in small letters; () if there is no such file."""
    if not file.is_file():
        return ()
    with file.open("rb") as stream:
        line = stream.readline(MAX_LINE)
    return tuple(name.strip(' "\r\n').lower() for name in line.decode("utf-8-sig", "replace").split(","))


def number_in(numbering: str, text: str, form: str) -> str:
    """Returns the number that a text is, perhaps with decimals that are 0, if it is one of the numbering's.

    Raises BadLineError if it is not.
    """
    known = {*NUMBERINGS[numbering], *WITHOUT_EMOTION.get(numbering, {})}
    try:
        number = float(text)
    except ValueError:
        number = -1
    if number not in known:
        raise BadLineError(f"found the label {shown(text)}, expected {form}'s, {min(known)} to {max(known)}")
    return str(int(number))


def safe_path(text: str) -> str:
    """Returns a path in a table with /; raises BadLineError if it leads out of the set."""
    path = PurePosixPath(text.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ":" in path.parts[0] or ".." in path.parts or "\0" in text:
        raise BadLineError(f"found the file {shown(text)}, expected one of the set")
    return path.as_posix()


def at_line(file: Path, number: int) -> str:
    return f"{file.name}, line {number}"
