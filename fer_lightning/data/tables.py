"""Writes tables as CSV files: complete ones, in which no spreadsheet takes a text for a formula."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from fer_lightning.files import plain_text, safe_text, written_whole


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


def _with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    result = table.apply(lambda column: column if is_numeric_dtype(column) else column.map(changed))
    renamed: pd.DataFrame = result.rename(index=changed, columns=changed)
    return renamed
