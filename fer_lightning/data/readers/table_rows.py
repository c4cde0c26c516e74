"""The rows of somebody's table of images, in whatever dialect, and what its columns are."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fer_lightning.data.readers.bounded import MOST_IMAGES
from fer_lightning.data.readers.delimited import DELIMITERS, column_names, content_of, header_of, start_of, text_of
from fer_lightning.data.readers.face_boxes import Box, boxes_in
from fer_lightning.data.readers.pixel_text import some
from fer_lightning.data.readers.table_columns import found_columns
from fer_lightning.data.readers.usual_columns import USUAL, plain
from fer_lightning.errors import DataError
from fer_lightning.files import plain_text

LONGEST_HEADER = 1 << 14
"""Bytes of a file that are looked at to see if it is a table of images."""


@dataclass(frozen=True)
class TableRows:
    """The rows of a table, and the column for each of image, label, split and person that it has."""

    file: Path
    content: bytes
    rows: pd.DataFrame  # of texts
    columns: Mapping[str, str]
    box_columns: tuple[str, ...]  # empty where it has no boxes of faces
    boxes: Sequence[Box | None]  # of each row

    @classmethod
    def read(cls, file: Path, given: Mapping[str, str]) -> "TableRows":
        content = content_of(file)
        text = text_of(content, file)
        try:
            rows = pd.read_csv(
                io.StringIO(text[text.index(header_of(text)) :]),
                sep=_delimiter(header_of(text), given),
                header=None,  # with one, a longer row would make an index of its first fields
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
            ).fillna("")
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            raise DataError(f"{file}: is no table ({str(error).strip()}). Correct it, or give another.") from error
        rows.columns = pd.Index([str(name).strip() for name in rows.iloc[0]])
        rows = rows.iloc[1:].reset_index(drop=True)
        if len(rows) > MOST_IMAGES:
            raise DataError(f"{file}: has more than {MOST_IMAGES:,} rows. Give a smaller table as data.path.")
        if rows.empty:
            raise DataError(f"{file}: the table ends after its header, expected a row for each image.")

        def example(column: str) -> str:
            return str(rows.loc[:, [column]].iloc[0, 0])  # the first of two of this name

        columns = found_columns(tuple(rows.columns), given, example, file)
        for key in ("image", "label"):
            if key not in columns:
                raise DataError(
                    f"{file}: none of its columns ({some([*rows.columns], 20)}) has a usual name of a column for the "
                    f"{key}. Name it with data.columns.{key}=…."
                )
        if twice := [name for name in columns.values() if list(rows.columns).count(name) > 1]:
            raise DataError(f"{file}: has two columns called {twice[0]!r}. Rename or remove one of them.")
        box_columns, boxes = boxes_in(rows) or ((), [None] * len(rows))
        return cls(file, content, rows, columns, box_columns, boxes)

    def fields(self, key: str) -> list[str]:
        """Returns the fields of the column for this, without blanks around them; "" for all where there is none."""
        if key not in self.columns:
            return [""] * len(self.rows)
        return [plain_text(field.strip()) for field in self.rows[self.columns[key]]]

    @property
    def meaning(self) -> str:
        columns = [key if plain(key) == plain(name) else f"{key} {name}" for key, name in self.columns.items()]
        return ", ".join([*columns, *(["face box"] if self.box_columns else [])])


def has_columns(file: Path, given: Mapping[str, str]) -> bool:
    """Checks the header for columns of images and of classes; and that it is not a table of pixels."""
    header = start_of(file, LONGEST_HEADER)
    names = {plain(name) for name in column_names(header, _delimiter(header, given))}
    if "pixels" in names:
        return False
    return all(
        plain(given[key]) in names if key in given else not names.isdisjoint(USUAL[key]) for key in ("image", "label")
    )


def _delimiter(header: str, given: Mapping[str, str]) -> str:
    known = {word for words in USUAL.values() for word in words} | {plain(name) for name in given.values()}
    return max(DELIMITERS, key=lambda one: len(known & {plain(name) for name in column_names(header, one)}))
