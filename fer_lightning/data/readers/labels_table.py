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
from fer_lightning.data.readers.delimited import (
    DELIMITERS,
    INDEX,
    column_names,
    content_of,
    header_of,
    is_separator,
    start_of,
    text_of,
    whole_number,
)
from fer_lightning.data.readers.pixel_text import short, shown, some
from fer_lightning.errors import DataError
from fer_lightning.files import plain_text

log = logging.getLogger(__name__)

NAME = "labels.csv"
COLUMNS = ("file", "part", "emotion", "label", "row")
PERSON = "person"
"""A column that is there where the source has several pictures of each person: empty, if it is not known whose."""

KNOWN_CLASSES: tuple[tuple[str, ...], ...] = (EMOTIONS, FERPLUS_EMOTIONS)


class Line(NamedTuple):
    """The fields of a line, without the blanks around them; emotions by their canonical words."""

    file: str
    part: str
    emotion: str
    label: str
    shares: tuple[float, ...]  # of each class; empty without soft labels
    person: str = ""


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
        content = content_of(file)
        text = text_of(content, file)
        header = header_of(text)
        delimiter = max(DELIMITERS, key=lambda delimiter: len({*COLUMNS} & {*column_names(header, delimiter)}))
        names = tuple(canonical(name) for name in column_names(header, delimiter))
        while names and not names[-1]:  # a spreadsheet's empty columns
            names = names[:-1]
        _refuse_columns(file, names)
        table = cls(file, content, text, delimiter, names, _soft_names(names))
        others = [name for name in names if name not in (*COLUMNS, PERSON) and not INDEX.fullmatch(name)]
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
                    header_seen = not is_separator(self.delimiter.join(fields))
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
        person = plain_text(fields[self.names.index(PERSON)].strip()) if PERSON in self.names else ""
        return Line(file, part, canonical(emotion), whole_number(label), shares, whole_number(person))

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
    """Checks that a file's first lines name four of our columns, in whatever dialect."""
    return len({*COLUMNS} & {*re.split(r"\W+", start_of(file).lower())}) >= 4


def columns_of(file: Path) -> str:
    """Returns the header of a file that is somebody else's, for a message."""
    return shown(start_of(file), 80)


def _refuse_columns(file: Path, names: tuple[str, ...]) -> None:
    found = f"found the columns {shown(','.join(names), 120)}"
    for column in COLUMNS[:4]:
        if column not in names:
            raise DataError(
                f"{file}: no column {column!r}: {found}, expected {','.join(COLUMNS)} between commas, semicolons or "
                f"tabs. Save it as a CSV with these columns, or rename it if it does not list these images."
            )
    for column in names:
        if names.count(column) > 1 and (column in (*COLUMNS, PERSON) or is_emotion(column)):
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
