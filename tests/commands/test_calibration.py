"""What a run is calibrated by is in all that it leaves, and what test.py reports of it is what training did."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from scipy.optimize import minimize_scalar

from fer_lightning.data import FERDataModule
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.model_file import METADATA_KEY
from fer_lightning.training.models import load_model
from fer_lightning.transforms.preprocessing import scaled
from fer_lightning.use.known_faces import known_faces, run_data
from tests.conftest import Command
from tests.runs import SHORT, metrics
from tests.stopped_runs import assert_same

Run = tuple[Path, subprocess.CompletedProcess[str]]

OPTIONS = (*SHORT, "trainer.precision=32-true", "callbacks.pictures=null", "hydra.run.dir=run")


@pytest.fixture(scope="module")
def run(few_faces: Path, tmp_path_factory: pytest.TempPathFactory, run_in: Command) -> Run:
    """The folder of a finished run, and what it printed."""
    folder = tmp_path_factory.mktemp("calibrated")
    result = run_in(folder, "train.py", *OPTIONS, f"data.path={few_faces}")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "run", result


def saved(checkpoint: Path) -> Any:
    return torch.load(checkpoint, weights_only=True).get("calibration")


def test_all_that_a_run_leaves_has_the_same_calibration(run: Run) -> None:
    folder, _ = run
    of_run = metrics(folder)["calibration"]
    temperature, unsure_below = of_run["temperature"], of_run["unsure_below"]
    assert saved(folder / "checkpoints/best.ckpt") == {"temperature": temperature, "unsure_below": unsure_below}
    assert saved(folder / "checkpoints/last.ckpt") is None
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()[METADATA_KEY])["calibration"] == saved(folder / "checkpoints/best.ckpt")
    for name in ("", "checkpoints/best.ckpt", "model.safetensors"):
        assert load_model(folder / name).calibration == Calibration(temperature, unsure_below)


def test_the_temperature_is_that_of_the_tested_weights_on_val(run: Run, few_faces: Path) -> None:
    folder, result = run
    data, model = FERDataModule(few_faces), load_model(folder / "checkpoints/best.ckpt")
    data.setup()
    assert data.faces is not None
    rows = data.rows["val"]
    with torch.inference_mode():
        log_p = model.log_probabilities(model.preprocessing.normalized(data.faces.images[rows] / 255)).double()
    labels = data.faces.labels[rows]

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(log_p / np.exp(log_temperature), labels))

    least = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-9})
    of_run = metrics(folder)["calibration"]
    assert of_run["temperature"] == pytest.approx(np.exp(least.x), rel=1e-3)
    assert of_run["temperature"] != 1
    assert of_run["val"]["faces"] == len(rows)
    assert of_run["val"]["log_loss"] == pytest.approx(loss(0), rel=1e-5)
    assert of_run["val"]["log_loss_calibrated"] == pytest.approx(least.fun, rel=1e-5)
    assert f"calibrated on 24 faces of val: temperature {of_run['temperature']:.3f}" in result.stdout


def test_probabilities_of_predictions_csv_are_not_calibrated(run: Run) -> None:
    folder, result = run
    table = pd.read_csv(folder / "report" / "predictions.csv").filter(regex="^p_")
    model, of_run = load_model(folder), metrics(folder)
    calibrated = (torch.tensor(table.to_numpy()).log() / model.calibration.temperature).softmax(1)
    labels = pd.read_csv(folder / "report" / "predictions.csv")["label"]
    right = np.array(table.columns)[calibrated.argmax(1)] == "p_" + labels
    for probabilities, name in ((torch.tensor(table.to_numpy()), ""), (calibrated, "_calibrated")):
        confidence = probabilities.amax(1).numpy()
        place = np.ceil(confidence * 15)
        gaps = [abs((confidence - right)[place == one].sum()) for one in np.unique(place)]
        assert of_run[f"test/calibration_error{name}"] == pytest.approx(sum(gaps) / len(right), abs=1e-5)
        assert f"{of_run[f'test/calibration_error{name}']:.1%}" in result.stdout


def test_testing_again_reports_the_same_calibration(run: Run, run_command: Command, tmp_path: Path) -> None:
    folder, result = run
    again = run_command("test.py", f"run_dir={folder}", "hydra.run.dir=again")
    assert again.returncode == 0, again.stderr
    content, of_run = json.loads((tmp_path / "again/metrics.json").read_text()), metrics(folder)
    for name in ("calibration_error", "calibration_error_calibrated", "coverage", "accuracy_answered"):
        assert content[f"test/{name}"] == of_run[f"test/{name}"]
    assert content["calibration"] == {name: of_run["calibration"][name] for name in ("temperature", "unsure_below")}
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("calibration error ")]
    assert line in again.stdout.splitlines()


def test_a_run_that_was_not_calibrated_is_tested(run: Run, run_command: Command, tmp_path: Path) -> None:
    older = Path(shutil.copytree(run[0], tmp_path / "older"))
    content = torch.load(older / "checkpoints/best.ckpt", weights_only=True)
    del content["calibration"]
    torch.save(content, older / "checkpoints/best.ckpt")
    assert load_model(older / "checkpoints/best.ckpt").calibration == Calibration()
    result = run_command("test.py", "run_dir=older", "hydra.run.dir=again")
    assert result.returncode == 0, result.stderr
    assert "best.ckpt is not calibrated: its probabilities are those that the network gives" in result.stdout
    found = json.loads((tmp_path / "again/metrics.json").read_text())
    assert found["test/calibration_error"] == pytest.approx(found["test/calibration_error_calibrated"], abs=1e-6)
    assert found["calibration"] == {"temperature": 1.0, "unsure_below": 0.0}


def test_a_run_killed_before_its_calibration_ends_with_the_same(run: Run, run_command: Command, tmp_path: Path) -> None:
    whole = run[0]
    killed = Path(shutil.copytree(whole, tmp_path / "run"))  # as training left it
    content = torch.load(whole / "checkpoints/best.ckpt", weights_only=True)
    torch.save(
        {name: value for name, value in content.items() if name != "calibration"}, killed / "checkpoints/best.ckpt"
    )
    shutil.rmtree(killed / "report")
    for name in ("model.safetensors", "model.pth"):
        (killed / name).unlink()
    result = run_command("train.py", "resume=run")
    assert result.returncode == 0, result.stdout + result.stderr
    assert_same(torch.load(killed / "checkpoints/best.ckpt", weights_only=True), content)
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    again, before = metrics(killed), metrics(whole)
    assert again["calibration"] == before["calibration"]


def test_a_run_that_tests_its_last_checkpoint_goes_on_from_it(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    first = run_command("train.py", *OPTIONS, f"data.path={few_faces}", "ckpt=last", "trainer.max_epochs=1")
    assert first.returncode == 0, first.stdout + first.stderr
    checkpoints = tmp_path / "run" / "checkpoints"
    assert saved(checkpoints / "last.ckpt")["temperature"] == metrics(tmp_path / "run")["calibration"]["temperature"]
    assert saved(checkpoints / "best.ckpt") is None
    further = run_command("train.py", "resume=run", "trainer.max_epochs=2")
    assert further.returncode == 0, further.stdout + further.stderr
    assert saved(checkpoints / "last.ckpt")["temperature"] == metrics(tmp_path / "run")["calibration"]["temperature"]
    assert saved(checkpoints / "one_before_last.ckpt") is None


def test_a_single_batch_is_calibrated_too(few_faces: Path, run_command: Command) -> None:
    result = run_command("train.py", *OPTIONS, f"data.path={few_faces}", "debug=one_batch")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "calibrated on 24 faces of val" in result.stdout


def test_the_last_epochs_score_is_its_own(few_faces: Path, run_command: Command, tmp_path: Path) -> None:
    epochs = ("ckpt=last", "trainer.max_epochs=3", "trainer.check_val_every_n_epoch=2")
    scored = ("monitor=val/loss", "loss.label_smoothing=0")
    result = run_command("train.py", *OPTIONS, f"data.path={few_faces}", *epochs, *scored)
    assert result.returncode == 0, result.stdout + result.stderr
    val, model = known_faces(run_data(tmp_path / "run"), "val"), load_model(tmp_path / "run")
    assert val.labels is not None
    with torch.no_grad():
        logits = model(model.preprocessing.normalized(scaled(torch.from_numpy(val.images))))
    loss = float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(val.labels)))
    assert metrics(tmp_path / "run")["val/loss"] == pytest.approx(loss, abs=1e-4)
    rows = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert rows["epoch"][rows["val/loss"].notna()].tolist() == [1]
