"""Faces' boxes from a table that somebody made, or that predicting wrote. Imports nothing slow."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_lightning.errors import DataError
from fer_lightning.files import plain_text
from fer_lightning.use.faces import Detection, Frame

NUMBERS = ("x", "y", "width", "height")

LARGEST_TABLE = 1 << 30
"""Bytes of a table of boxes at most."""


LONGEST_NUMBER = 12
"""Digits of a frame's number: longer ones are of no video."""


class GivenBoxes:
    """Finds in each frame the boxes that a CSV has for it, from the left to the right.

    Its header has source, x, y, width and height, in any order, and may have frame, the number of a video's frame: a
    row without one is for every frame of its source. A source is a path, as it was typed for predicting or by another
    way to the same file. Further columns are ignored, and rows without a box, so that a faces.csv can be given.

    Args:
        table: the file.

    Raises:
        DataError: it cannot be read, a column is missing, or a row has no box: says which, and what was there.
    """

    def __init__(self, table: str | Path) -> None:
        self.table = Path(table)
        self._boxes: dict[tuple[str, int | None], list[Detection]] = {}
        self._asked: set[str] = set()
        try:
            if not self.table.is_file():
                raise DataError(f"{table}: there is no such file of boxes")
            if self.table.stat().st_size > LARGEST_TABLE:
                raise DataError(f"{table}: more than {LARGEST_TABLE:,} bytes, which no table of boxes has")
            with self.table.open(encoding="utf-8-sig", newline="") as stream:
                reader = csv.DictReader(stream)
                self._refuse_header(reader.fieldnames or [])
                for row in reader:
                    self._add(row, reader.line_num)
        except UnicodeDecodeError as error:
            raise DataError(f"{table}: a table of boxes is a text in UTF-8, which this is not") from error
        except (OSError, csv.Error) as error:
            raise DataError(f"{table}: the table of boxes cannot be read ({error})") from error

    def __call__(self, frame: Frame) -> list[Detection]:
        """Returns a frame's boxes. One that is outside the frame is among them: to cut it out fails, and says why."""
        source = _place(frame.source)
        self._asked.add(source)
        found = self._boxes.get((source, frame.index), []) + self._boxes.get((source, None), [])
        return sorted(found, key=lambda detection: detection.x)

    def unused(self) -> list[str]:
        """Returns the sources in the table of which no frame has come: perhaps their paths are misspelt."""
        missed = {source for source, _ in self._boxes if source not in self._asked}
        return sorted(source if source == "-" else os.path.relpath(source) for source in missed)

    @property
    def all_unused(self) -> bool:
        """Returns whether there are boxes, and no frame of their sources has come."""
        return bool(self._boxes) and not any(source in self._asked for source, _ in self._boxes)

    def _refuse_header(self, names: Sequence[str]) -> None:
        if missing := [name for name in ("source", *NUMBERS) if name not in names]:
            raise DataError(
                f"{self.table}: the first line is {', '.join(names) or 'empty'}; "
                f"a table of boxes needs the columns source, {', '.join(NUMBERS)} there, and {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing. A column frame is needed for videos alone."
            )

    def _add(self, row: Mapping[str, str | None], line: int) -> None:
        texts = {name: (row[name] or "").strip() for name in NUMBERS}
        if not any(texts.values()):  # of a frame without a face
            return
        try:
            x, y, width, height = (float(text) for text in texts.values())
            is_box = width > 0 and height > 0 and all(map(math.isfinite, (x, y, width, height)))
        except ValueError:
            is_box = False
        if not is_box:
            there = ", ".join(f"{name} {text or 'nothing'}" for name, text in texts.items())
            raise DataError(f"{self.table}, line {line}: {there}; expected four numbers, both sizes above 0")
        source = plain_text(row["source"] or "")
        if not source:
            raise DataError(f"{self.table}, line {line}: there is no source; expected the path of an image or a video")
        number = (row.get("frame") or "").strip()
        if number and not (number.isdecimal() and len(number) <= LONGEST_NUMBER):
            raise DataError(f"{self.table}, line {line}: frame is {number[:20]}; expected a number from 0, or nothing")
        key = (_place(source), int(number) if number else None)
        box = Detection(x, y, width, height, given_in=f"{self.table}, line {line}")
        self._boxes.setdefault(key, []).append(box)


def _place(source: str) -> str:
    """Returns the same for every way to write a file's path."""
    return source if source == "-" else os.path.abspath(source)
