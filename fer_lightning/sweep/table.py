"""A sweep as a table, one row a job, best first; the mean over repeats of the same job; the best as a command."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from fer_lightning.config.own_modules import with_trust
from fer_lightning.config.random_seed import SEED_FILE
from fer_lightning.config.typed_command import command
from fer_lightning.errors import ConfigError
from fer_lightning.report.metrics_json import score_in
from fer_lightning.report.repeats import REPEATS, repeat_key
from fer_lightning.report.run_yaml import plain_yaml, run_overrides
from fer_lightning.sweep.jobs import PLAN, Outcome, job_folders, outcome
from fer_lightning.training.metrics import better

TEST_COLUMNS = ("test/accuracy", "test/f1")

LONGEST_PLAN = 1 << 24
"""Characters of the overrides of all jobs of a sweep."""

SWEEP_KEYS = ("sweep", "callbacks.pruning")
"""With the keys below the latter: nothing of a single run."""

NOT_OVERRIDES = ("job", *TEST_COLUMNS, "minutes", "state", "why")
"""Columns that are not overrides; nor is the monitored score."""


def sweep_table(folder: Path, monitor: str) -> pd.DataFrame:
    """Returns a row for each job: its overrides, its scores and minutes, its state, and why where it is not done.

    Jobs that were planned and have no folder yet are "pending"; what is wrong with "damaged" ones is in `why`.

    Raises:
        ConfigError: the list of planned jobs is damaged.
    """
    there = job_folders(folder)
    rows = [_row(place, _shown(folder, place, number), monitor) for number, place in sorted(there.items())]
    plan = _plan(folder / PLAN) if (folder / PLAN).is_file() else []
    rows += [_planned(number, words, monitor) for number, words in enumerate(plan) if number not in there]
    scores = [monitor, *TEST_COLUMNS, "minutes"]
    if not rows:
        return pd.DataFrame(columns=["job", *scores, "state", "why"])
    table = pd.DataFrame(rows)
    table = table.astype(dict.fromkeys(scores, float))
    return table[["job", *overrides_in(table, monitor), *scores, "state", "why"]].sort_values(
        monitor, ascending=better(monitor) == "min", na_position="last", kind="stable"
    )


def overrides_in(table: pd.DataFrame, monitor: str) -> list[str]:
    """Returns the columns that are overrides."""
    return sorted(str(column) for column in table if column not in (monitor, *NOT_OVERRIDES))


def repeats_in(table: pd.DataFrame) -> list[str]:
    """Returns the columns whose values are repeats of the same job; one of a single value belongs to the job."""
    varying = [str(name) for name in table if repeat_key(str(name)) and table[name].nunique() > 1]
    return sorted(varying, key=lambda name: REPEATS.index(str(repeat_key(name))))


def mean_table(table: pd.DataFrame, monitor: str) -> pd.DataFrame | None:
    """Returns, of a sweep over seeds or folds, a row for each set of other overrides, best first; None of other sweeps.

    For each score its mean, its standard deviation (as "<score> ±", of a sample: with N - 1) and in `jobs` how many
    jobs it is over; jobs without a score are left out.
    """
    scores = [monitor, *TEST_COLUMNS]
    repeats = repeats_in(table)
    others = [column for column in overrides_in(table, monitor) if column not in repeats]
    done = table[table[monitor].notna()]
    if len(done) == 0 or not repeats:
        return None
    rows = []
    for values, group in done.groupby(others, dropna=False, sort=False) if others else [((), done)]:
        row = dict(zip(others, values, strict=True)) | {"jobs": len(group)}
        for score in scores:
            row |= {score: group[score].mean(), f"{score} ±": group[score].std()}
        rows.append(row)
    return pd.DataFrame(rows).sort_values(monitor, ascending=better(monitor) == "min", kind="stable")


def best_ties(table: pd.DataFrame, monitor: str) -> int:
    """Returns how many jobs, or means over jobs that repeat each other, share the best score."""
    means = mean_table(table, monitor)
    scores = (table if means is None else means)[monitor]
    return int((scores == scores.iloc[0]).sum()) if len(scores) else 0


def best_command(table: pd.DataFrame, monitor: str, options: Sequence[str] = ()) -> str | None:
    """Returns what trains the best job once more; where jobs repeat each other, the overrides with the best mean.

    Of several with the same score it is the first in the table: the one with the lowest number.

    options: that let it find the sweep's configs.
    """
    means = mean_table(table, monitor)
    rows = table if means is None else means
    if not len(rows) or pd.isna(rows[monitor].iloc[0]):
        return None
    typed = [c for c in overrides_in(table, monitor) if c in rows and not c.startswith(SWEEP_KEYS)]
    if "data.fold" in map(repeat_key, repeats_in(table)):  # how many folds there were says nothing without one of them
        typed = [key for key in typed if key.lstrip("+") != "data.folds"]
    best = rows.iloc[0]
    words = (_override(key, best[key]) for key in typed if pd.notna(best[key]))
    return with_trust(command("train.py", *options, *words))


def single_run(overrides: Sequence[str], options: Sequence[str] = ()) -> str:
    """Returns the command that trains a trial with these overrides once more, as a run of its own."""
    return command("train.py", *options, *(one for one in overrides if not one.lstrip("+").startswith(SWEEP_KEYS)))


def _shown(sweep: Path, job: Path, number: int) -> int | str:
    """Returns what a job is called: its number or, where hydra.sweep.subdir names its folder otherwise, that name."""
    name = job.relative_to(sweep).as_posix()
    return number if name == str(number) else name


def _row(job: Path, name: int | str, monitor: str) -> dict[str, Any]:
    results = job / "report" / "metrics.json"
    came_to = outcome(job, monitor)
    names = (monitor, *TEST_COLUMNS, "minutes")
    scores: dict[str, float] = dict.fromkeys(names, math.nan)
    row: dict[str, Any] = {}
    try:
        row = _by_key(run_overrides(job) or [])
        if (job / SEED_FILE).is_file():  # of seed=null
            row["seed"] = (job / SEED_FILE).read_text("utf-8").strip()
        if came_to.state == "done":
            scores = {metric: score_in(results, metric) for metric in names}
    except ValueError as error:
        came_to = Outcome("damaged", why=str(error))
    return row | {"job": name, **scores, "state": came_to.state, "why": came_to.why or None}


def _plan(file: Path) -> list[list[str]]:
    """Returns the overrides of each planned job.

    Raises:
        ConfigError: they are not what our sweepers write.
    """
    try:
        plan = plain_yaml(file, LONGEST_PLAN)
        jobs: list[list[str]] = TypeAdapter(list[list[str]]).validate_python(plan, strict=True)
    except ValidationError as error:
        raise ConfigError(f"{file} is not the list of jobs that a sweep writes: it is damaged") from error
    return jobs


def _planned(number: int, overrides: list[str], monitor: str) -> dict[str, Any]:
    row: dict[str, Any] = _by_key(overrides) | {"job": number}
    return row | dict.fromkeys((monitor, *TEST_COLUMNS, "minutes", "why")) | {"state": "pending"}


def _by_key(overrides: list[str]) -> dict[str, str]:
    """Returns what each key was given; for ~callbacks.pictures and the like nothing or, by our sweepers, null."""
    return {key: value for key, _, value in (override.partition("=") for override in overrides)}


def _override(key: str, value: str) -> str:
    return key if key.startswith("~") and value in ("", "null") else f"{key}={value}"
