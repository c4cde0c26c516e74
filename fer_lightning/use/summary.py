"""Says in the terminal what was found: a line for each face where there are few, otherwise how many of each label."""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from fer_lightning.use.given_boxes import GivenBoxes
from fer_lightning.use.overview import MOST_FAILURES, MOST_ROWS, Overview, Row

LONGEST_SOURCE = 40
"""Letters of a source's name in the table; a longer one loses its beginning."""


def results_table(overview: Overview) -> str:
    """Returns the table for standard output; empty where nothing could be read."""
    if overview.nothing_read:
        return ""
    if len(overview.rows) <= MOST_ROWS:
        rows = [row._replace(source=shown(row.source)) for row in overview.rows]
        return _aligned([Row("source", "faces", "label", "confidence"), *rows])
    counts = [(label, f"{count:,}", f"{count / overview.faces:.1%}") for label, count in overview.labels.most_common()]
    return _aligned([("label", "faces", "share"), *counts])


def counts_in_words(overview: Overview) -> str:
    """Returns how much was looked at, in one line."""
    looked_at = [
        _count(overview.pictures, "picture") if overview.pictures else "",
        _count(overview.frames, "frame") + " of video" if overview.frames else "",
    ]
    line = f"{' and '.join(filter(None, looked_at))}: {_count(overview.faces, 'face')}"
    return f"{line}; {overview.without_face:,} without a face" if overview.without_face else line


def failure_lines(overview: Overview) -> Iterator[str]:
    """Yields what could not be read, and why."""
    for source, reason in overview.failures:
        yield f"not read: {shown(source, None)}: {reason}"
    if hidden := overview.unreadable + overview.damaged - len(overview.failures):
        yield f"not read: {hidden:,} more"


def unused_lines(boxes: GivenBoxes) -> Iterator[str]:
    """Yields the sources in a table of boxes that were not read, and whether all of them were not."""
    unused = boxes.unused()
    for source in unused[:MOST_FAILURES]:
        yield f"boxes of {shown(source, None)}: no such source was read"
    if hidden := len(unused[MOST_FAILURES:]):
        yield f"boxes of {hidden:,} more sources: none of them was read"
    if boxes.all_unused:
        yield f"error: no source of {shown(str(boxes.table), None)} was read: are their paths as you typed them here?"


def places(folder: Path, written: Sequence[str]) -> str:
    """Returns where the results lie, in one line."""
    return f"written to {shown(str(folder), None)}: {', '.join(written)}"


def shown(text: str, longest: int | None = LONGEST_SOURCE) -> str:
    """Returns a text that neither breaks a line nor steers a terminal."""
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return line if longest is None or len(line) <= longest else f"…{line[1 - longest :]}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows as a table: words to the left, numbers to the right."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    numeric = [
        all(cell[:1].isdigit() or cell[:1] in ("", "#") for cell in column[1:]) for column in zip(*rows, strict=True)
    ]
    lines = []
    for row in rows:
        cells = [
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    """Returns the columns of a terminal that a text takes: East Asian letters take two, accents of their own none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
