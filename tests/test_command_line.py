"""train.py and test.py, run as a user runs them."""

import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY, THREADS, Command
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_lightning.data.faces import FERPLUS_EMOTIONS
from fer_lightning.models import load_model
from fer_lightning.nets.deep_emotion import DeepEmotion

SHORT = (
    "model=deep_emotion",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "data=fer2013",
    "data.batch_size=64",
    "trainer.log_every_n_steps=1",
)


def run_of(result: subprocess.CompletedProcess[str], folder: Path) -> Path:
    assert result.returncode == 0, result.stdout + result.stderr
    found = re.search(r"^run folder   (outputs/train/\S+)$", result.stdout, re.MULTILINE)
    assert found, result.stdout
    return folder / found[1]


def table_of(output: str) -> str:
    return output[output.index("Test split") : output.index("%", output.index("\naccuracy"))]


def _spaced(text: str) -> str:
    return re.sub(" +", " ", text)


def metrics(run: Path) -> dict[str, float]:
    content: dict[str, float] = json.loads((run / "report" / "metrics.json").read_text())
    return content


@pytest.fixture(scope="module")
def trained(few_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a short run, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(few_faces, folder / "faces.csv")
    result = subprocess.run(
        [sys.executable, str(REPOSITORY / "train.py"), *SHORT, "data.path=faces.csv"],
        cwd=folder,
        env={**os.environ, **THREADS},
        capture_output=True,
        text=True,
        check=False,
    )
    return run_of(result, folder), result.stdout


def test_a_run_folder_is_complete_by_itself(trained: tuple[Path, str]) -> None:
    run, _ = trained
    for name in (
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics.csv",
        "report/metrics.json",
        "report/curves.png",
        "model.safetensors",
        "model.pth",
        "train.log",
    ):
        assert (run / name).is_file(), name
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["hyper_parameters"]["dropout"] == 0.5
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    columns = {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/f1", "train/images_per_second"}
    assert columns < set(rows[0])
    assert sum(row["val/accuracy"] != "" for row in rows) == 2


def test_the_plain_weights_load_into_the_bare_network_in_two_lines(trained: tuple[Path, str]) -> None:
    run, _ = trained
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    for state in (load_file(run / "model.safetensors"), torch.load(run / "model.pth", weights_only=True)):
        net = DeepEmotion(num_classes=7)
        net.load_state_dict(state)
        assert all(torch.equal(value, best[f"net.{name}"]) for name, value in net.state_dict().items())


def test_a_checkpoint_is_loaded_without_naming_its_network(trained: tuple[Path, str]) -> None:
    run, _ = trained
    model = load_model(run / "checkpoints" / "best.ckpt")
    assert isinstance(model.net, DeepEmotion)
    images = torch.rand(2, 1, 48, 48)
    net = DeepEmotion().eval()
    net.load_state_dict(load_file(run / "model.safetensors"))
    torch.testing.assert_close(model(images), net(images))


def test_training_says_what_a_person_wants_to_know(trained: tuple[Path, str]) -> None:
    run, output = trained
    assert re.search(
        r"^ +is angry disgust fear happy sad surprise neutral all also in train$", _spaced(output), re.MULTILINE
    )
    assert re.search(r"^train Training 26 3 28 48 32 22 33 192 ?$", _spaced(output), re.MULTILINE)
    assert "epoch   2/2  train loss" in (run / "train.log").read_text()
    assert len(re.findall(r"^epoch   [12]/2  train loss .* val loss .* images/s", output, re.MULTILINE)) == 2
    assert re.search(r"^epoch   1/2 .* best so far$", output, re.MULTILINE)
    assert "66,877 parameters" in output
    accuracy = metrics(run)["test/accuracy"]
    assert f"\naccuracy {accuracy:.2%}" in output
    assert "tensorboard --logdir outputs" in output
    assert f"test again   python test.py run_dir=outputs/train/{run.name}" in output


def test_testing_again_gives_the_numbers_that_training_printed(
    trained: tuple[Path, str], run_command: Command, tmp_path: Path
) -> None:
    run, output = trained
    again = run_command("test.py", f"run_dir={run}")
    assert again.returncode == 0, again.stderr
    assert table_of(again.stdout) == table_of(output)
    (written,) = tmp_path.glob("outputs/test/*/metrics.json")
    ours, theirs = json.loads(written.read_text()), metrics(run)
    for name in ("test/loss", "test/accuracy", "test/precision", "test/recall", "test/f1", "confusion"):
        assert ours[name] == theirs[name]


def test_the_last_checkpoint_can_be_tested_on_another_part_of_the_data(
    trained: tuple[Path, str], run_command: Command, tmp_path: Path
) -> None:
    run, _ = trained
    result = run_command("test.py", f"run_dir={run}", "ckpt=last", "data.splits.test=[PublicTest,PrivateTest]")
    assert result.returncode == 0, result.stderr
    (written,) = tmp_path.glob("outputs/test/*/metrics.json")
    content = json.loads(written.read_text())
    assert sum(map(sum, content["confusion"])) == 48
    assert content["ckpt"] == "last"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 1


def test_flip_averaging_is_measured_in_training_and_by_test_alike(
    trained: tuple[Path, str], run_command: Command, tmp_path: Path
) -> None:
    run, output = trained
    told = metrics(run)["test/accuracy_flip"]
    assert f"with flip averaging {told:.2%}" in output
    result = run_command("test.py", f"run_dir={run}", "tta=flip")
    assert result.returncode == 0, result.stderr
    (written,) = tmp_path.glob("outputs/test/*/metrics.json")
    content = json.loads(written.read_text())
    assert (content["test/accuracy"], content["tta"]) == (told, "flip")
    assert "best.ckpt, each face averaged over its flip views\nTest split" in result.stdout
    assert content["test/accuracy_low"] < told < content["test/accuracy_high"]


def test_tensorboard_has_curves_pictures_and_a_filled_hparams_tab(trained: tuple[Path, str]) -> None:
    run, _ = trained
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    tags = board.Tags()
    assert {"train/loss", "val/loss", "val/accuracy", "val/f1", "train/images_per_second", "lr-SGD/pg1"} <= set(
        tags["scalars"]
    )
    assert [event.step for event in board.Scalars("val/accuracy")] == [2, 5]
    pictures = {"train/augmented_faces", "val/confusion", "test/confusion", "test/predictions", "test/first_kernels"}
    assert pictures <= set(tags["images"])
    hparams = board.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"deep_emotion" in hparams
    assert b"optimizer.lr" in hparams
    assert board.Scalars("hp/test/accuracy")[0].value == pytest.approx(metrics(run)["test/accuracy"])


def test_a_seed_makes_a_run_repeatable_to_the_bit_and_another_seed_another_run(
    trained: tuple[Path, str], few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    def weights(run: Path) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        return state

    first = weights(trained[0])
    again = weights(run_of(run_command("train.py", *SHORT, f"data.path={few_faces}"), tmp_path))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = weights(run_of(run_command("train.py", *SHORT, f"data.path={few_faces}", "seed=1"), tmp_path))
    assert not torch.equal(first["net.features.0.weight"], other["net.features.0.weight"])


def test_a_sweep_ends_with_one_table_of_all_jobs_and_survives_a_job_that_fails(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "-m", *SHORT[1:], f"data.path={few_faces}", "trainer.limit_train_batches=2",
        "model=deep_emotion", "optimizer=adam,sgd", "data.val_fraction=0.1,1.5",
    )  # fmt: skip
    assert result.returncode == 1
    assert "error: 2 of 4 jobs failed" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    (sweep,) = tmp_path.glob("outputs/sweep/*")
    rows = list(csv.DictReader((sweep / "sweep.csv").open()))
    assert [row["job"] for row in rows if row["error"]] == ["1", "3"]
    assert all("val_fraction is 1.5" in row["error"] for row in rows if row["error"])
    scores = [float(row["val/accuracy"]) for row in rows if not row["error"]]
    assert scores == sorted(scores, reverse=True)
    assert {row["optimizer"] for row in rows[:2]} == {"adam", "sgd"}
    for row in rows[:2]:
        assert float(row["test/accuracy"]) == metrics(sweep / row["job"])["test/accuracy"]
    # The first failure is told before the jobs that come after it.
    assert result.stdout.index("this job failed") < result.stdout.index("#2 :")


def test_a_sweep_over_seeds_ends_with_means_and_deviations(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "-m", *SHORT, f"data.path={few_faces}", "trainer.limit_train_batches=2",
        "optimizer=adam,sgd", "seed=0,1", "trainer.max_epochs=1",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Mean ± standard deviation over seed" in result.stdout
    (sweep,) = tmp_path.glob("outputs/sweep/*")
    jobs = list(csv.DictReader((sweep / "sweep.csv").open()))
    means = {row["optimizer"]: row for row in csv.DictReader((sweep / "sweep_means.csv").open())}
    assert set(means) == {"adam", "sgd"}
    for optimizer, row in means.items():
        figures = [float(job["test/accuracy"]) for job in jobs if job["optimizer"] == optimizer]
        assert row["jobs"] == "2"
        assert float(row["test/accuracy"]) == pytest.approx(statistics.mean(figures))
        assert float(row["test/accuracy ±"]) == pytest.approx(statistics.stdev(figures))


def test_the_learning_rate_finder_draws_its_curve_and_suggests_a_rate(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "debug=lr_find", "model=deep_emotion", "data=fer2013", f"data.path={few_faces}",
        "trainer.accelerator=cpu", "instead.steps=60",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    suggestion = re.search(r"optimizer\.lr=(\S+)$", result.stdout, re.MULTILINE)
    assert suggestion, result.stdout
    assert 1e-5 < float(suggestion[1]) < 0.5
    (run,) = tmp_path.glob("outputs/train/*")
    with Image.open(run / "report" / "lr_find.png") as picture:
        assert min(picture.size) > 300
    assert not list(run.glob("**/*.ckpt"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["-m", "seed=0,1"], "trains nothing that a sweep could compare"), (["finetune=head"], "needs finetune=full")],
)
def test_the_learning_rate_finder_refuses_what_it_would_get_wrong(
    arguments: list[str], says: str, few_faces: Path, run_command: Command
) -> None:
    result = run_command(
        "train.py", *arguments, "debug=lr_find", "model=deep_emotion", "data=fer2013", f"data.path={few_faces}"
    )
    assert result.returncode == 1
    assert says in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_averaged_weights_are_what_training_tests_and_what_is_tested_again(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command("train.py", *SHORT, f"data.path={few_faces}", "callbacks=[default,averaged_weights]")
    run = run_of(result, tmp_path)
    again = run_command("test.py", f"run_dir={run}")
    assert table_of(again.stdout) == table_of(result.stdout)
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    tested = load_file(run / "model.safetensors")["features.0.weight"]
    assert torch.equal(tested, content["state_dict"]["net.features.0.weight"])
    assert not torch.equal(tested, content["current_model_state"]["net.features.0.weight"])


def test_a_run_that_stops_early_says_so(few_faces: Path, run_command: Command) -> None:
    result = run_command(
        "train.py", *SHORT, f"data.path={few_faces}", "callbacks=[default,early_stopping]", "optimizer.lr=0",
        "scheduler=none", "callbacks.early_stopping.patience=1", "trainer.max_epochs=9",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "epoch   2/9" in result.stdout
    assert "epoch   3/9" not in result.stdout
    assert re.search(
        r"^stopped early: .*val/accuracy did not improve in the last 1 records", result.stdout, re.MULTILINE
    )


@pytest.mark.parametrize("rule", ["probability"])
def test_fer_plus_trains_with_its_own_classes_and_is_tested_again(
    rule: str, few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    options = [*SHORT, "data=ferplus", f"data.path={few_faces}", f"data.votes.rule={rule}", "trainer.max_epochs=1"]
    trained = run_command("train.py", *options)
    run = run_of(trained, tmp_path)
    assert list(json.loads((run / "report" / "metrics.json").read_text())["classes"]) == list(FERPLUS_EMOTIONS)
    assert "contempt" in table_of(trained.stdout)
    again = run_command("test.py", f"run_dir={run}")
    assert table_of(again.stdout) == table_of(trained.stdout)


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
        ("train.py", ["lr=0.1"], ["there is no key lr", "Did you mean optimizer.lr?"]),
        (
            "train.py",
            ["callbacks=[default,early_stoping]"],
            ["Could not load 'callbacks/early_stoping'", "Did you mean early_stopping?", "averaged_weights"],
        ),
        ("test.py", ["run_dir=x", "data=ferplus"], ["Could not override 'data'", "as in data.path=…"]),
        ("train.py", ["optimizer.lr=abc"], ["optimizer.lr is 'abc'", "valid number"]),
        ("train.py", ["data=fer2013"], ["data.path", "fer2013.csv", "image", "data=demo"]),
        ("test.py", [], ["run_dir is missing"]),
        ("test.py", ["run_dir=outputs/gone"], ["run_dir outputs/gone is not the folder of a run"]),
        ("test.py", ["run_dir=x", "tta=five"], ["tta is five; it is one of none, flip, ten_crop"]),
    ],
)
def test_a_mistake_ends_in_one_message_and_status_1(
    script: str, arguments: list[str], says: list[str], run_command: Command
) -> None:
    result = run_command(script, *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("error: ") == 1
    for text in says:
        assert text in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_a_damaged_checkpoint_is_refused(trained: tuple[Path, str], run_command: Command, tmp_path: Path) -> None:
    run, _ = trained
    copy = tmp_path / "run"
    (copy / ".hydra").mkdir(parents=True)
    (copy / "checkpoints").mkdir()
    (copy / ".hydra/config.yaml").write_bytes((run / ".hydra/config.yaml").read_bytes())
    (copy / "checkpoints/best.ckpt").write_bytes((run / "checkpoints/best.ckpt").read_bytes()[:5000])
    result = run_command("test.py", f"run_dir={copy}")
    assert result.returncode == 1
    assert "best.ckpt is not a checkpoint of this program" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("script", ["train.py", "test.py"])
def test_help_is_a_page_for_people(script: str, run_command: Command) -> None:
    result = run_command(script, "--help")
    assert result.returncode == 0
    assert f"python {script}" in result.stdout
    assert "_target_" not in result.stdout
