"""One network on several sets, as a user trains, tests, resumes and looks at it."""

import json
import os
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import f1_score

from fer_lightning.report.compare import main as compare
from fer_lightning.report.results import wilson_interval
from tests.commands.test_command_line_resume import heeding_ctrl_c
from tests.conftest import Command
from tests.data.drawn_sets import Truth, ck48, rafdb
from tests.data.test_several_sets import numbered
from tests.runs import SHORT, metrics, run_of
from tests.scripts import run_until

LIST = "data.path=[raf,{path: numbers, numbering: [neutral,happy,sad]}]"
BRIEF = (*SHORT, "trainer.max_epochs=1", "data.size=48", "data.val_fraction=0.34", "callbacks.pictures=null")
Trained = tuple[Path, Path, dict[tuple[str, str], Truth], str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, run_in: Command) -> Trained:
    """A folder, a run in it on two sets in different orders, the truth of each face, and what was printed."""
    folder = tmp_path_factory.mktemp("several")
    sets = {"raf": rafdb(folder / "raf"), "numbers": numbered(folder / "numbers", ("neutral", "happy", "sad"))}
    truths = {(name, truth.file): truth for name, of_set in sets.items() for truth in of_set}
    result = run_in(folder, "train.py", *BRIEF, LIST)
    return folder, run_of(result, folder), truths, result.stdout


def test_a_training_on_two_sets_has_every_true_label(trained: Trained) -> None:
    _, run, truths, printed = trained
    tested = pd.read_csv(run / "report" / "predictions.csv")
    assert tested.label.tolist() == [truths[place].emotion for place in zip(tested.set, tested.file, strict=True)]
    assert set(zip(tested.set, tested.file, strict=True)) == {p for p, truth in truths.items() if truth.part == "test"}
    assert "2 sets, joined by the names of their classes:" in printed
    assert "numbers has no face of angry, disgust, fear, surprise" in printed
    assert "taken out of train, as copies of faces of val or test: 0 faces" in printed


def test_results_of_each_set_are_those_of_its_faces(trained: Trained) -> None:
    _, run, _, printed = trained
    tested = pd.read_csv(run / "report" / "predictions.csv")
    written = metrics(run)
    assert list(written["sets"]) == ["raf", "numbers"]
    for name, own in tested.groupby("set"):
        right = int((own.label == own.prediction).sum())
        low, high = wilson_interval(right, len(own))
        labels = sorted({*own.label, *own.prediction})
        f1 = f1_score(own.label, own.prediction, labels=labels, average="macro")
        assert written["sets"][str(name)] == pytest.approx(
            {"faces": len(own), "accuracy": right / len(own), "accuracy_low": low, "accuracy_high": high, "f1": f1}
        )
        (line,) = (line for line in printed.splitlines() if line.split()[:1] == [name] and " to " in line)
        shown = [f"{value:.1%}" for value in (right / len(own), low, high, f1)]
        assert line.split() == [name, str(len(own)), *shown[:2], "to", *shown[2:]]
    total = sum(one["accuracy"] * one["faces"] for one in written["sets"].values())
    assert written["test/accuracy"] == pytest.approx(total / len(tested))
    page = (run / "report" / "index.html").read_text()
    assert "Each set alone" in page
    assert "numbers, test, row " in page


def test_a_run_on_several_sets_is_tested_again(trained: Trained, run_in: Command) -> None:
    """From another folder, on its own sets and on a list of others, one with classes that it does not know."""
    folder, run, truths, _ = trained
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    again = run_in(elsewhere, "test.py", f"run_dir={run}", "hydra.run.dir=again")
    assert again.returncode == 0, again.stdout + again.stderr
    assert pd.read_csv(elsewhere / "again" / "predictions.csv").equals(pd.read_csv(run / "report" / "predictions.csv"))
    ck48(elsewhere / "ck")
    other = run_in(elsewhere, "test.py", f"run_dir={run}", "data.path=[ck,../raf]", "hydra.run.dir=other")
    assert other.returncode == 0, other.stdout + other.stderr
    tested = pd.read_csv(elsewhere / "other" / "predictions.csv")
    assert set(tested.set) == {"ck", "raf"}
    assert "the network leaves out the faces of contempt (18)" in other.stdout + other.stderr
    assert len(tested[tested.set == "ck"]) == 7 * 18 - 18  # all of them, as none was trained on
    raf = tested[tested.set == "raf"]
    assert {truths["raf", file].part for file in raf.file} == {"test"}
    assert raf.label.tolist() == [truths["raf", file].emotion for file in raf.file]
    compare([str(run), str(elsewhere / "again"), "--out", str(folder / "compared")])
    assert (folder / "compared" / "index.html").is_file()


def test_a_resumed_run_keeps_how_each_set_is_read(trained: Trained, run_in: Command, tmp_path: Path) -> None:
    """From another folder, and then with one set elsewhere."""
    folder, run, truths, _ = trained
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    moved = tmp_path / "moved" / "raf"
    moved.parent.mkdir()
    for epochs, more in ((2, ""), (3, f"data.path=[{moved},{folder / 'numbers'}]")):
        if more:
            (folder / "raf").rename(moved)
        try:
            result = run_in(tmp_path, "train.py", f"resume={copy}", f"trainer.max_epochs={epochs}", *more.split())
        finally:
            if more:
                moved.rename(folder / "raf")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "going on from" in result.stdout
        assert metrics(copy)["epochs"] == epochs
        tested = pd.read_csv(copy / "report" / "predictions.csv")
        assert tested.label.tolist() == [truths[place].emotion for place in zip(tested.set, tested.file, strict=True)]


@pytest.mark.nightly
def test_a_stopped_run_on_several_sets_ends_as_a_whole_one(trained: Trained, run_in: Command, tmp_path: Path) -> None:
    folder, _, _, _ = trained
    many = (*BRIEF, LIST, "trainer.max_epochs=8", "data.batch_size=4")
    status, printed = run_until(
        "epoch   2/8",
        lambda process: os.kill(process, signal.SIGINT),
        folder,
        *many,
        "hydra.run.dir=stopped",
        before=heeding_ctrl_c,
    )
    assert status == 130, printed
    result = run_in(tmp_path, "train.py", f"resume={folder / 'stopped'}")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "going on from" in result.stdout
    whole = run_in(folder, "train.py", *many, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    tables = [(folder / name / "report" / "predictions.csv").read_text() for name in ("stopped", "whole")]
    assert tables[0] == tables[1]


def test_a_list_needs_no_choice_of_data(trained: Trained, run_in: Command) -> None:
    folder = trained[0]
    brief = [word for word in BRIEF if word != "data=fer2013"]
    result = run_in(folder, "train.py", *brief, LIST, "debug=look", "hydra.run.dir=undecided")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 sets, joined by the names of their classes:" in result.stdout


def test_look_shows_each_set_apart(trained: Trained, run_in: Command) -> None:
    folder = trained[0]
    result = run_in(folder, "train.py", *BRIEF, LIST, "debug=look", "hydra.run.dir=look")
    assert result.returncode == 0, result.stdout + result.stderr
    page = (folder / "look" / "report" / "index.html").read_text()
    for title in ("train: raf", "test: numbers", "train: raf, 2 faces", "numbers, train, row 1, train/0/"):
        assert title in page


def test_a_sweep_trains_on_lists_and_on_single_sets(trained: Trained, run_in: Command) -> None:
    folder = trained[0]
    result = run_in(folder, "train.py", "-m", *BRIEF, "data.path=[raf,ck],raf", "hydra.sweep.dir=sweep")
    assert "error: 1 of 2 jobs failed" in result.stderr  # there is no ck
    assert "ck: there is no such file or folder" in result.stdout + result.stderr
    written = json.loads((folder / "sweep" / "1" / "report" / "metrics.json").read_text())
    assert "sets" not in written
    assert "set" not in pd.read_csv(folder / "sweep" / "1" / "report" / "predictions.csv")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.path=[raf,gone.csv]"], "data.path[1] is gone.csv: there is no such file or folder"),
        (["data.path=[]"], "data.path is an empty list: name at least one file or folder"),
        (["data.path=[raf,", "numbers]"], "a bracket is not closed. A blank ends a word in a shell"),
        (["data.path=[raf,{path: numbers, numbring: rafdb}]"], "path[1]: numbring is not a key of a set; did you mean"),
        (["data.path=[raf,numbers]"], "numbers: its classes are numbers, and a number does not say"),
        (["data.path=[raf,7]"], "data.path is ['raf', 7]: it should be"),
    ],
)
def test_a_list_that_cannot_be_used_ends_in_one_message(
    overrides: list[str], said: str, trained: Trained, run_in: Command
) -> None:
    folder = trained[0]
    before = {*folder.rglob("*")}
    result = run_in(folder, "train.py", "data=fer2013", "model=deep_emotion", *overrides)
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    new = {path for path in {*folder.rglob("*")} - before if ".fer_lightning" not in path.parts}
    assert new <= {folder / "outputs", folder / "outputs" / "train"}
