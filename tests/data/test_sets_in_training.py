"""In every form that is read, a training and its test have the true label of each face; damage is told by its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from fer_lightning.data import FERDataModule
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from fer_lightning.report.predictions import Predictions
from fer_lightning.training.classifier import EmotionClassifier
from tests.conftest import Command, trainer
from tests.data.drawn_forms import FORMS
from tests.data.drawn_sets import SETS
from tests.runs import SHORT, nightly, run_of


@pytest.mark.parametrize("form", FORMS)
def test_an_epoch_of_any_form_is_tested_on_true_labels(form: str, tmp_path: Path) -> None:
    drawn = FORMS[form](tmp_path / "faces")
    truths = {truth.file: truth for truth in drawn.truths}
    data = FERDataModule(drawn.path, size=48, batch_size=16, val_fraction=0.3, test_fraction=0.3, **drawn.options)
    data.setup()
    assert data.faces is not None
    names = data.faces.files or tuple(map(str, data.faces.numbers.tolist()))
    assert sorted(names) == sorted(truth.file for truth in drawn.truths)
    model = EmotionClassifier("deep_emotion", data.class_names, optimizer=partial(torch.optim.SGD, lr=0.01))
    runner = trainer(tmp_path, max_epochs=1)
    runner.fit(model, data)
    runner.test(model, data, verbose=False)
    tested = Predictions.of(model, runner).table()
    assert len(tested) >= 3
    if form != "ExpW":  # of whose files one has two faces
        keys = tested["file" if "file" in tested else "row"].astype(str)
        assert tested.label.tolist() == [truths[key].emotion for key in keys]
        assert tested.split.tolist() == [truths[key].part for key in keys]
    if any(truth.person for truth in drawn.truths):
        persons = {truth.person for truth in drawn.truths}
        assert data.faces.persons is not None
        assert len(data.faces.persons.unique()) == len(persons)


def halved(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut short": halved,
    "a text": lambda file: file.write_text("<html>not found</html>"),
    "empty": lambda file: file.write_bytes(b""),
}

WITH_FILES = [*SETS, "folders of classes", "AffectNet, numbered folders", "table", "tables of parts", "labels.csv"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", WITH_FILES)
def test_a_damaged_image_of_any_form_is_bad_by_its_name(form: str, damage: str, tmp_path: Path) -> None:
    drawn = FORMS[form](tmp_path / "faces")
    truth = drawn.truths[len(drawn.truths) // 2]
    DAMAGES[damage](drawn.path / truth.file)
    data = FERDataModule(drawn.path, **drawn.options)
    with pytest.raises(DataError, match=rf"1 of {len(drawn.truths)} (images|rows) are bad") as caught:
        data.setup()
    assert f"\n- {truth.file}: found an unreadable image (" in str(caught.value)
    classes = data.class_options
    kept = read_faces(drawn.path, "drop", classes=classes).files
    assert sorted(kept) == sorted(one.file for one in drawn.truths if one != truth)


@pytest.mark.parametrize("form", ["RAF-DB", *nightly("CK+48")])
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
    assert "84 of 210 images are taken, at the angles HL, HR" in trained.stdout
    tested = run_command("test.py", f"run_dir={run}", "data.path=ck48")
    assert tested.returncode == 0, tested.stderr
    assert "contempt (18)" in tested.stdout + tested.stderr
    (found,) = (tmp_path / "outputs" / "test").rglob("predictions.csv")
    table = pd.read_csv(found)
    assert table.label.tolist() == [truths[file].emotion for file in table.file]
