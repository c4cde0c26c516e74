"""metrics.csv: the curves as a table, which neither a kill nor a resumed run takes rows from."""

import csv
import io
import os
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from fer_lightning.data.cache import written_whole


class MetricsCsv(CSVLogger):
    """Lightning's CSVLogger, whose file is there at any moment, also while it gets a new column."""

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if self._experiment is None:
            self._experiment = _Writer(self.log_dir)
        return self._experiment  # type: ignore[return-value]


class _Writer(ExperimentWriter):
    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Lightning empties the file before it writes it anew."""
        path = Path(self.metrics_file_path)
        with path.open(encoding="utf-8", newline="") as file:
            rows = [*csv.DictReader(file)]
        with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames)
            writer.writeheader()
            writer.writerows(rows)


def continue_csv(logger: CSVLogger, step: int) -> None:
    """Keeps of metrics.csv what is from before a step: Lightning's logger would delete it all."""
    path = Path(logger.log_dir) / "metrics.csv"
    kept = path.with_name("metrics.csv.kept")
    if path.exists():
        text = io.StringIO()
        with path.open(encoding="utf-8", newline="") as file:
            lines = file.read().rpartition("\n")[0].splitlines()  # the last one may have been cut short
        rows = csv.DictReader(lines)
        writer = csv.DictWriter(text, rows.fieldnames or [])
        writer.writeheader()
        writer.writerows(row for row in rows if _is_whole(row) and int(row["step"]) < step)
        kept.write_text(text.getvalue(), "utf-8", newline="")
    if kept.exists():
        with kept.open(encoding="utf-8", newline="") as file:
            logger.experiment.metrics_keys = next(csv.reader(file), [])  # after it has deleted the file
        os.replace(kept, path)


def _is_whole(row: dict[str | None, Any]) -> bool:
    """Whether a line of a CSV has as many values as the heading."""
    return None not in row and None not in row.values() and str(row.get("step")).isdigit()
