"""metrics.csv: the curves as a table, which neither a kill nor a resumed run takes rows from."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from fer_lightning.files import written_whole

Row = dict[Any, Any]
"""One row of a CSV, by column; csv.DictReader puts what is beyond them under None."""


class MetricsCsv(CSVLogger):
    """Lightning's CSVLogger, whose file is there at any moment: while it gets a new column, and in a resumed run."""

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if self._experiment is None:
            self._experiment = _Writer(self.log_dir)
        return self._experiment  # type: ignore[return-value]

    def keep_before(self, step: int) -> None:
        """Goes on with the file of a stopped run, without what is from a step on and a last row that was cut short."""
        path = Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE
        if path.exists():
            columns, rows = _table(path)
            _write(path, columns, [row for row in rows if _is_whole(row) and int(row["step"]) < step])
            self._experiment = _ContinuingWriter(self.log_dir)
            self._experiment.metrics_keys = columns


class _Writer(ExperimentWriter):
    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Keeps the file until the new one is written: Lightning empties it first."""
        path = Path(self.metrics_file_path)
        _write(path, fieldnames, _table(path)[1])


class _ContinuingWriter(_Writer):
    def _check_log_dir_exists(self) -> None:
        """Leaves a file that is there, which Lightning deletes."""


def _table(path: Path) -> tuple[list[str], list[Row]]:
    """Returns the columns and the rows of a CSV, up to the last end of a line: what is after it was cut short."""
    rows = csv.DictReader(path.read_text("utf-8").rpartition("\n")[0].splitlines())
    return [*(rows.fieldnames or [])], [*rows]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _is_whole(row: Row) -> bool:
    """Returns whether a line of a CSV has as many values as the heading."""
    return None not in row and None not in row.values() and str(row.get("step")).isdigit()
