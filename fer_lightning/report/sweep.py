"""The tables of a sweep: one row a job, best first; and the mean over jobs that are repeats of each other."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.command_line import better

log = logging.getLogger(__name__)

REPEATS = ("seed", "data.fold", "data.split_seed")
"""Overrides that make a job a repeat of another: what remains the same is what is measured."""

TEST_COLUMNS = ("test/accuracy", "test/f1")


class SweepTable(Callback):
    """Prints the table of a sweep when all its jobs are done, and ends the program with 1 if one of them failed."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        if config.instead:  # of training: there are no scores
            if failed := len(list(folder.glob("*/error.txt"))):
                raise SystemExit(f"error: {failed} jobs failed; their error.txt says why")
            return
        table = sweep_table(folder, config.monitor)
        table.to_csv(folder / "sweep.csv", index=False)
        # What was the same for all jobs is in the CSV only; so is a column without any value.
        figures = ["job", config.monitor, *TEST_COLUMNS, "minutes", "error"]
        shown = table[[c for c in table if c in figures or table[c].nunique(dropna=False) > 1]]
        shown = shown.dropna(axis="columns", how="all")
        print(f"\nAll jobs of {folder}, best first")
        print(shown.to_string(index=False, na_rep="", float_format="{:.4f}".format))
        if (means := mean_table(table, config.monitor)) is not None:
            means.to_csv(folder / "sweep_means.csv", index=False)
            print(f"\nMean ± standard deviation over {' and '.join(r for r in REPEATS if r in table)}")
            print(_with_deviations(means, config.monitor).to_string(index=False))
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


def mean_table(table: pd.DataFrame, monitor: str) -> pd.DataFrame | None:
    """Of a sweep over seeds or folds: one row for each set of other overrides, best first; else None.

    For each score its mean, its standard deviation (as "<score> ±", of a sample: with N - 1) and in `jobs` how many
    jobs it is over; jobs that failed are left out.
    """
    scores = [monitor, *TEST_COLUMNS]
    others = [c for c in table if c not in ("job", "minutes", "error", *scores, *REPEATS)]
    done = table[table[monitor].notna()]
    if len(done) == 0 or not any(name in table for name in REPEATS):
        return None
    rows = []
    for values, group in done.groupby(others, dropna=False, sort=False) if others else [((), done)]:
        row = dict(zip(others, values, strict=True)) | {"jobs": len(group)}
        for score in scores:
            row |= {score: group[score].mean(), f"{score} ±": group[score].std()}
        rows.append(row)
    return pd.DataFrame(rows).sort_values(monitor, ascending=better(monitor) == "min", kind="stable")


def _with_deviations(means: pd.DataFrame, monitor: str) -> pd.DataFrame:
    """Mean and deviation in one column, and without the overrides that are the same in all rows."""
    scores = [monitor, *TEST_COLUMNS]
    shown = means[[c for c in means if c not in scores and not str(c).endswith(" ±")]]
    shown = shown[[c for c in shown if c == "jobs" or shown[c].nunique(dropna=False) > 1]].copy()
    for score in scores:
        pairs = zip(means[score], means[f"{score} ±"], strict=True)
        shown[score] = [f"{mean:.4f}" + ("" if pd.isna(dev) else f" ± {dev:.4f}") for mean, dev in pairs]
    return shown


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
