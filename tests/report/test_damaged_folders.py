"""Tables and pages of damaged or foreign folders: one message that names the file, whatever is in it."""

import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from fer_lightning.report import compare
from fer_lightning.report import results_table as results
from fer_lightning.report.metrics_json import LONGEST_METRICS
from fer_lightning.report.run_tables import LONGEST_TABLE
from fer_lightning.sweep import report as sweep

FIGURES = {
    "test/accuracy": 0.5,
    "test/accuracy_low": 0.1,
    "test/accuracy_high": 0.9,
    "test/accuracy_flip": 0.5,
    "test/f1": 0.5,
    "val/accuracy": 0.5,
    "test_split": "PublicTest",
    "minutes": 1.0,
    "epochs": 2,
    "commit": "abc",
    "machine": "a CPU",
    "command": "python train.py",
}

# The classes have names that pandas would take for a missing value and for a number.
PREDICTIONS = "row,split,label,prediction,p_None,p_1\n1,PublicTest,None,1,0.4,0.6\n2,PublicTest,1,1,0.4,0.6\n"

CURVES = "epoch,step,val/loss,val/accuracy\n0,9,1.5,0.5\n"

SWEEP = """monitor: val/accuracy
hydra:
  sweep: {dir: elsewhere}
  sweeper: {params: null}
  job: {name: train}
  overrides: {task: [seed=0], hydra: [hydra.mode=MULTIRUN]}
"""

Damage = Callable[[Path], object]
"""Makes a file, where there is none."""


def content(data: bytes | str) -> Damage:
    return lambda file: file.write_bytes(data if isinstance(data, bytes) else data.encode())


def with_size(size: int) -> Damage:
    """Of zeros, which take no room on the disk."""

    def make(file: Path) -> None:
        file.touch()
        os.truncate(file, size)

    return make


def figures(**changes: object) -> Damage:
    return content(json.dumps({**FIGURES, **changes}))


ANY_FILE: dict[str, Damage] = {
    "binary": content(random.Random(0).randbytes(3000)),
    "zeros": content(bytes(100)),
    "UTF-16": content("epoch,step\n".encode("utf-16")),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
}

# What no training has written; a job with one that was only cut short counts as stopped.
FOREIGN_JSON = {name: damage for name, damage in ANY_FILE.items() if name != "zeros"} | {
    "a loop of links": lambda file: file.symlink_to(file),
    "huge": with_size(LONGEST_METRICS + 1),
    "a list": content("[1, 2]"),
    "null": content("null"),
    "deep": content("[" * 100_000),
    "digits": content('{"test/accuracy": ' + "1" * 5000 + "}"),
    "a text": figures(**{"test/accuracy": "high"}),
    "a truth": figures(**{"test/accuracy": True}),
    "a list for a number": figures(**{"test/f1": [1]}),
    "long minutes": figures(minutes="long"),
    "endless minutes": content(json.dumps(FIGURES).replace('"minutes": 1.0', '"minutes": 1e999')),
}

METRICS_JSON = FOREIGN_JSON | {
    "zeros": ANY_FILE["zeros"],
    "empty": content(""),
    "cut": content('{"test/accuracy": 0.5, "test_sp'),
    "nothing": content("{}"),
    "more than all": figures(**{"test/accuracy": 7}),
    "less than no time": figures(minutes=-1),
    "no split": figures(test_split=None),
    "a number for a name": figures(test_split=3),
}

OF_TRAINING = METRICS_JSON | {
    "no command": figures(command=None),
    "a command with an open quote": figures(command="python train.py 'seed=3"),
    "no commit": figures(commit=None),
    "no machine": figures(machine=None),
}

PREDICTIONS_CSV = ANY_FILE | {
    "empty": content(""),
    "huge": with_size(LONGEST_TABLE + 1),
    "no rows": content(PREDICTIONS.splitlines()[0]),
    "no columns": content("1\n2\n3\n"),
    "no label": content(PREDICTIONS.replace("label", "lable")),
    "no classes": content("row,split,label,prediction\n1,PublicTest,a,a\n"),
    "an open quote": content(PREDICTIONS + '"'),
    "more cells than columns": content(PREDICTIONS + "3,PublicTest,1,1,0.4,0.6,7\n"),
    "fewer cells": content(PREDICTIONS + "3,PublicTest"),
    "a text for a number": content(PREDICTIONS.replace("0.4", "much")),
    "a number that is none": content(PREDICTIONS.replace("0.4", "nan")),
    "a probability above 1": content(PREDICTIONS.replace("0.4", "4")),
    "a label that is no class": content(PREDICTIONS.replace("None,1", "sad,1")),
    "a row twice": content(PREDICTIONS.replace("\n2,", "\n1,")),
}

METRICS_CSV = ANY_FILE | {
    "empty": content(""),
    "huge": with_size(LONGEST_TABLE + 1),
    "no epoch": content(CURVES.replace("epoch", "era")),
    "an epoch that is none": content(CURVES.replace("0,9", "first,9")),
    "an endless epoch": content(CURVES.replace("0,9", "1e300,9")),
    "a text for a number": content(CURVES.replace("1.5", "low")),
}

NO_YAML = {"binary": ANY_FILE["binary"], "no YAML": content("a: b: c")}

OVERRIDES_YAML = NO_YAML | {"no list": content("a: b")}

MULTIRUN_YAML = NO_YAML | {
    "empty": content(""),
    "a list": content("- a"),
    "no monitor": content(SWEEP.replace("monitor", "watched")),
    "a monitor that is another column": content(SWEEP.replace("val/accuracy", "job")),
    "a monitor that is looked up": content(SWEEP.replace("val/accuracy", "${oc.env:HOME}")),
    "a number for keys": content(SWEEP.replace("{dir: elsewhere}", "3")),
    "a text for a list": content(SWEEP.replace("[seed=0]", "seed=0")),
    "trials that are no number": content(SWEEP.replace("params: null", "n_trials: many")),
    "no sweeper": content(SWEEP.replace("{params: null}", "null")),
}

JOBS_YAML = NO_YAML | {"no list": content("a: b"), "no lists": content("- 3"), "no texts": content("- [3]")}


def run(folder: Path) -> Path:
    (folder / "report").mkdir(parents=True)
    (folder / ".hydra").mkdir()
    (folder / "report" / "metrics.json").write_text(json.dumps(FIGURES))
    (folder / "report" / "predictions.csv").write_text(PREDICTIONS)
    (folder / "metrics.csv").write_text(CURVES)
    (folder / ".hydra" / "overrides.yaml").write_text(f"- seed={folder.name}\n")
    return folder


def sweep_in(folder: Path) -> Path:
    for name in "012":
        (run(folder / name) / ".hydra" / "overrides.yaml").write_text("- seed=0\n")
    (folder / "multirun.yaml").write_text(SWEEP)
    (folder / "jobs.yaml").write_text("- [seed=0]\n" * 3)
    return folder


def cases(damages: dict[str, dict[str, Damage]]) -> pytest.MarkDecorator:
    every = [(file, damage, f"{file}: {name}") for file, of_file in damages.items() for name, damage in of_file.items()]
    return pytest.mark.parametrize(("file", "damage"), [pytest.param(f, d, id=name) for f, d, name in every])


def damaged(file: Path, damage: Damage) -> None:
    file.unlink()
    damage(file)


def message(main: Callable[[Sequence[str]], None], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, str)  # Python prints it, and exits with 1
    assert ended.value.code.startswith("error: ")
    assert len(ended.value.code) < 1500
    return ended.value.code


@cases(
    {
        "report/metrics.json": METRICS_JSON,
        "report/predictions.csv": PREDICTIONS_CSV,
        "metrics.csv": METRICS_CSV,
        ".hydra/overrides.yaml": OVERRIDES_YAML,
    }
)
def test_compare_names_the_damaged_file(tmp_path: Path, file: str, damage: Damage) -> None:
    damaged(run(tmp_path / "2") / file, damage)
    said = message(compare.main, run(tmp_path / "1"), tmp_path / "2", run(tmp_path / "3"), "--out", tmp_path / "out")
    assert f"{tmp_path}/2/{file}" in said
    assert not any(f"{tmp_path}/{good}" in said for good in "13")
    assert not (tmp_path / "out").exists()


@cases({"report/metrics.json": OF_TRAINING})
def test_the_results_table_names_the_damaged_file(tmp_path: Path, file: str, damage: Damage) -> None:
    damaged(run(tmp_path / "2") / file, damage)
    said = message(results.main, run(tmp_path / "1"), tmp_path / "2", run(tmp_path / "3"))
    assert f"{tmp_path}/2" in said
    assert not any(f"{tmp_path}/{good}" in said for good in "13")


def test_damaged_runs_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    for number in range(8):
        (run(tmp_path / str(number)) / "report" / "metrics.json").write_text("[]")
    for main in (compare.main, results.main):
        said = message(main, tmp_path)
        assert [f"{tmp_path}/{number}/" in said for number in range(8)] == [True] * 5 + [False] * 3
        assert "and 3 more" in said


def test_a_file_for_the_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    one = run(tmp_path / "1")
    for name, damage in ANY_FILE.items():
        damage(tmp_path / name)
        assert str(tmp_path / name) in message(results.main, one, "--into", tmp_path / name)


def test_figures_that_are_null_are_shown_as_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nulls = {name: None if isinstance(value, float) else value for name, value in FIGURES.items()} | {"run": None}
    for name, of_run in (("1", FIGURES), ("2", nulls), ("3", FIGURES | {"test/accuracy": float("nan")})):
        (run(tmp_path / name) / "report" / "metrics.json").write_text(json.dumps(of_run))
    compare.main([str(tmp_path), "--out", str(tmp_path / "out")])
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "could not be made" not in page
    assert page.count(">–</td>") == 6 + 1
    assert "the best one alone 50.00%" in page
    needed = {name: nulls[name] for name in ("test/accuracy", "test_split", "epochs", "commit", "machine", "command")}
    (run(tmp_path / "4") / "report" / "metrics.json").write_text(json.dumps(needed))
    capsys.readouterr()
    for name in ("2", "4"):
        results.main([str(tmp_path / name)])
    row, other = (line for line in capsys.readouterr().out.splitlines() if "python" in line)
    assert (
        row
        == other
        == "| – | `python train.py` | abc | a CPU | 2 | – | 0 | PublicTest | – | – to – | – | – | none are new |"
    )


@cases({"multirun.yaml": MULTIRUN_YAML, "jobs.yaml": JOBS_YAML})
def test_a_sweep_that_is_damaged_is_refused(tmp_path: Path, file: str, damage: Damage) -> None:
    damaged(sweep_in(tmp_path) / file, damage)
    assert f"{tmp_path}/{file}" in message(sweep.main, tmp_path)
    assert not (tmp_path / "sweep.csv").exists()


@cases({"report/metrics.json": FOREIGN_JSON, ".hydra/overrides.yaml": OVERRIDES_YAML})
def test_a_damaged_job_is_named_and_the_others_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, damage: Damage
) -> None:
    damaged(sweep_in(tmp_path) / "1" / file, damage)
    said = message(sweep.main, tmp_path)
    assert said == "error: 1 of 3 jobs are damaged; the table says how"
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert table["state"].tolist() == ["done", "done", "damaged"]
    assert f"{tmp_path}/1/{file}" in table["why"][2]
    assert f"{tmp_path}/1/{file}" in capsys.readouterr().out


def test_odd_jobs_are_rows_like_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sweep_in(tmp_path)
    nulls = {name: None if isinstance(value, float) else value for name, value in FIGURES.items()}
    (folder / "0" / "report" / "metrics.json").write_text(json.dumps(nulls))
    (folder / "1").rename(folder / "1 again")
    (folder / "2" / "gone").symlink_to("nowhere")
    for name in ("²", "3", "4"):
        (run(folder / name) / "report" / "metrics.json").unlink()
    (folder / "3" / ".hydra" / "overrides.yaml").write_text("- job=7\n- why=not\n")
    (folder / "3" / "error.txt").write_bytes(b"\xff\xfe" + b"x" * 5000)
    (folder / "4" / "dangling").symlink_to("nowhere")
    sweep.main([str(folder)])
    table = pd.read_csv(folder / "sweep.csv").set_index("job")
    assert table["state"].to_dict() == {
        2: "done", 0: "done", 1: "pending", 3: "failed", 4: "stopped",
    }  # fmt: skip
    why = table.loc[3, "why"]
    assert isinstance(why, str)
    assert len(why) == 1000
