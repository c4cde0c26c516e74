"""Writes tables as CSV files: complete ones, in which no spreadsheet takes a text for a formula.

A field that begins with = + - or @ is a formula to a spreadsheet, quoted or not, and a formula can start programs and
send what is in the table elsewhere. File names, class names and overrides come from anywhere. So such a text gets an
apostrophe before it, by which spreadsheets mark a text; quotes would not help, and a space or tab would stay in it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from fer_lightning.files import written_whole

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""The beginning of a formula, in full width too; also after apostrophes, so that taking one away undoes adding it."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def write_table(table: pd.DataFrame, file: Path, index: str | None = None, float_format: str | None = None) -> None:
    """Writes a table; the texts in it, names of columns included, are made safe.

    Args:
        table: of numbers and texts.
        file: a CSV; its folder is made if need be.
        index: the heading of the index; None leaves the index out.
        float_format: as for `DataFrame.to_csv`.
    """
    with written_whole(file) as unfinished:
        safe = _with_texts(table, safe_text)
        safe.to_csv(unfinished, index=index is not None, index_label=index, float_format=float_format)


def texts_as_they_were(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table that was read from what `write_table` has written, with all texts as they were."""
    return _with_texts(table, plain_text)


def safe_text(text: str) -> str:
    """Returns a text as a field of a CSV; numbers, as in trainer.max_steps=-1, stay."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain_text(field: str) -> str:
    """Returns the text that `safe_text` has made this field of."""
    return field[1:] if field.startswith("'") and _FORMULA.match(field) else field


def _with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    result = table.apply(lambda column: column if is_numeric_dtype(column) else column.map(changed))
    renamed: pd.DataFrame = result.rename(index=changed, columns=changed)
    return renamed
