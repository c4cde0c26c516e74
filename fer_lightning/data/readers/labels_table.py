"""The table of a labels.csv, in whatever dialect a spreadsheet, pandas or a person saved it.

Between its fields are commas, semicolons, tabs or bars, with or without quotes; its columns come in any order, with
an index, empty columns or notes among them; capitals do not matter.
"""

import csv
import io
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from fer_lightning.data.emotions import EMOTIONS, FERPLUS_EMOTIONS, canonical, is_emotion
from fer_lightning.data.readers.bounded import MAX_LINE, MOST_TABLE
from fer_lightning.data.readers.pixel_text import short, shown, some
from fer_lightning.data.tables import plain_text
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

NAME = "labels.csv"
COLUMNS = ("file", "part", "emotion", "label", "row")
KNOWN_CLASSES: tuple[tuple[str, ...], ...] = (EMOTIONS, FERPLUS_EMOTIONS)
DELIMITERS = ",;\t|"
INDEX = re.compile(r"(index|unnamed: ?\d+)?")
"""Names of the column that pandas adds: none the first time, one of these the second."""


class Line(NamedTuple):
    """The fields of a line, without the blanks around them; the part in small letters, emotions by canonical words."""

    file: str
    part: str
    emotion: str
    label: str
    shares: tuple[float, ...]  # of each class; empty without soft labels


class BadLineError(Exception):
    """Why a line cannot be used: what was found, what was expected."""


@dataclass(frozen=True)
class LabelsTable:
    """The lines of a labels.csv, and where in them the columns are.

    Raises DataError where the file as a whole is unusable.
    """

    file: Path
    content: bytes  # of the file
    text: str
    delimiter: str
    names: tuple[str, ...]  # of the columns that the header names, in small letters
    soft_names: tuple[str, ...]  # the classes, if each has a column with its share

    @classmethod
    def read(cls, file: Path) -> "LabelsTable":
        content = _content(file)
        text = _text(content, file)
        header = _header(text)
        delimiter = max(DELIMITERS, key=lambda delimiter: len({*COLUMNS} & {*_fields(header, delimiter)}))
        names = tuple(canonical(name) for name in _fields(header, delimiter))
        while names and not names[-1]:  # a spreadsheet's empty columns
            names = names[:-1]
        _refuse_columns(file, names)
        table = cls(file, content, text, delimiter, names, _soft_names(names))
        others = [name for name in names if name not in COLUMNS and not INDEX.fullmatch(name)]
        if not table.soft_names and len(others) > 1 and table.classes() <= {*others}:
            table = replace(table, soft_names=tuple(others))
        if unread := [name for name in others if name not in table.soft_names]:
            log.warning("%s: these columns are not read: %s", file, some(unread))
        return table

    def classes(self) -> set[str]:
        """Returns the classes that lines name."""
        return {line.emotion for _, line in self.lines() if isinstance(line, Line)}

    def lines(self) -> Iterator[tuple[int, Line | BadLineError]]:
        """Yields the lines that are not blank, each with its number in the file."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter, strict=True)
        places = [self.names.index(column) for column in COLUMNS[:4]]
        soft_places = [self.names.index(name) for name in self.soft_names]
        header_seen = False
        try:
            for fields in reader:
                if not header_seen:
                    header_seen = not _is_separator(self.delimiter.join(fields))
                elif any(field.strip() for field in fields):
                    yield reader.line_num, self._line(fields, places, soft_places)
        except csv.Error as error:
            raise DataError(f"{self.file}: line {reader.line_num} is not CSV ({error}). Correct it.") from error

    def _line(self, fields: list[str], places: list[int], soft_places: list[int]) -> Line | BadLineError:
        while len(fields) > len(self.names) and not fields[-1].strip():
            fields = fields[:-1]
        if len(fields) != len(self.names):
            names = short(",".join(self.names))
            return BadLineError(f"found {len(fields)} fields, expected {len(self.names)} ({names})")
        file, part, emotion, label = (plain_text(fields[place].strip()) for place in places)
        try:
            shares = self._shares([fields[place] for place in soft_places])
        except BadLineError as bad:
            return bad
        return Line(file, part.lower(), canonical(emotion), _whole_number(label), shares)

    def _shares(self, fields: list[str]) -> tuple[float, ...]:
        if self.delimiter != ",":  # so that a comma may stand for the point
            fields = [field.replace(",", ".") for field in fields]
        try:
            shares = tuple(float(field) for field in fields)
        except ValueError as error:
            raise BadLineError(f"found {short(str(error), 80)}, expected a share of 0 to 1 for each class") from None
        if shares and (not min(shares) >= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-4)):
            found = short(", ".join(fields))
            raise BadLineError(f"found the shares {found}, expected shares of 0 to 1 that add up to 1")
        return shares


def is_ours(file: Path) -> bool:
    """Checks that a file's first lines name three of our columns, in whatever dialect."""
    return len({*COLUMNS} & {*re.split(r"\W+", _start(file).lower())}) >= 3


def columns_of(file: Path) -> str:
    """Returns the header of a file that is somebody else's, for a message."""
    return shown(_start(file), 80)


def _start(file: Path) -> str:
    """Returns the header of whatever file, as far as it is text."""
    with file.open("rb") as stream:
        start = stream.read(MAX_LINE)
    return _header(start.decode(_encoding(start), "replace").replace("\0", ""))


def _encoding(content: bytes) -> str:
    return "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def _content(file: Path) -> bytes:
    if file.stat().st_size > MOST_TABLE:
        raise DataError(f"{file}: has more than {MOST_TABLE:,} bytes. Give a smaller folder as data.path.")
    return file.read_bytes()


def _text(content: bytes, file: Path) -> str:
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: cannot be read as a CSV in UTF-8 ({error}). Save it as CSV in UTF-8.") from error


def _header(text: str) -> str:
    """Returns the first line, or the second if the first only says what stands between the fields, as in sep=;"""
    first, *others = [line.strip("\ufeff") for line in text[:MAX_LINE].splitlines()[:2]] or [""]
    return others[0] if _is_separator(first) and others else first


def _is_separator(line: str) -> bool:
    return re.fullmatch(r"\s*sep=.?\s*", line, re.DOTALL) is not None


def _fields(header: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error:
        return ()


def _refuse_columns(file: Path, names: tuple[str, ...]) -> None:
    found = f"found the columns {shown(','.join(names), 120)}"
    for column in COLUMNS[:4]:
        if column not in names:
            raise DataError(
                f"{file}: no column {column!r}: {found}, expected {','.join(COLUMNS)} between commas, semicolons or "
                f"tabs. Save it as a CSV with these columns, or rename it if it does not list these images."
            )
    for column in names:
        if names.count(column) > 1 and (column in COLUMNS or is_emotion(column)):
            raise DataError(f"{file}: names the column {column!r} twice ({found}). Remove or rename one of them.")
    if not _soft_names(names) and (some_classes := sorted(filter(is_emotion, names))):
        raise DataError(
            f"{file}: has the column {some_classes[0]!r}, but not one of each class: {found}, expected none, or one "
            f"each of {', '.join(EMOTIONS)}, or of {', '.join(FERPLUS_EMOTIONS)}. Add or remove columns."
        )


def _soft_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns FER2013's seven or FER+'s eight emotions, in that order, if the columns are exactly these and others."""
    emotions = set(filter(is_emotion, names))
    return next((known for known in KNOWN_CLASSES if {*known} == emotions), ())


def _whole_number(text: str) -> str:
    """Returns a label without the decimals that pandas and spreadsheets give whole numbers."""
    return re.sub(r"[.,]0*$", "", text)
