"""Rows or images that cannot be used: refused, or left out with a warning."""

import logging
from pathlib import Path
from typing import Literal

from fer_lightning.data.faces import Reading
from fer_lightning.data.readers.archive import titled
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)


def judge_bad_rows(reading: Reading, source: Path, on_bad_rows: Literal["error", "drop"]) -> None:
    """Raises DataError, or logs what was dropped."""
    if reading.bad_rows == 0:
        return
    title = titled(source, reading.member)
    things = "images" if source.is_dir() else "rows"
    total = reading.bad_rows + len(reading.faces)
    listed = "".join(f"\n- {message}" for message in reading.first_bad)
    more = reading.bad_rows - len(reading.first_bad)
    listed += f"\n- … and {more:,} more" if more else ""
    if len(reading.faces) == 0:
        raise DataError(
            f"{title}: all {total:,} {things} are bad, so none is left:{listed}\nGive a correct source as data.path."
        )
    if on_bad_rows == "error":
        raise DataError(
            f"{title}: {reading.bad_rows:,} of {total:,} {things} are bad:{listed}\n"
            "Correct them, or leave them out with data.on_bad_rows=drop."
        )
    log.warning("%s: dropped %s of %s %s:%s", title, f"{reading.bad_rows:,}", f"{total:,}", things, listed)
