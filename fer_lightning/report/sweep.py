"""The table of a sweep: one row a job, best first."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.command_line import better

log = logging.getLogger(__name__)

TEST_COLUMNS = ("test/accuracy", "test/f1")


class SweepTable(Callback):
    """Prints the table of a sweep when all its jobs are done, and ends the program with 1 if one of them failed."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        table = sweep_table(folder, config.monitor)
        table.to_csv(folder / "sweep.csv", index=False)
        # What was the same for all jobs is in the CSV only; so is a column without any value.
        figures = ["job", config.monitor, *TEST_COLUMNS, "minutes", "error"]
        shown = table[[c for c in table if c in figures or table[c].nunique(dropna=False) > 1]]
        shown = shown.dropna(axis="columns", how="all")
        print(f"\nAll jobs of {folder}, best first")
        print(shown.to_string(index=False, na_rep="", float_format="{:.4f}".format))
        print(f"\ntable        {folder / 'sweep.csv'}\nTensorBoard  tensorboard --logdir {folder}")
        if failed := int(table["error"].notna().sum()):
            # Hydra would take an Exception from a callback for a warning.
            raise SystemExit(f"error: {failed} of {len(table)} jobs failed; the table says why")


def sweep_table(folder: Path, monitor: str) -> pd.DataFrame:
    """One row for each job folder: its overrides, its scores and minutes, or why there are none."""
    rows = [_row(job, monitor) for job in folder.iterdir() if (job / ".hydra").is_dir()]
    table = pd.DataFrame(rows).sort_values("job")
    scores = [monitor, *TEST_COLUMNS, "minutes"]
    overrides = sorted(str(c) for c in table if c not in ("job", "error", *scores))
    return table[["job", *overrides, *scores, "error"]].sort_values(
        monitor, ascending=better(monitor) == "min", na_position="last", kind="stable"
    )


def _row(job: Path, monitor: str) -> dict[str, Any]:
    overrides = OmegaConf.load(job / ".hydra" / "overrides.yaml")
    row: dict[str, Any] = {"job": int(job.name) if job.name.isdigit() else job.name}
    row |= dict(str(override).split("=", 1) for override in overrides)
    results, error = job / "report" / "metrics.json", job / "error.txt"
    metrics = json.loads(results.read_text("utf-8")) if results.is_file() else {}
    row |= {name: metrics.get(name) for name in (monitor, *TEST_COLUMNS, "minutes")}
    reason = error.read_text("utf-8").strip().splitlines()[0] if error.is_file() else None
    row["error"] = reason if metrics or reason else "ended without a result"
    return row
