"""Text with something between its fields: of a table as a spreadsheet, pandas or a person saved it."""

import csv
import re
from pathlib import Path

from fer_lightning.data.readers.bounded import MAX_LINE, MOST_TABLE
from fer_lightning.errors import DataError

DELIMITERS = ",;\t|"
INDEX = re.compile(r"(index|unnamed: ?\d+)?")
"""Names of the column that pandas adds: none the first time, one of these the second."""


def content_of(file: Path) -> bytes:
    """Returns the bytes of a table that is read in one piece; raises DataError if there are far too many."""
    if file.stat().st_size > MOST_TABLE:
        raise DataError(f"{file}: has more than {MOST_TABLE:,} bytes. Give a smaller folder as data.path.")
    return file.read_bytes()


def text_of(content: bytes, file: Path) -> str:
    """Returns the text of a table; raises DataError if it is none in UTF-8 or UTF-16."""
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: cannot be read as a CSV in UTF-8 ({error}). Save it as CSV in UTF-8.") from error


def header_of(text: str) -> str:
    """Returns the first line, or the second if the first only says what stands between the fields, as in sep=;"""
    first, *others = [line.strip("\ufeff") for line in text[:MAX_LINE].splitlines()[:2]] or [""]
    return others[0] if is_separator(first) and others else first


def start_of(file: Path, most: int = MAX_LINE) -> str:
    """Returns the header of whatever file, as far as it is text, of its first bytes."""
    with file.open("rb") as stream:
        start = stream.read(most)
    return header_of(start.decode(_encoding(start), "replace").replace("\0", ""))


def is_separator(line: str) -> bool:
    return re.fullmatch(r"\s*sep=.?\s*", line, re.DOTALL) is not None


def column_names(header: str, delimiter: str) -> tuple[str, ...]:
    """Returns the columns that a header names, in small letters; none if it is broken."""
    try:
        return tuple(name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error:
        return ()


def whole_number(text: str) -> str:
    """Returns a label without the decimals that pandas and spreadsheets give whole numbers."""
    return re.sub(r"[.,]0*$", "", text)


def _encoding(content: bytes) -> str:
    return "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
