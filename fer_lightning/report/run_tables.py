"""predictions.csv and metrics.csv, read: bounded, and refused by their name where they are damaged."""

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from fer_lightning.data.tables import texts_as_they_were
from fer_lightning.files import text_in
from fer_lightning.installation import script_name

LONGEST_TABLE = 1 << 27
"""Characters of a table; of 300,000 faces and eight classes, predictions.csv has some 30 million."""

MOST_EPOCHS = 1_000_000

DAMAGED_NAMED = 5
"""Damaged files that an error names; it counts them all."""


Source = TypeVar("Source")
Read = TypeVar("Read")


def all_read(sources: Iterable[Source], read: Callable[[Source], Read]) -> list[Read]:
    """Returns what each source holds.

    Raises:
        ValueError: names those that cannot be read.
    """
    found, damaged = [], []
    for source in sources:
        try:
            found.append(read(source))
        except (ValueError, OSError) as error:
            damaged.append(str(error))
    if damaged:
        more = f"\nand {len(damaged) - DAMAGED_NAMED:,} more" if len(damaged) > DAMAGED_NAMED else ""
        raise ValueError("\n".join(damaged[:DAMAGED_NAMED]) + more + "\nLeave out what is damaged")
    return found


def predictions_in(file: Path) -> pd.DataFrame:
    """Returns the table of `Predictions.table`, by split and row; of several sets by set, split and row.

    Raises:
        ValueError: it is damaged, says how.
    """
    # Names are texts: pandas would take a class called None for a missing value, and one called 1 for a number.
    table = _table(file, {"set": str, "split": str, "label": str, "prediction": str})
    if missing := [name for name in ("row", "split", "label", "prediction") if name not in table]:
        raise ValueError(f"{file} has no column {', '.join(missing)}: {script_name('test.py')} writes one")
    classes = [str(name).removeprefix("p_") for name in table if str(name).startswith("p_")]
    if not classes or not len(table):
        raise ValueError(f"{file} has no {'face' if classes else 'column p_<class>'} in it")
    numbers = ["row", *(["person"] if "person" in table else []), *(f"p_{name}" for name in classes)]
    _refuse_other_than_numbers(file, table, numbers)
    probabilities = table[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError(f"{file}: a probability is not between 0 and 1")
    for column in ("label", "prediction"):
        if len(other := table[column][~table[column].isin(classes)]):
            raise ValueError(f"{file}: {column} {other.iloc[0][:50]!r} is no class that has a column p_<class>")
    place = [*(["set"] if "set" in table else []), "split", "row"]
    if table.duplicated(place).any():
        raise ValueError(f"{file} has the same row of a split twice")
    return table.set_index(place).sort_index()


def curves_in(file: Path) -> pd.DataFrame:
    """Returns the table that the CSV logger writes.

    Raises:
        ValueError: it is damaged, says how.
    """
    table = _table(file)
    if "epoch" not in table:
        raise ValueError(f"{file} has no column epoch: {script_name('train.py')} writes one")
    if len(table):
        numbers = ("epoch", "val/", "train/")
        _refuse_other_than_numbers(file, table, [str(name) for name in table if str(name).startswith(numbers)])
    if not table["epoch"].dropna().between(0, MOST_EPOCHS).all():
        raise ValueError(f"{file}: an epoch is not between 0 and {MOST_EPOCHS:,}")
    return table


def _refuse_other_than_numbers(file: Path, table: pd.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]):
            raise ValueError(f"{file}: column {name} holds something else than numbers")


def _table(file: Path, texts: dict[str, type[str]] | None = None) -> pd.DataFrame:
    try:
        content = io.StringIO(text_in(file, LONGEST_TABLE))
        table = pd.read_csv(content, dtype=texts, keep_default_na=texts is None, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, OverflowError) as error:
        raise ValueError(f"{file} cannot be read as a table: {str(error)[:200]}") from error
    return texts_as_they_were(table)
