"""test.py measures an exported file as it measures the run that the file was made from."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from fer_lightning.data import EMOTIONS
from tests.conftest import Command
from tests.runs import metrics
from tests.use.brightness_network import write_network


@pytest.fixture(scope="module")
def copied(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported file under a name of several words."""
    return Path(shutil.copy(exported, tmp_path_factory.mktemp("exported") / "résumé 1.onnx"))


@pytest.fixture(scope="module")
def tested(copied: Path, few_faces: Path, run_in: Command) -> tuple[Path, str]:
    """The folder of the test of an exported file, and what it printed."""
    result = run_in(copied.parent, "test.py", f"model={copied.name}", f"data.path={few_faces}", "hydra.run.dir=tested")
    assert result.returncode == 0, result.stdout + result.stderr
    return copied.parent / "tested", result.stdout


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))


def test_a_file_has_the_figures_of_its_run(tested: tuple[Path, str], short_run: Path) -> None:
    of_file, of_run = read(tested[0], "metrics.json"), metrics(short_run)
    assert of_file["calibration"]["temperature"] == of_run["calibration"]["temperature"] != 1
    for key in ("accuracy", "accuracy_low", "accuracy_high", "accuracy_flip", "f1", "coverage", "accuracy_answered"):
        assert of_file[f"test/{key}"] == of_run[f"test/{key}"]
    for key in ("calibration_error", "calibration_error_calibrated"):
        assert of_file[f"test/{key}"] == pytest.approx(of_run[f"test/{key}"], abs=1e-4)
    assert of_file["classes"] == of_run["classes"]
    assert of_file["confusion"] == of_run["confusion"]
    mine, runs = (pd.read_csv(folder / "predictions.csv") for folder in (tested[0], short_run / "report"))
    assert list(mine.columns) == list(runs.columns)
    log_p, runs_log_p = (np.log(table.filter(regex="^p_").to_numpy() + 1e-6) for table in (mine, runs))
    np.testing.assert_allclose(log_p, runs_log_p, atol=1e-4)


def test_it_says_what_a_file_does_not_know(tested: tuple[Path, str], short_run: Path, copied: Path) -> None:
    content = read(tested[0], "metrics.json")
    assert content["model"] == copied.name
    assert content["copies_in_train"] is None
    assert "test/accuracy_new" not in content
    assert "run" not in content
    assert "does not say which faces it has learnt from" in content["notes"][0]
    assert f"\n{copied.name}\nTest split: PrivateTest\n" in tested[1]
    page = (tested[0] / "index.html").read_text("utf-8")
    assert f"{short_run.name} on PrivateTest" in page
    assert "An exported file gives its answers and shows no layers" in page
    assert "loss, accuracy, learning rate and speed" not in page
    assert "confusion matrix, counts" in page
    assert "Calibration" in page


def test_it_can_be_measured_on_other_data_by_name(copied: Path, few_faces: Path, run_in: Command) -> None:
    text = few_faces.read_text("ascii").replace("PrivateTest", "Training")
    other = copied.parent / "other.csv"
    other.write_text(text, "ascii")
    result = run_in(
        copied.parent,
        "test.py",
        f"model.file={copied}",
        f"data.path={other}",
        "tta=flip",
        "data.classes=[happy,sad]",
        "hydra.run.dir=other",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    content = read(copied.parent / "other", "metrics.json")
    assert content["test_split"] == "10% of Training"
    assert "the source has no test part, so that test is 10% of Training" in result.stdout + result.stderr
    assert [name for name, values in content["classes"].items() if values["faces"]] == ["happy", "sad"]


def test_votes_are_read_as_for_a_run_of_them(copied: Path, few_faces: Path, run_in: Command) -> None:
    words = (f"model={copied.name}", f"data.path={few_faces}", "data.votes.rule=majority", "hydra.run.dir=votes")
    result = run_in(copied.parent, "test.py", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "FER+ PrivateTest, rule majority: 24 of 24 rows kept" in result.stdout
    assert list(read(copied.parent / "votes", "metrics.json")["classes"]) == list(EMOTIONS)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("model=none.onnx",), "none.onnx is not a file"),
        (("model=text.onnx",), "text.onnx cannot be read as an ONNX file"),
        (("model=bare.onnx",), "bare.onnx is no network of fer_lightning: it lacks fer_lightning in its metadata"),
        (("model=bare.onnx", "run_dir=."), "run_dir is . and model is bare.onnx: give one of them"),
        (("model=bare.onnx", "ckpt=last"), "ckpt is last, but bare.onnx is no run"),
        (("model=bare.onnx", "tta=ten_crop"), "tta is ten_crop, which an exported network cannot do"),
        (("model=bare.onnx", "trainer.accelerator=gpu"), "trainer.accelerator is gpu, but an ONNX file is run on"),
        (("model=null",), "run_dir is missing"),
    ],
)
def test_what_is_no_exported_network_is_refused_in_one_line(
    words: tuple[str, ...], why: str, tmp_path: Path, run_command: Command
) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    model = onnx.load(write_network(tmp_path / "bare.onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    result = run_command("test.py", *words)
    assert result.returncode == 1
    assert why in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("index.html"))
