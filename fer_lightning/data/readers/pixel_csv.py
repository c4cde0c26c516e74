"""FER2013's CSV form: one face per row, its 2,304 grey values as decimal numbers between spaces.

The columns are found by name (`emotion`, `pixels`, and `Usage` if there is one), whatever their order. Emotions are
numbers or words; what a number means is not decided here. The file is parsed in blocks of rows on threads, which pays
since numpy gives up the interpreter's lock.
"""

import csv
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fer_lightning.data.emotions import canonical, in_order, is_emotion, is_number
from fer_lightning.data.faces import SHOWN, SIDE, USAGES, Faces, Reading
from fer_lightning.data.readers.bounded import MAX_LINE, MOST_BAD_ROWS, MOST_BLANK_LINES
from fer_lightning.data.readers.pixel_header import FER2013_LABEL, Header, read_header
from fer_lightning.data.readers.pixel_text import PIXELS, BadRowError, pixel_values, short, shown, values_one_by_one
from fer_lightning.data.readers.table_columns import class_of
from fer_lightning.errors import DataError

ROWS_PER_BLOCK = 64  # half a megabyte of text: its intermediate arrays stay in the processor's cache

NUMBERS = {str(number).encode(): str(number) for number in range(100)}
"""The numbers that a class may have, each as a class's name."""

PARTS = {usage.encode(): part for part, usage in enumerate(USAGES)}


class _Row(NamedTuple):
    number: int  # 1 is the first row below the header; blank lines do not count
    line_number: int
    line: bytes


class _Block(NamedTuple):
    images: NDArray[np.uint8]  # (n, 2304)
    classes: list[str]
    parts: list[int]
    numbers: list[int]
    bad: list[str]


def parse_pixel_csv(stream: BinaryIO, name: str) -> Reading:
    """Faces of the CSV in `stream`; messages call it `name`. Bad rows are left out, counted and described.

    Raises DataError where the file as a whole is unusable: no header, a missing column, no rows, bad rows without end.
    """
    header = read_header(stream, name)
    blocks: list[_Block] = []
    rows = bad_rows = 0
    first_bad: list[str] = []
    with closing(_parsed_blocks(header, _blocks_of_rows(stream, name))) as parsed:
        for block in parsed:
            rows += len(block.classes) + len(block.bad)
            bad_rows += len(block.bad)
            first_bad += block.bad[: SHOWN - len(first_bad)]
            if bad_rows > MOST_BAD_ROWS + rows - bad_rows:
                listed = "".join(f"\n- {message}" for message in first_bad)
                raise DataError(
                    f"{name}: {bad_rows:,} of its first {rows:,} rows are bad:{listed}\nThe rest was not read. Give a "
                    f"correct source as data.path."
                )
            blocks.append(block._replace(bad=[]))
    if not blocks:
        raise DataError(f"{name}: the file ends after its header; expected one row per face. Get a complete copy.")
    classes = [name for block in blocks for name in block.classes]
    class_names = in_order(classes)
    places = {name: place for place, name in enumerate(class_names)}
    parts = [part for block in blocks for part in block.parts]
    numbers = [number for block in blocks for number in block.numbers]
    faces = Faces(
        images=torch.from_numpy(np.concatenate([block.images for block in blocks])).view(-1, 1, SIDE, SIDE),
        labels=torch.tensor([places[name] for name in classes], dtype=torch.int64),
        parts=torch.tensor(parts, dtype=torch.uint8),
        numbers=torch.tensor(numbers, dtype=torch.int64),
        part_names=("all",) if header.usage is None else USAGES,
        class_names=class_names,
    )
    return Reading(
        faces,
        form=f"CSV ({short(','.join(header.names))})",
        bad_rows=bad_rows,
        first_bad=tuple(first_bad),
        numbering="fer2013" if header.label_name == FER2013_LABEL else "",
    )


def _blocks_of_rows(stream: BinaryIO, name: str) -> Iterator[list[_Row]]:
    rows: list[_Row] = []
    number = blank = size = 0
    for line_number, line in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), start=2):
        if len(line) == MAX_LINE:
            raise DataError(
                f"{name}: line {line_number} is longer than {MAX_LINE:,} bytes; expected one face of 2,304 "
                "pixels per line. Save the file with one row per line."
            )
        if line.isspace():
            blank += 1
            if blank > MOST_BLANK_LINES + number:
                raise DataError(f"{name}: {blank:,} of its first {line_number:,} lines are blank. Remove these lines.")
            continue
        number += 1
        size += len(line)
        rows.append(_Row(number, line_number, line))
        if len(rows) == ROWS_PER_BLOCK or size >= MAX_LINE:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _parsed_blocks(header: Header, blocks: Iterator[list[_Row]]) -> Generator[_Block, None, None]:
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
    classes: list[str] = []
    parts: list[int] = []
    with suppress(BadRowError):
        for row in rows:
            text, name, part = _fields_used(header, row.line)
            texts.append(text)
            classes.append(name)
            parts.append(part)
        images = pixel_values(texts)
        if images is not None:
            return _Block(images, classes, parts, [row.number for row in rows], bad=[])

    # Something is odd in this block: row by row, each is either taken after all or diagnosed.
    good: list[tuple[NDArray[np.uint8], str, int, int]] = []
    bad: list[str] = []
    for row in rows:
        try:
            text, name, part = _fields_used(header, row.line)
            values = pixel_values([text])
            image = values_one_by_one(text) if values is None else values[0]
            good.append((image, name, part, row.number))
        except BadRowError as why:
            bad.append(f"row {row.number} (line {row.line_number}), {why}")
    return _Block(
        images=np.array([image for image, _, _, _ in good], dtype=np.uint8).reshape(-1, PIXELS),
        classes=[name for _, name, _, _ in good],
        parts=[part for _, _, part, _ in good],
        numbers=[number for _, _, _, number in good],
        bad=bad,
    )


def _fields_used(header: Header, line: bytes) -> tuple[bytes, str, int]:
    """Returns the pixels' text, the class and the part of one line."""
    fields = _split(line)
    if len(fields) != len(header.names):
        count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        names = short(",".join(header.names))
        raise BadRowError(f"all columns: found {count}, expected {len(header.names)} ({names})")
    name = NUMBERS.get(fields[header.label]) or _word(fields[header.label], header.label_name)
    if header.usage is None:
        return fields[header.pixels], name, 0
    part = PARTS.get(fields[header.usage])
    if part is None:
        raise BadRowError(f"column Usage: found {shown(fields[header.usage])}, expected one of {', '.join(USAGES)}")
    return fields[header.pixels], name, part


def _word(field: bytes, column: str) -> str:
    """Returns the class that a word is: in FER2013's own column an emotion, in others whatever their classes are."""
    word = field.decode()
    if is_emotion(word):
        return canonical(word)
    name = None if column == FER2013_LABEL else class_of(word)
    if name is None or is_number(name):
        expected = "an emotion" if column == FER2013_LABEL else "a class"
        raise BadRowError(f"column {column}: found {shown(field)}, expected a whole number from 0 to 99 or {expected}")
    return name


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
