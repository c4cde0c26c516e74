"""FER+'s file of votes, fer2013new.csv: a row for each row of fer2013.csv, in the same order."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_lightning.data.readers.bounded import MAX_LINE, MOST_BLANK_LINES
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader

NAME = "fer2013new.csv"
WHERE_FROM = f"{NAME} is in https://github.com/microsoft/FERPlus"
VOTED = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""The columns of votes: those of the eight emotions are in the order of `FERPLUS_EMOTIONS`."""
COLUMNS = ("Usage", "Image name", *VOTED)


class VotesTable(NamedTuple):
    usages: tuple[str, ...]
    has_face: NDArray[np.bool_]  # (N,)
    votes: NDArray[np.int64]  # (N, 10), in the order of VOTED


def read_votes(file: Path, most: int) -> VotesTable:
    """Returns the votes of at most as many rows as there are faces, and one more."""
    lines = csv.reader([])
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(iter(lambda: stream.readline(MAX_LINE), ""))
            return _table(lines, file, most)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error}). Give a readable file as data.votes.path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 text ({error}). {WHERE_FROM}.") from error
    except csv.Error as error:
        raise DataError(f"{file}: line {max(lines.line_num, 1)} is not CSV ({error}). {WHERE_FROM}.") from error


def _table(lines: "Reader", file: Path, most: int) -> VotesTable:
    header = [name.strip() for name in next(lines, [])]
    if missing := [column for column in COLUMNS if column not in header]:
        raise DataError(
            f"{file}: no column {missing[0]!r}: found {shown(','.join(header), 120)}, expected {','.join(COLUMNS)}. "
            f"{WHERE_FROM}."
        )
    usage, name, *voted = (header.index(column) for column in COLUMNS)
    table: list[tuple[str, bool, list[int]]] = []
    for fields in lines:
        if lines.line_num > most + len(table) + MOST_BLANK_LINES:
            raise DataError(f"{file}: too many of its first {lines.line_num:,} lines are blank. {WHERE_FROM}.")
        if not fields:
            continue
        if len(table) > most:
            break
        where = f"{file}: row {len(table) + 1} (line {lines.line_num})"
        if len(fields) != len(header):
            raise DataError(f"{where}: found {len(fields)} fields, expected {len(header)}. {WHERE_FROM}.")
        votes = [_votes(fields[place], f"{where}, column {header[place]}") for place in voted]
        table.append((fields[usage].strip(), bool(fields[name].strip()), votes))
    if not table:
        raise DataError(f"{file}: holds no row of votes. {WHERE_FROM}.")
    usages, has_face, all_votes = zip(*table, strict=True)
    return VotesTable(usages, np.array(has_face, np.bool_), np.array(all_votes, np.int64))


def _votes(field: str, where: str) -> int:
    text = field.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise DataError(f"{where}: found {shown(field)}, expected a number of votes (0, 1, 2, …). {WHERE_FROM}.")
    return int(text)
