"""The table of docs/results.md, from run folders: python -m fer_lightning.report.results_table RUN … [--into FILE]

One row for each command, machine and test part, over all seeds, folds and split seeds. With --into, the table replaces
what is between the two markers in that file; else it is printed.
"""

import argparse
import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_lightning.files import text_in, written_whole
from fer_lightning.report.command_paths import sets_without_folders
from fer_lightning.report.metrics_json import Trained, metrics_in
from fer_lightning.report.person_intervals import METHOD
from fer_lightning.report.repeats import repeat_key
from fer_lightning.report.run_tables import all_read

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

LONGEST_PAGE = 1 << 26
"""Characters of the Markdown file."""

PATHS = ("data.path", "data.votes.path", "model.weights_path")
"""Keys of paths, which are not part of the recipe."""

OPTIONAL = (
    *("minutes", "test/f1", "near_copies_in_train"),
    *(f"test/accuracy_{name}" for name in ("low", "high", "flip", "new", "without_near")),
)
"""Results that a run may lack."""

OTHER_REPEATS = {"fold": "data.fold", "split": "data.split_seed"}
"""Names in the column of seeds for the other keys that runs of one recipe differ by."""


def results_table(folders: Sequence[Path]) -> str:
    """Returns a Markdown table of all finished runs in and below these folders.

    Raises:
        ValueError: there is none in one of them.
    """
    found = {folder: [*folder.glob("**/report/metrics.json")] for folder in folders}
    if none_in := [str(folder) for folder, files in found.items() if not files]:
        raise ValueError(f"no report/metrics.json of a finished run in {', '.join(none_in)}: leave it out")
    runs = all_read(sorted({file for files in found.values() for file in files}), _run)
    table = pd.DataFrame([dict.fromkeys(OPTIONAL, math.nan) | {"interval": ""} | run for run in runs])
    interval = "95% interval over persons" if table["interval"].eq(METHOD).all() else "95% interval"
    groups = table.groupby(["command", "machine", "test_split"], sort=False)
    rows = [_row(group, interval) for _, group in groups]
    if table["near_copies_in_train"].notna().any():
        for row, (_, group) in zip(rows, groups, strict=True):
            row["without near copies"] = _without_near(group)
    return markdown_table(rows)


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Returns a table of at least one row, whose keys are the heading."""
    names = list(rows[0])
    cells = [[value.replace("|", r"\|").replace("\n", " ") for value in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [names, ["---"] * len(names), *cells])


def write_into(file: Path, table: str) -> None:
    """Replaces what is between the two markers in a file.

    Raises:
        FileNotFoundError, ValueError: as `around_table`.
    """
    before, after = around_table(file)
    with written_whole(file.resolve()) as unfinished:  # a link stays one
        unfinished.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


def around_table(file: Path) -> tuple[str, str]:
    """Returns what is before and what is after the two markers in a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text, or the markers are not both there, in this order.
    """
    before, begin, rest = text_in(file, LONGEST_PAGE).partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{file} has no line {BEGIN} with a line {END} below it")
    return before, after


def _run(file: Path) -> dict[str, Any]:
    run = metrics_in(file, Trained)
    try:
        words = shlex.split(run["command"])
    except ValueError as error:
        raise ValueError(f"{file}: command is none that a shell reads: {error}") from error
    shown, repeats = [], {"seed": "0"}
    for word in words:
        key, _, value = word.partition("=")
        if repeated := repeat_key(key):
            repeats[repeated] = value
        else:
            teacher = f"{key}=…/{Path(value).name}"  # which of them is part of the recipe
            shown.append(teacher if key == "loss.teacher" else _without_path(key, value, word))
    others = [f"{word} {repeats[key]}" for word, key in OTHER_REPEATS.items() if key in repeats]
    repeat = repeats["seed"] + (f" ({', '.join(others)})" if others else "")
    return run | {"folder": str(file.parent.parent), "command": " ".join(shown), "repeat": repeat}


def _without_path(key: str, value: str, word: str) -> str:
    """Returns a word of a command, a path in it as …; of several sets, which are part of the recipe, their names."""
    if key not in PATHS:
        return shlex.quote(word)
    return f"{key}={sets_without_folders(value)}"


def _row(runs: pd.DataFrame, interval: str) -> dict[str, str]:
    """Returns a row of the table, whose intervals are called so unless they say otherwise."""
    first = runs.iloc[0]
    if (same := runs["repeat"].duplicated(keep=False)).any():
        folders = ", ".join(runs["folder"][same])
        raise ValueError(
            f"two runs of {first['command']} have the same seed, fold and split seed: give one of {folders}"
        )
    experiment = re.search(r"experiment=(\S+)", first["command"])
    accuracy = runs["test/accuracy"]
    new = runs["test/accuracy_new"]
    ends = " to ".join(_mean(runs[f"test/accuracy_{end}"], ".1%") for end in ("low", "high"))
    over = " over persons" if runs["interval"].eq(METHOD).all() and "persons" not in interval else ""
    several = f" ({accuracy.min():.1%} to {accuracy.max():.1%})" if len(runs) > 1 and accuracy.notna().all() else ""
    return {
        "experiment": experiment[1] if experiment else "–",
        "command": f"`{first['command']}`",
        "commit": ", ".join(dict.fromkeys(runs["commit"])),
        "machine": first["machine"],
        "epochs": _mean(runs["epochs"], ".0f"),
        "minutes": _mean(runs["minutes"], ".1f"),
        "seeds": ", ".join(runs["repeat"]),
        "test part": first["test_split"],
        "accuracy (range of seeds)": _spread(accuracy) + several,
        f"{interval} (of one run)": ends + over,
        "macro F1": _spread(runs["test/f1"]),
        "flip averaging": _spread(runs["test/accuracy_flip"]),
        "without copies": _spread(new) if new.notna().all() else "none are new",
    }


def _without_near(runs: pd.DataFrame) -> str:
    """Returns the accuracy without near copies; some runs do not know them, and some have no other faces."""
    accuracy, known = runs["test/accuracy_without_near"], runs["near_copies_in_train"].notna().all()
    return _spread(accuracy) if accuracy.notna().all() or not known else "none are new"


def _spread(values: pd.Series) -> str:
    """Returns the mean, and over several runs its standard deviation."""
    several = len(values) > 1 and values.notna().all()
    return _mean(values, ".1%") + (f" ± {values.std():.1%}" if several else "")


def _mean(values: pd.Series, form: str) -> str:
    """Returns the mean, if all runs have a value: one over some of them would be taken for one over all."""
    return f"{values.mean():{form}}" if values.notna().all() else "–"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fer_lightning.report.results_table", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folders", metavar="FOLDER", type=Path, nargs="+", help="run folders, or folders of them")
    parser.add_argument("--into", metavar="FILE", type=Path, help="a Markdown file with the two markers")
    given = parser.parse_args(arguments)
    try:
        table = results_table(given.folders)
        if given.into:
            write_into(given.into, table)
        else:
            print(table)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
