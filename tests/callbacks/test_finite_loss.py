"""What is not a number is reported, is nothing to choose by, and leaves files that every program reads."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from fer_lightning.config.build import build
from fer_lightning.report.compare import main as compare
from fer_lightning.report.metrics_json import as_json, metrics_in
from fer_lightning.report.results_table import results_table
from fer_lightning.sweep.jobs import outcome
from fer_lightning.sweep.table import sweep_table
from tests.conftest import Command, Compose
from tests.runs import SHORT, run_of

WEIGHTED = ("loss.class_weights=balanced", "monitor=val/loss", "trainer.max_epochs=1", "callbacks.pictures=null")


def without_happy(few_faces: Path, file: Path, val: tuple[str, ...]) -> Path:
    """The faces, those of class 3 (happy) in PublicTest only, which has those of the classes in val."""
    with few_faces.open(newline="") as of_all:
        head, *rows = csv.reader(of_all)
    train = [row for row in rows if row[-1] == "Training"]
    moved = [[*row[:-1], "PublicTest"] for row in train if row[0] == "3"]
    public = [row for row in [*moved, *(row for row in rows if row[-1] == "PublicTest")] if row[0] in val]
    kept = [row for row in rows if row[-1] == "PrivateTest"] + [row for row in train if row[0] != "3"]
    with file.open("w", newline="") as written:
        csv.writer(written).writerows([head, *public, *kept])
    return file


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_val_batch_of_weightless_faces_leaves_val_loss_finite(
    smoothing: float, few_faces: Path, composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = without_happy(few_faces, tmp_path / "fer2013.csv", val=tuple("0123456"))
    options = (*SHORT, *WEIGHTED, f"data.path={path}", "data.batch_size=8", f"loss.label_smoothing={smoothing}")
    experiment = build(composed(*options))
    assert experiment.datamodule.faces is not None
    labels = experiment.datamodule.faces.labels[experiment.datamodule.rows["val"]]
    assert (labels[:8] == 3).all()  # a whole batch
    with caplog.at_level("WARNING"):
        experiment.trainer.fit(experiment.model, experiment.datamodule)
    assert torch.isfinite(experiment.trainer.callback_metrics["val/loss"])
    assert "train has no face of happy, so that these faces weigh nothing in val/loss and test/loss" in caplog.text
    assert "is nan" not in caplog.text


def test_a_monitored_nan_is_reported_and_leaves_valid_json(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    path = without_happy(few_faces, tmp_path / "fer2013.csv", val=("3",))
    options = (*SHORT, *WEIGHTED, f"data.path={path}", "loss.label_smoothing=0")
    result = run_command("train.py", *options)
    run = run_of(result, tmp_path)
    warning = "val/loss is nan after epoch 1: best.ckpt is not chosen by it, but the first epoch's until val/loss is"
    assert result.stdout.index("train has no face of happy") < result.stdout.index("epoch   1/1")
    assert warning in result.stdout
    assert "best so far" not in result.stdout
    assert "best val/loss nan" in result.stdout
    text = (run / "report" / "metrics.json").read_text()
    assert json.loads(text, parse_constant=refuse)["val/loss"] is None
    page = (run / "report" / "index.html").read_text()
    assert re.search(r"<dt>val/loss</dt><dd>not a number</dd>", page)
    # All that reads such a file takes null for NaN.
    assert outcome(run, "val/loss").state == "done"
    assert outcome(run, "val/loss").score != outcome(run, "val/loss").score
    shutil.copytree(run, tmp_path / "sweep" / "0")
    assert sweep_table(tmp_path / "sweep", "val/loss")["state"].tolist() == ["done"]
    assert "python train.py" in results_table([run])
    again = shutil.copytree(run, tmp_path / "again")
    compare([str(run), str(again), "--out", str(tmp_path / "compared")])
    assert (tmp_path / "compared" / "index.html").is_file()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_has_not_is_null_and_read_as_nan(value: float, tmp_path: Path) -> None:
    content: dict[str, Any] = {"test/loss": value, "classes": {"sad": {"f1": value}}, "list": [(value, 1.5)]}
    (tmp_path / "metrics.json").write_text(as_json(content))
    plain = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)
    assert plain == {"test/loss": None, "classes": {"sad": {"f1": None}}, "list": [[None, 1.5]]}
    read = metrics_in(tmp_path / "metrics.json")["test/loss"]
    assert read != read
