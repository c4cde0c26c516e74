"""Several runs side by side: python -m fer_lightning.report.compare RUN RUN … [--out FOLDER]

Runs are folders that train.py or test.py wrote, or folders of such. The page, index.html, has a table of them, their
curves over each other, how they differ on each class, whether each pair really differs (McNemar's test), how often they
agree, and what they reach together.
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fer_lightning.report.page import Picture, Section, Table, made, write_page

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, told apart by the colour-blind; from the eighth run on they come again, with another line style."""


@dataclass(frozen=True, eq=False)
class Run:
    """What the report of a run says."""

    name: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame  # as predictions.csv, by row
    curves: pd.DataFrame | None  # as metrics.csv

    @property
    def right(self) -> NDArray[np.bool_]:
        return (self.predictions["prediction"] == self.predictions["label"]).to_numpy()


def runs_in(folders: Sequence[Path]) -> list[Run]:
    """The tested runs in and below these folders, named by what tells their folders apart.

    Raises:
        ValueError: less than two, or runs that were not tested on the same faces with the same labels.
    """
    files = list(dict.fromkeys(file for folder in folders for file in sorted(folder.glob("**/predictions.csv"))))
    if len(files) < 2:
        raise ValueError(f"{len(files)} predictions.csv in {', '.join(map(str, folders))}; to compare takes two")
    names = _names([file.parent.parent if file.parent.name == "report" else file.parent for file in files])
    runs = []
    for file, name in zip(files, names, strict=True):
        curves = file.parent.parent / "metrics.csv"
        runs.append(
            Run(
                name,
                json.loads((file.parent / "metrics.json").read_text("utf-8")),
                pd.read_csv(file, index_col=["split", "row"]).sort_index(),
                pd.read_csv(curves) if curves.is_file() else None,
            )
        )
    for run in runs[1:]:
        if not run.predictions["label"].equals(runs[0].predictions["label"]):
            raise ValueError(
                f"{run.name} and {runs[0].name} were not tested on the same faces with the same labels: test them on "
                f"one part with python test.py run_dir=… data.path=… data.splits.test=…"
            )
    return runs


def mcnemar(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """The probability that two equally good networks differ in so many faces or more one way (exact, two-sided).

    McNemar: Note on the sampling error of the difference between correlated proportions, Psychometrika 1947.
    """
    only, only_other = int((right & ~other).sum()), int((other & ~right).sum())
    differing, fewer = only + only_other, min(only, only_other)
    tail = sum(math.comb(differing, count) for count in range(fewer + 1))
    return float(min(1, 2 * tail / 2**differing))


def ensemble_accuracy(runs: Sequence[Run]) -> float:
    """Of the class with the highest mean probability."""
    mean = sum(run.predictions.filter(like="p_").to_numpy() for run in runs) / len(runs)
    classes = runs[0].predictions.filter(like="p_").columns.str.removeprefix("p_").to_numpy()
    said: NDArray[np.bool_] = classes[np.argmax(mean, axis=1)] == runs[0].predictions["label"].to_numpy()
    return float(said.mean())


def write_comparison(runs: Sequence[Run], folder: Path) -> Path:
    """folder/index.html."""
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
        f"{max(run.metrics['test/accuracy'] for run in runs):.2%}."
    ]


def _curves(section: Section, runs: Sequence[Run]) -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = figure.subplots(1, 2)
    for place, run in enumerate(runs):
        if run.curves is None:
            continue
        epochs = run.curves.groupby("epoch").max(numeric_only=True)
        epochs.index += 1
        style = {"color": COLOURS[place % len(COLOURS)], "linestyle": "-" if place < len(COLOURS) else "--"}
        for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
            if f"val/{name}" in epochs:
                values = epochs[f"val/{name}"].dropna()
                axes.plot(values.index, values, label=run.name, **style)
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        axes.set(xlabel="epoch", ylabel=f"val {name}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(runs)))
    section.pictures.append(Picture.of(figure, "loss and accuracy of each run on val"))


def _classes(section: Section, runs: Sequence[Run]) -> None:
    recall = pd.DataFrame({run.name: pd.Series(run.right).groupby(_labels(run)).mean() for run in runs})
    difference = recall.sub(recall.iloc[:, 0], axis=0)
    figure = Figure(figsize=(11, 0.42 * len(runs) * len(recall) / 2 + 1.2), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / max(1, len(runs) - 1)
    for place, name in enumerate(difference.columns[1:]):
        at = np.arange(len(recall)) + (place - (len(runs) - 2) / 2) * height
        axes.barh(at, 100 * difference[name], height * 0.9, color=COLOURS[(place + 1) % len(COLOURS)], label=name)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(recall)), recall.index)
    axes.invert_yaxis()
    axes.set_xlabel(f"recall, percentage points more than {recall.columns[0]}")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(runs)))
    section.pictures.append(Picture.of(figure, "recall of each class, against the first run"))
    shown = recall.reset_index(names="class")
    section.tables = [Table.of(shown, dict.fromkeys(shown.columns[1:], ".1%"), "Recall.")]


def _pairs(section: Section, runs: Sequence[Run]) -> None:
    rows = []
    for one, other in itertools.combinations(runs, 2):
        agree = (one.predictions["prediction"] == other.predictions["prediction"]).mean()
        only, only_other = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
        p = mcnemar(one.right, other.right)
        rows.append([one.name, other.name, agree, only, only_other, p, "yes" if p < 0.05 else "cannot be told"])
    columns = ["one", "other", "agree on", "only one is right", "only the other", "p", "do they differ?"]
    caption = "McNemar's test on the faces that only one of a pair has right; p is not corrected for many pairs."
    section.tables = [Table.of(pd.DataFrame(rows, columns=columns), {"agree on": ".1%", "p": ".3f"}, caption)]


def _labels(run: Run) -> NDArray[np.str_]:
    return run.predictions["label"].to_numpy(str)


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' paths without what they all share."""
    parts = [folder.absolute().parts for folder in folders]
    shared = next((i for i, level in enumerate(zip(*parts, strict=False)) if len(set(level)) > 1), 0)
    return ["/".join(path[shared:]) or path[-1] for path in parts]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fer_lightning.report.compare", description=__doc__.split("\n")[0])
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folders of runs, or folders of them")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("outputs/compare"))
    given = parser.parse_args(arguments)
    try:
        print(write_comparison(runs_in(given.runs), given.out))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
