"""What a person types wrongly, and what train.py and test.py say to it."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Command


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-m", "seed=0,1"], "trains nothing that a sweep could compare"),
        (["finetune=head"], "needs finetune=full"),
        (["model.transformer_lr_scale=0.1"], "needs finetune.head_lr_scale=1"),
        (["optimizer=muon"], "optimizer=muon has two"),
    ],
)
def test_the_rate_finder_refuses_what_it_would_get_wrong(
    arguments: list[str], says: str, few_faces: Path, run_command: Command
) -> None:
    result = run_command(
        "train.py", *arguments, "debug=lr_find", "model=deep_emotion", "data=fer2013", f"data.path={few_faces}"
    )
    assert result.returncode == 1
    assert says in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("train.py", ["model=resnet19"], ["Could not find 'model/resnet19'", "deep_emotion", "resnet18"]),
        (
            "train.py",
            ["optimizer.lrr=3"],
            ["there is no key optimizer.lrr", "Did you mean lr?", "lr, momentum, nesterov, weight_decay"],
        ),
        ("train.py", ["optimzer=adam"], ["optimzer", "Did you mean optimizer?", "scheduler"]),
        ("train.py", ["loss.teacher=x"], ["there is no key loss.teacher", "It is a key of loss=distillation\n"]),
        (
            "train.py",
            ["callbacks.early_stopping.patience=3"],
            ["'callbacks=[default,early_stopping]'\n"],
        ),
        ("train.py", ["lr=0.1"], ["there is no key lr", "Did you mean optimizer.lr?"]),
        (
            "train.py",
            ["callbacks=[default,early_stoping]"],
            ["Could not load 'callbacks/early_stoping'", "Did you mean early_stopping?", "averaged_weights"],
        ),
        ("test.py", ["run_dir=x", "data=ferplus"], ["Could not override 'data'", "as in data.path=…"]),
        ("train.py", ["data=fer2013", "data.path=gone.csv"], ["data.path is gone.csv: there is no such file"]),
        ("train.py", ["-m", "--cfg", "job", "seed=0,1"], ["Only one of --run, --multirun, --cfg"]),
        ("train.py", ["debug=lr_find", "action.steps=20"], ["action.steps is 20; it must be at least 60"]),
        (
            "train.py",
            ["+trainer.max_epochs=3"],
            ["there is a key trainer.max_epochs already, so set it without a plus: trainer.max_epochs=…\n"],
        ),
        ("test.py", [], ["run_dir is missing"]),
        ("test.py", ["run_dir=outputs/train/…"], ["run_dir=outputs/train/…: … stands for a name"]),
        ("test.py", ["run_dir=outputs/gone"], ["run_dir outputs/gone is not the folder of a run"]),
        ("test.py", ["run_dir=x", "tta=five"], ["tta is five; it is one of none, flip, ten_crop"]),
    ],
)
def test_a_mistake_ends_in_one_message_and_status_1(
    script: str, arguments: list[str], says: list[str], run_command: Command, tmp_path: Path
) -> None:
    result = run_command(script, *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("error: ") == 1
    for text in says:
        assert text in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert not list(tmp_path.glob("outputs/*/*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data=fer2013"], "No FER2013 in data/"),
        (["data=image_folder"], "data.path is missing: give data.path=…, a file or a folder of faces"),
        (["data.path="], "data.path is missing: give data.path=…, a file or a folder of faces"),
        (["optimizer.lr=abc"], "optimizer.lr is 'abc': it should be a valid number"),
        (["loss=distillation"], "loss.teacher is missing"),
    ],
)
def test_a_cheap_mistake_is_answered_without_torch(arguments: list[str], says: str, run_command: Command) -> None:
    result = run_command("train.py", *arguments, before=_without_torch)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {says}")


def _without_torch() -> None:
    """Makes an import of torch an error, as if this process had not imported it."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torch", "fer_lightning")]:
        del sys.modules[name]
    sys.modules["torch"] = None  # type: ignore[assignment]


def test_of_a_run_no_other_choice_is_offered(run_command: Command) -> None:
    result = run_command("test.py", "run_dir=x", "trainer.max_epochs=3")
    assert "there is no key trainer.max_epochs" in result.stderr
    assert "It is a key of" not in result.stderr


@pytest.mark.parametrize("script", ["train.py", "test.py"])
def test_help_is_a_page_for_people(script: str, run_command: Command) -> None:
    result = run_command(script, "--help")
    assert result.returncode == 0
    assert f"python {script}" in result.stdout
    assert "_target_" not in result.stdout
