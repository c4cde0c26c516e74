"""FER2013's CSV form: one face per row, its 2,304 grey values as decimal numbers between spaces.

The columns are found by name (`emotion`, `pixels`, and `Usage` if there is one), whatever their order. The
file is parsed in blocks of rows on threads, which pays since numpy gives up the interpreter's lock.
"""

import csv
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fer_lightning.data.faces import EMOTIONS, SHOWN, SIDE, USAGES, DataError, Faces, Reading
from fer_lightning.data.pixel_text import PIXELS, BadRowError, pixel_values, shown, values_one_by_one

MAX_LINE = 1 << 20  # bytes; an honest row has about 9 kB, and a file without line ends must not fill the memory
ROWS_PER_BLOCK = 64  # half a megabyte of text: its intermediate arrays stay in the processor's cache

LABELS = {str(label).encode(): label for label in range(len(EMOTIONS))}
PARTS = {usage.encode(): part for part, usage in enumerate(USAGES)}


@dataclass(frozen=True)
class Header:
    names: tuple[str, ...]
    emotion: int
    pixels: int
    usage: int | None


class _Row(NamedTuple):
    number: int  # 1 is the first row below the header; blank lines do not count
    line_number: int
    line: bytes


class _Block(NamedTuple):
    images: NDArray[np.uint8]  # (n, 2304)
    labels: list[int]
    parts: list[int]
    numbers: list[int]
    bad: list[str]


def parse_pixel_csv(stream: BinaryIO, name: str) -> Reading:
    """Faces of the CSV in `stream`; messages call it `name`. Bad rows are left out, counted and described.

    Raises DataError where the file as a whole is unusable: no header, a missing column, no rows.
    """
    header = read_header(stream, name)
    blocks = list(_parsed_blocks(header, _blocks_of_rows(stream, name)))
    if not blocks:
        raise DataError(f"{name}: the file ends after its header; expected one row per face. Get a complete copy.")
    bad = [message for block in blocks for message in block.bad]
    labels = [label for block in blocks for label in block.labels]
    parts = [part for block in blocks for part in block.parts]
    numbers = [number for block in blocks for number in block.numbers]
    faces = Faces(
        images=torch.from_numpy(np.concatenate([block.images for block in blocks])).view(-1, SIDE, SIDE),
        labels=torch.tensor(labels, dtype=torch.int64),
        parts=torch.tensor(parts, dtype=torch.uint8),
        numbers=torch.tensor(numbers, dtype=torch.int64),
        part_names=("all",) if header.usage is None else USAGES,
    )
    return Reading(faces, form=f"CSV ({','.join(header.names)})", bad_rows=len(bad), first_bad=tuple(bad[:SHOWN]))


def read_header(stream: BinaryIO, name: str) -> Header:
    """The columns that the stream's first line names; DataError if they are not those of a FER2013 CSV."""
    line = stream.readline(MAX_LINE)
    if not line.strip():
        what = "starts with a blank line" if line else "is empty"
        raise DataError(
            f"{name}: the file {what}; expected a header such as emotion,pixels,Usage. Get a complete copy."
        )
    if b"\0" in line or line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name}: line 1 is not UTF-8 text (it looks like UTF-16 or binary). Save it as a UTF-8 CSV.")
    try:
        fields = next(csv.reader([line.decode("utf-8-sig")]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{name}: line 1 is not a CSV header in UTF-8 ({error}). Save it as a UTF-8 CSV.") from error

    columns = [field.strip().lower() for field in fields]
    found = f"found the columns {shown(','.join(field.strip() for field in fields), 80)}"
    for column in ("emotion", "pixels", "usage"):
        if columns.count(column) > 1:
            raise DataError(
                f"{name}: line 1 names the column {column!r} twice ({found}). Remove or rename one of them."
            )
    if "pixels" in columns and "emotion" not in columns:
        raise DataError(
            f"{name}: no column 'emotion': {found}. Kaggle's test.csv has pixels but no labels, so there is "
            "nothing to train on or to score; give train.csv, icml_face_data.csv or fer2013.csv as data.path."
        )
    for column in ("emotion", "pixels"):
        if column not in columns:
            raise DataError(
                f"{name}: no column {column!r}: {found}, expected emotion,pixels and perhaps Usage between "
                "commas. Give a FER2013 CSV as data.path."
            )
    return Header(
        names=tuple(field.strip() for field in fields),
        emotion=columns.index("emotion"),
        pixels=columns.index("pixels"),
        usage=columns.index("usage") if "usage" in columns else None,
    )


def _blocks_of_rows(stream: BinaryIO, name: str) -> Iterator[list[_Row]]:
    rows: list[_Row] = []
    number = 0
    for line_number, line in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), start=2):
        if len(line) == MAX_LINE:
            raise DataError(
                f"{name}: line {line_number} is longer than {MAX_LINE:,} bytes; expected one face of 2,304 "
                "pixels per line. Save the file with one row per line."
            )
        if line.isspace():
            continue
        number += 1
        rows.append(_Row(number, line_number, line))
        if len(rows) == ROWS_PER_BLOCK:
            yield rows
            rows = []
    if rows:
        yield rows


def _parsed_blocks(header: Header, blocks: Iterator[list[_Row]]) -> Iterator[_Block]:
    threads = os.cpu_count() or 1
    in_flight: deque[Future[_Block]] = deque()  # bounded, so that reading does not run ahead of parsing
    with ThreadPoolExecutor(threads) as pool:
        for rows in blocks:
            in_flight.append(pool.submit(_parse_block, header, rows))
            if len(in_flight) > 2 * threads:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()


def _parse_block(header: Header, rows: list[_Row]) -> _Block:
    texts: list[bytes] = []
    labels: list[int] = []
    parts: list[int] = []
    with suppress(BadRowError):
        for row in rows:
            text, label, part = _fields_used(header, row.line)
            texts.append(text)
            labels.append(label)
            parts.append(part)
        images = pixel_values(texts)
        if images is not None:
            return _Block(images, labels, parts, [row.number for row in rows], bad=[])

    # Something is odd in this block: row by row, each is either taken after all or diagnosed.
    good: list[tuple[NDArray[np.uint8], int, int, int]] = []
    bad: list[str] = []
    for row in rows:
        try:
            text, label, part = _fields_used(header, row.line)
            values = pixel_values([text])
            image = values_one_by_one(text) if values is None else values[0]
            good.append((image, label, part, row.number))
        except BadRowError as why:
            bad.append(f"row {row.number} (line {row.line_number}), {why}")
    return _Block(
        images=np.array([image for image, _, _, _ in good], dtype=np.uint8).reshape(-1, PIXELS),
        labels=[label for _, label, _, _ in good],
        parts=[part for _, _, part, _ in good],
        numbers=[number for _, _, _, number in good],
        bad=bad,
    )


def _fields_used(header: Header, line: bytes) -> tuple[bytes, int, int]:
    """The pixels' text, the label and the part of one line."""
    fields = _split(line)
    if len(fields) != len(header.names):
        count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        raise BadRowError(f"all columns: found {count}, expected {len(header.names)} ({','.join(header.names)})")
    emotion = fields[header.emotion]
    label = LABELS.get(emotion)
    if label is None:
        raise BadRowError(
            f"column emotion: found {shown(emotion)}, expected a whole number from 0 to {len(EMOTIONS) - 1}"
        )
    if header.usage is None:
        return fields[header.pixels], label, 0
    part = PARTS.get(fields[header.usage])
    if part is None:
        raise BadRowError(f"column Usage: found {shown(fields[header.usage])}, expected one of {', '.join(USAGES)}")
    return fields[header.pixels], label, part


def _split(line: bytes) -> list[bytes]:
    if not line.isascii():
        try:
            line.decode()
        except UnicodeDecodeError as error:
            where = f"byte {line[error.start]:#04x} at place {error.start + 1} of the line"
            raise BadRowError(f"all columns: found {where}, expected UTF-8") from None
    fields = [field.strip() for field in line.split(b",")]
    if b'"' not in line:
        return fields
    unquoted = [field[1:-1].strip() if field[:1] == field[-1:] == b'"' else field for field in fields]
    if not any(b'"' in field for field in unquoted) and b'"' not in fields:
        return unquoted
    try:  # a comma or a quote inside quotes: for the csv module, which is forty times slower
        return [field.strip().encode() for field in next(csv.reader([line.decode()], strict=True))]
    except csv.Error as error:
        raise BadRowError(f"all columns: found broken quotes ({error}), expected fields between commas") from None
