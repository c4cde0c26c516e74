"""Shows what a sweep has come to, also while it runs: python -m fer_lightning.sweep.report FOLDER

Prints its jobs, best first, what failed and why, and the command that trains the best once more; writes sweep.csv and
sweep.png, what each parameter does to the score, into FOLDER.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_lightning.config.hydra_files import literal
from fer_lightning.config.typed_command import config_options, shell_word
from fer_lightning.data.tables import write_table
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.report.run_yaml import plain_yaml
from fer_lightning.sweep.jobs import continuing
from fer_lightning.sweep.study_record import StudyRecord, study_record
from fer_lightning.sweep.table import (
    TEST_COLUMNS,
    best_command,
    best_ties,
    mean_table,
    repeats_in,
    single_run,
    sweep_table,
)

log = logging.getLogger(__name__)


def show(folder: Path, config: DictConfig) -> pd.DataFrame:
    """Prints and writes all there is to say of a sweep; returns the table of its jobs.

    config: what the sweep began with, Hydra's part included.
    """
    from fer_lightning.sweep.effects import effects_chart  # matplotlib takes a while

    monitor = config.monitor
    table = sweep_table(folder, monitor)
    write_table(table, folder / "sweep.csv")
    # What was the same for all jobs is in the CSV only; so is a column without any value.
    always = ["job", monitor, *TEST_COLUMNS, "minutes", "why"]
    shown = table[[c for c in table if c in always or table[c].nunique(dropna=False) > 1]]
    shown = shown.dropna(axis="columns", how="all")
    print(f"\nAll jobs of {folder}, best first")
    print(shown.to_string(index=False, na_rep="", float_format="{:.4f}".format))
    if (means := mean_table(table, monitor)) is not None:
        write_table(means, folder / "sweep_means.csv")
        print(f"\nMean ± standard deviation over {' and '.join(repeats_in(table))}")
        print(_with_deviations(means, monitor).to_string(index=False))
    counts = [f"{count} {state}" for state, count in table["state"].value_counts().items()]
    record = study_record(folder)
    to_come = config.hydra.sweeper.get("n_trials", 0) - (record.trials if record else len(table))
    print(f"\n{len(table)} jobs: {', '.join(counts)}{f'; {to_come} trials to come' if to_come > 0 else ''}")
    if best := best_command(table, monitor, config_options(config.hydra)):
        print(f"best         {best}")
        if (ties := best_ties(table, monitor)) > 1:
            print(f"             the first of {ties} that share the best {monitor}")
    if record:
        _show_study(record, monitor, config)
    if to_come > 0 or not table["state"].isin(["done", "pruned"]).all():
        print(f"go on        {continuing(config)}")
    if figure := effects_chart(table, monitor):
        with written_whole(folder / "sweep.png") as unfinished:
            figure.savefig(unfinished, format="png", dpi=120)
        print(f"effects      {folder / 'sweep.png'}")
    print(f"table        {folder / 'sweep.csv'}\nTensorBoard  tensorboard --logdir {shell_word(folder)}")
    return table


def _show_study(record: StudyRecord, monitor: str, config: DictConfig) -> None:
    """Prints which of the trials of all machines is the best, since the table has those of one folder."""
    print(f"\nThese are the jobs of this folder. At {record.time}, {_counted(record.trials, 'trial')} of all machines")
    print(f"were in the study {record.study} in {record.storage}")
    if best := record.best:
        print(f"best of all  trial {best.trial}, {monitor} {best.score:.4f}, trained in {best.trained_in}")
        print(f"             {single_run(best.overrides, config_options(config.hydra))}")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _with_deviations(means: pd.DataFrame, monitor: str) -> pd.DataFrame:
    """Returns mean and deviation in one column, and leaves out the overrides that are the same in all rows."""
    scores = [monitor, *TEST_COLUMNS]
    shown = means[[c for c in means if c not in scores and not str(c).endswith(" ±")]]
    shown = shown[[c for c in shown if c == "jobs" or shown[c].nunique(dropna=False) > 1]].copy()
    for score in scores:
        pairs = zip(means[score], means[f"{score} ±"], strict=True)
        shown[score] = [_plus_minus(mean, deviation) for mean, deviation in pairs]
    return shown


def _plus_minus(mean: float, deviation: float) -> str:
    return "" if pd.isna(mean) else f"{mean:.4f}" + ("" if pd.isna(deviation) else f" ± {deviation:.4f}")


class _Overrides(BaseModel):
    task: list[str]
    hydra: list[str]


class _Named(BaseModel):
    name: str


class _Sweeper(BaseModel):
    n_trials: int = 0


class _Hydra(BaseModel):
    sweep: dict[str, object]
    sweeper: _Sweeper
    job: _Named
    overrides: _Overrides


class _Sweep(BaseModel):
    """The part of multirun.yaml that is read."""

    model_config = ConfigDict(strict=True)

    monitor: str = Field(pattern=r"^(train|val)/\w+$")
    hydra: _Hydra


def _began_with(file: Path) -> DictConfig:
    """Returns what a sweep began with, as it was written: nothing in it is resolved.

    Raises:
        ConfigError: it is not what Hydra writes for a sweep of this program, says which key is wrong.
    """
    values = plain_yaml(file)
    try:
        _Sweep.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"][:3])) or "it"
        why = f"{where} is {'missing' if first['type'] == 'missing' else 'of another kind'}"
        raise ConfigError(f"{file} is not what a sweep of this program begins with: {why}") from error
    values["hydra"]["sweep"]["dir"] = str(file.parent)  # wherever it lies now
    config = literal(values)
    for key in ("overrides", "runtime"):  # of which commands are made, as they were typed
        config.hydra[key] = OmegaConf.create(values["hydra"].get(key) or {})
    return config


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fer_lightning.sweep.report", description=__doc__.split("\n")[0])
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="of a sweep, as in outputs/sweep/…")
    folder = parser.parse_args(arguments).folder
    file = folder / "multirun.yaml"
    if not file.is_file():
        sys.exit(f"error: {folder} is not the folder of a sweep: it has no multirun.yaml")
    try:
        table = show(folder, _began_with(file))
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")
    if damaged := int((table["state"] == "damaged").sum()):
        sys.exit(f"error: {damaged} of {len(table)} jobs are damaged; the table says how")


if __name__ == "__main__":
    main()
