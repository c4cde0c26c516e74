"""Several runs side by side: python -m fer_lightning.report.compare RUN RUN … [--out FOLDER]

Runs are folders that train.py or test.py wrote, or folders of such. The page, index.html, has a table of them, their
curves over each other, how they differ on each class, whether each pair really differs (by persons where these are
known), how often they agree, and what they reach together.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fer_lightning.installation import shell_command
from fer_lightning.report.charts import COLOURS
from fer_lightning.report.curves import curves_of_runs
from fer_lightning.report.metrics_json import Tested, metrics_in
from fer_lightning.report.page import Chart, Key, Section, Table, made, write_page
from fer_lightning.report.paired_tests import mcnemar, method_in_words, swapped_by_person
from fer_lightning.report.run_tables import all_read, curves_in, predictions_in
from fer_lightning.report.run_yaml import run_overrides

BARS = 6
"""Runs up to which their differences on each class are drawn: of more, the table alone is readable."""


LONGEST_NAME = 40
"""Characters up to which a run is called by what was typed for it: more would fill tables and legends."""


@dataclass(frozen=True, eq=False)
class Run:
    """The report of a run, as far as it is compared."""

    name: str
    typed: str  # for this run and not for all of them
    metrics: dict[str, Any]
    predictions: pd.DataFrame  # as predictions.csv, by row
    curves: pd.DataFrame | None  # as metrics.csv

    @property
    def right(self) -> NDArray[np.bool_]:
        return (self.predictions["prediction"] == self.predictions["label"]).to_numpy()

    @property
    def persons(self) -> NDArray[np.int64] | None:
        """Returns a number for each face, equal where two faces are the same person's; None if they are not known."""
        return self.predictions["person"].to_numpy(np.int64) if "person" in self.predictions else None

    @property
    def classes(self) -> list[str]:
        return [str(name).removeprefix("p_") for name in self.predictions.filter(regex="^p_")]


def runs_in(folders: Sequence[Path]) -> list[Run]:
    """Returns the tested runs in and below these folders, named by what tells their folders apart.

    Raises:
        ValueError: less than two, or runs that were not tested on the same faces with the same labels.
    """
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise ValueError(f"there is no folder {', '.join(missing)}")
    found_in = {folder: sorted(folder.glob("**/predictions.csv")) for folder in folders}
    if empty := [str(folder) for folder, found in found_in.items() if not found]:
        print(f"left out, since they hold no tested run: {', '.join(empty)}", file=sys.stderr)
    files = list(dict.fromkeys(file for found in found_in.values() for file in found))
    if len(files) < 2:
        tested = f"only {files[0].parent.parent} has" if files else "none has"
        raise ValueError(f"{tested} been tested, of {', '.join(map(str, folders))}; to compare takes two")
    run_folders = [file.parent.parent if file.parent.name == "report" else file.parent for file in files]
    own = _typed(run_folders)
    runs = [
        Run(name, typed, *contents)
        for name, typed, contents in zip(_names(run_folders, own), own, all_read(files, _contents), strict=True)
    ]
    for run in runs[1:]:
        if run.classes != runs[0].classes or not run.predictions["label"].equals(runs[0].predictions["label"]):
            raise ValueError(
                f"{run.name} and {runs[0].name} were not tested on the same faces with the same labels, but on "
                f"{_test_part(run)} and on {_test_part(runs[0])}: test them on one part with "
                f"{shell_command('test.py')} run_dir=… data.path=… data.splits.test=…"
            )
    return runs


def _contents(predictions: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame | None]:
    """Returns metrics, predictions and curves of the run that predictions.csv is of."""
    metrics = metrics_in(predictions.with_name("metrics.json"), Tested)
    tested = metrics.get("run")  # which one test.py has tested
    curves = (Path(tested) if isinstance(tested, str) else predictions.parent.parent) / "metrics.csv"
    return metrics, predictions_in(predictions), curves_in(curves) if curves.exists() else None


def ensemble_accuracy(runs: Sequence[Run]) -> float:
    """Returns the accuracy of the class with the highest mean probability."""
    mean = sum(run.predictions.filter(regex="^p_").to_numpy() for run in runs) / len(runs)
    said = np.array(runs[0].classes)[np.argmax(mean, axis=1)]
    return float((said == _labels(runs[0])).mean())


def write_comparison(runs: Sequence[Run], folder: Path) -> Path:
    """Writes folder/index.html."""
    parts = (
        ("Runs", lambda section: _table(section, runs)),
        ("Curves", lambda section: _curves(section, runs)),
        ("Classes", lambda section: _classes(section, runs)),
        ("Do they really differ?", lambda section: _pairs(section, runs)),
    )
    write_page(folder / "index.html", f"{len(runs)} runs", [made(title, make) for title, make in parts])
    return folder / "index.html"


def _table(section: Section, runs: Sequence[Run]) -> None:
    shown = ("test/accuracy", "test/accuracy_low", "test/accuracy_high", "test/f1", "test/accuracy_flip", "minutes")
    frame = pd.DataFrame([{"run": run.name} | {name: run.metrics.get(name) for name in shown} for run in runs])
    frame.columns = ["run", "accuracy", "from", "to", "macro F1", "flip averaging", "minutes"]
    percent = dict.fromkeys(("accuracy", "from", "to", "macro F1", "flip averaging"), ".1%")
    frame = frame.sort_values("accuracy", ascending=False)
    section.tables = [Table.of(frame, {**percent, "minutes": ".1f"}, "With the 95% interval of the accuracy.")]
    section.texts = [
        f"Together, by their mean probability: {ensemble_accuracy(runs):.2%}; the best one alone "
        f"{max(run.right.mean() for run in runs):.2%}."
    ]
    section.texts += [f"{run.name}: {run.typed}" for run in runs if run.typed not in ("", run.name)]


def _curves(section: Section, runs: Sequence[Run]) -> None:
    curves = {run.name: run.curves for run in runs if run.curves is not None}
    if missing := [run.name for run in runs if run.curves is None]:
        section.texts.append(f"Without a metrics.csv: {', '.join(missing)}.")
    if curves:
        figure, legend, divergences = curves_of_runs(curves)
        section.texts += divergences
        section.charts.append(Chart.of(figure, "loss and accuracy of each run on val", legend=legend))


def _classes(section: Section, runs: Sequence[Run]) -> None:
    recall = _recall(runs)
    shown = recall.T.reset_index(names="run")
    section.tables = [Table.of(shown, dict.fromkeys(recall.index, ".1%"), "Recall.")]
    if len(runs) <= BARS:
        caption = f"More recall than {recall.columns[0]} has, in percentage points."
        figure, legend = _differences(recall)
        section.charts.append(Chart.of(figure, "recall of each class, against the first run", caption, legend))


def _recall(runs: Sequence[Run]) -> pd.DataFrame:
    """Returns a row for each class, a column for each run."""
    recall = pd.DataFrame({run.name: pd.Series(run.right).groupby(_labels(run)).mean() for run in runs})
    return recall.reindex([name for name in runs[0].classes if name in recall.index])


def _differences(recall: pd.DataFrame) -> tuple[Figure, list[Key]]:
    """Draws a bar for each class, of each run but the first; returns the legend too."""
    legend = [Key(str(name), colour) for name, colour in zip(recall.columns[1:], COLOURS[1:], strict=False)]
    figure = Figure(figsize=(11, 0.3 * len(legend) * len(recall) + 1.8), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(legend)
    for place, key in enumerate(legend):
        at = np.arange(len(recall)) + (place - (len(legend) - 1) / 2) * height
        more = recall[key.name] - recall.iloc[:, 0]
        axes.barh(at, 100 * more, height * 0.9, color=key.colour)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(recall)), recall.index)
    axes.invert_yaxis()
    axes.set_xlabel("recall, percentage points more")
    axes.grid(axis="x", alpha=0.3)
    return figure, legend


def _pairs(section: Section, runs: Sequence[Run]) -> None:
    persons = _persons(runs)
    rows: list[list[tuple[str, float | str]]] = []
    for one, other in itertools.combinations(runs, 2):
        agree = (one.predictions["prediction"] == other.predictions["prediction"]).mean()
        only, only_other = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
        p = mcnemar(one.right, other.right) if persons is None else swapped_by_person(one.right, other.right, persons)
        rows.append(
            [
                *((run.name, run.name) for run in (one, other)),
                (f"{agree:.1%}", float(agree)),
                *((f"{count:,}", float(count)) for count in (only, only_other)),
                ("< 0.001" if p < 0.001 else f"{p:.3f}", p),
                (differ := "yes" if p < 0.05 else "undecided", differ),
            ]
        )
    columns = ["one", "other", "agree on", "only one is right", "only the other", "p", "do they differ?"]
    section.tables = [Table(columns, rows, f"{method_in_words(persons)} p is not corrected for many pairs.")]


def _persons(runs: Sequence[Run]) -> NDArray[np.int64] | None:
    """Returns the person of each face, if all runs know them, and agree."""
    first = runs[0].persons
    if first is None:
        return None
    known = all(run.persons is not None and np.array_equal(run.persons, first) for run in runs)
    return first if known else None


def _test_part(run: Run) -> str:
    return f"{run.metrics['test_split']} ({len(run.predictions):,} faces of {len(run.classes)} classes)"


def _labels(run: Run) -> NDArray[np.str_]:
    return run.predictions["label"].to_numpy(str)


def _names(folders: Sequence[Path], typed: Sequence[str]) -> list[str]:
    """Returns what was typed, if short and different for all runs; otherwise the paths without what they share."""
    if all(0 < len(one) <= LONGEST_NAME for one in typed) and len(set(typed)) == len(typed):
        return list(typed)
    parts = [folder.absolute().parts for folder in folders]
    shared = next((i for i, level in enumerate(zip(*parts, strict=False)) if len(set(level)) > 1), 0)
    return ["/".join(path[shared:]) or path[-1] for path in parts]


def _typed(folders: Sequence[Path]) -> list[str]:
    """Returns what was typed for each run and not for all of them."""
    words = all_read(folders, lambda folder: run_overrides(folder) or [])
    common = set(words[0]).intersection(*words)
    return [" ".join(word for word in words_of_run if word not in common) for words_of_run in words]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fer_lightning.report.compare", description=__doc__.split("\n")[0])
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folders of runs, or folders of them")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, default=Path("outputs/compare"), help="default: %(default)s; overwritten"
    )
    given = parser.parse_args(arguments)
    try:
        runs = runs_in(given.runs)
        print(f"{len(runs)} runs, together {ensemble_accuracy(runs):.2%}: {write_comparison(runs, given.out)}")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
