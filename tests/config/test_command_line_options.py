"""One-word options of train.py, run as a user runs them."""

import json
import re
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from fer_lightning.data.faces import FERPLUS_EMOTIONS
from tests.conftest import Command
from tests.runs import SHORT, run_of, table_of

QUICK = (*SHORT, "callbacks.pictures=null")


def test_the_learning_rate_finder_draws_and_suggests_a_rate(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "debug=lr_find", "model=deep_emotion", "data=fer2013", f"data.path={few_faces}",
        "trainer.accelerator=cpu", "data.batch_size=16", "action.steps=60", drawn=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    suggestion = re.search(r"optimizer\.lr=(\S+)$", result.stdout, re.MULTILINE)
    assert suggestion, result.stdout
    assert re.search(r"^loss at rising learning rates   outputs/train/\S+/lr_find\.png$", result.stdout, re.MULTILINE)
    assert 1e-5 < float(suggestion[1]) < 0.5
    (run,) = tmp_path.glob("outputs/train/*")
    with Image.open(run / "report" / "lr_find.png") as picture:
        assert min(picture.size) > 300
    assert not list(run.glob("**/*.ckpt"))


def test_data_can_be_looked_at_before_any_training(few_faces: Path, run_command: Command, tmp_path: Path) -> None:
    result = run_command("train.py", "debug=look", "augmentation=strong", "data=fer2013", f"data.path={few_faces}")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^train +Training +26 +3 +28 +48 +32 +22 +33 +192", result.stdout, re.MULTILINE)
    (run,) = tmp_path.glob("outputs/train/*")
    page = (run / "report" / "index.html").read_text("utf-8")
    for name, faces in (("angry", 26), ("disgust", 3), ("fear", 28), ("neutral", 33), ("all", 192)):  # of train
        assert re.search(rf">{name}</t[dh]>\s*<td[^>]*>{faces}<", page)
    assert page.count("<figure>") == 1
    assert page.count('alt="disgust, Training, row ') == 3
    assert f"these counts   outputs/train/{run.name}/report/index.html" in result.stdout
    assert "network:" not in result.stdout
    assert not list(run.glob("**/*.ckpt"))


def test_averaged_weights_are_what_is_tested_and_tested_again(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command("train.py", *QUICK, f"data.path={few_faces}", "callbacks=[default,averaged_weights]")
    run = run_of(result, tmp_path)
    again = run_command("test.py", f"run_dir={run}")
    assert table_of(again.stdout) == table_of(result.stdout)
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    tested = load_file(run / "model.safetensors")["features.0.weight"]
    assert torch.equal(tested, content["state_dict"]["net.features.0.weight"])
    assert not torch.equal(tested, content["current_model_state"]["net.features.0.weight"])


def test_a_run_that_stops_early_says_so(few_faces: Path, run_command: Command) -> None:
    result = run_command(
        "train.py", *QUICK, f"data.path={few_faces}", "callbacks=[default,early_stopping]", "optimizer.lr=0",
        "scheduler=none", "callbacks.early_stopping.patience=1", "trainer.max_epochs=9",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "epoch   2/9" in result.stdout
    assert "epoch   3/9" not in result.stdout
    assert re.search(
        r"^stopped early: .*val/accuracy did not improve in the last 1 records", result.stdout, re.MULTILINE
    )


def test_fer_plus_trains_with_its_classes_and_is_tested_again(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    options = [*QUICK, "data=ferplus", f"data.path={few_faces}", "data.votes.rule=probability", "trainer.max_epochs=1"]
    trained = run_command("train.py", *options)
    run = run_of(trained, tmp_path)
    assert list(json.loads((run / "report" / "metrics.json").read_text())["classes"]) == list(FERPLUS_EMOTIONS)
    assert "contempt" in table_of(trained.stdout)
    again = run_command("test.py", f"run_dir={run}")
    assert table_of(again.stdout) == table_of(trained.stdout)
