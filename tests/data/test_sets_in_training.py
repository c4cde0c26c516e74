from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Command
from tests.data.drawn_sets import SETS
from tests.runs import SHORT, run_of


@pytest.mark.parametrize("form", ["RAF-DB", "CK+48"])
def test_a_training_has_the_true_label_of_each_face(form: str, tmp_path: Path, run_command: Command) -> None:
    truths = {truth.file: truth for truth in SETS[form](tmp_path / "faces")}
    options = [option for option in SHORT if "max_epochs" not in option]
    result = run_command(
        "train.py", *options, "trainer.max_epochs=1", "data.path=faces", "data.size=48", "data.val_fraction=0.34"
    )
    report = run_of(result, tmp_path) / "report"
    tested = pd.read_csv(report / "predictions.csv")
    assert len(tested) >= 10
    assert tested.label.tolist() == [truths[file].emotion for file in tested.file]
    assert f"{form} (" in result.stdout
    if form == "RAF-DB":
        assert sorted(tested.file) == sorted(file for file in truths if truths[file].part == "test")


def test_a_run_is_tested_on_a_set_without_its_choice(tmp_path: Path, run_command: Command) -> None:
    """The angles that a run was trained on are no question for a set that has none."""
    SETS["KDEF"](tmp_path / "kdef")
    truths = {truth.file: truth for truth in SETS["CK+48"](tmp_path / "ck48")}
    options = [option for option in SHORT if "max_epochs" not in option]
    fractions = ("data.val_fraction=0.3", "data.test_fraction=0.3")
    trained = run_command(
        *("train.py", *options, "trainer.max_epochs=1", "data.path=kdef", "data.angles=[HL,HR]", "data.size=48"),
        *fractions,
    )
    run = run_of(trained, tmp_path)
    assert "56 of 140 images are taken, at the angles HL, HR" in trained.stdout
    tested = run_command("test.py", f"run_dir={run}", "data.path=ck48")
    assert tested.returncode == 0, tested.stderr
    assert "contempt (18)" in tested.stdout + tested.stderr
    (found,) = (tmp_path / "outputs" / "test").rglob("predictions.csv")
    table = pd.read_csv(found)
    assert table.label.tolist() == [truths[file].emotion for file in table.file]
