"""train.py and test.py, run as a user runs them."""

import base64
import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_lightning.data import EMOTIONS
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.report import compare
from fer_lightning.training.models import load_model
from tests.browser import in_browser, needs_browser, printed
from tests.conftest import Command
from tests.runs import SHORT, metrics, run_of, table_of


def chart_sizes(page: str) -> list[tuple[int, int]]:
    """Returns width and height, in pixels, of each chart of a report."""
    charts = re.findall(r"<figure>.*?base64,([^\"]+)", page, re.DOTALL)
    return [Image.open(io.BytesIO(base64.b64decode(chart))).size for chart in charts]


def _spaced(text: str) -> str:
    return re.sub(" +", " ", text)


@pytest.fixture(scope="module")
def trained(few_faces: Path, tmp_path_factory: pytest.TempPathFactory, run_in: Command) -> tuple[Path, str]:
    """The folder of a short run, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(few_faces, folder / "faces.csv")
    result = run_in(folder, "train.py", *SHORT, "data.path=faces.csv", drawn=True)
    return run_of(result, folder), result.stdout


def test_a_run_folder_is_complete_by_itself(trained: tuple[Path, str]) -> None:
    run, _ = trained
    for name in (
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics.csv",
        "report/index.html",
        "report/metrics.json",
        "report/predictions.csv",
        "report/per_class.csv",
        "report/confusion.csv",
        "model.safetensors",
        "model.pth",
        "train.log",
    ):
        assert (run / name).is_file(), name
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["hyper_parameters"]["arguments"] == {"dropout": 0.5}
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    columns = {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/f1", "train/images_per_second"}
    assert columns < set(rows[0])
    assert sum(row["val/accuracy"] != "" for row in rows) == 2


def test_the_plain_weights_load_into_the_network_in_two_lines(trained: tuple[Path, str]) -> None:
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
    again = run_command("test.py", f"run_dir={run}", drawn=True)
    assert again.returncode == 0, again.stderr
    assert table_of(again.stdout) == table_of(output)
    (written,) = tmp_path.glob("outputs/test/*/metrics.json")
    page = (written.parent / "index.html").read_text("utf-8")
    assert "could not be made" not in page
    assert len(chart_sizes(page)) == len(chart_sizes((run / "report" / "index.html").read_text("utf-8"))) - 1
    assert min(min(size) for size in chart_sizes(page)) > 50
    ours, theirs = json.loads(written.read_text()), metrics(run)
    for name in ("test/loss", "test/accuracy", "test/precision", "test/recall", "test/f1", "confusion"):
        assert ours[name] == theirs[name]


def test_the_last_checkpoint_can_be_tested_on_another_part(
    trained: tuple[Path, str], run_command: Command, tmp_path: Path
) -> None:
    run, _ = trained
    result = run_command("test.py", f"run_dir={run}", "ckpt=last", "data.splits.test=[PublicTest,PrivateTest]")
    assert result.returncode == 0, result.stderr
    (written,) = tmp_path.glob("outputs/test/*/metrics.json")
    content = json.loads(written.read_text())
    assert sum(map(sum, content["confusion"])) == 48
    assert content["ckpt"] == "last"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 2


def test_a_run_can_test_its_last_checkpoint_and_again_by_it(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    # Nothing learns, so that the first epoch stays the best; but the batch norm has seen more in the last.
    still = ("optimizer.lr=0", "scheduler=none", "augmentation=none", "monitor=val/loss")
    options = (*SHORT, f"data.path={few_faces}", "ckpt=last", "callbacks.pictures=null", *still)
    first = run_command("train.py", *options)
    run = run_of(first, tmp_path)
    best, last = (torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert (best["epoch"], last["epoch"]) == (0, 2)
    torch.testing.assert_close(
        load_file(run / "model.safetensors"),
        {n.removeprefix("net."): v for n, v in last["state_dict"].items() if n.startswith("net.")},
    )
    scores = [
        row["val/loss"] for row in csv.DictReader((run / "metrics.csv").read_text().splitlines()) if row["val/loss"]
    ]
    assert float(scores[0]) < float(scores[-1]) * (1 - 1e-5)
    assert metrics(run)["ckpt"] == "last"
    assert metrics(run)["val/loss"] == pytest.approx(float(scores[-1]))
    assert f"\nlast val/loss {float(scores[-1]):.4f}, after " in first.stdout
    again = run_command("test.py", f"run_dir={run}")
    assert table_of(again.stdout) == table_of(first.stdout)
    shutil.rmtree(run / "report")  # as if it had been killed before its test
    resumed = run_command("train.py", f"resume={run}")
    assert table_of(resumed.stdout) == table_of(first.stdout)
    assert metrics(run)["val/loss"] == pytest.approx(float(scores[-1]))


def test_flip_averaging_is_the_same_in_training_and_by_test(
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


def test_tensorboard_has_curves_pictures_and_hyperparameters(trained: tuple[Path, str]) -> None:
    run, _ = trained
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    tags = board.Tags()
    assert {"train/loss", "val/loss", "val/accuracy", "val/f1", "train/images_per_second", "lr-SGD/pg1"} <= set(
        tags["scalars"]
    )
    assert [event.step for event in board.Scalars("val/accuracy")] == [2, 5]
    pictures = {"train/augmented_faces", "val/confusion", "test/confusion", "test/predictions", "test/first_kernels"}
    assert pictures | {"val/spatial_transformer"} <= set(tags["images"])
    curves = set(board.PluginTagToContent("pr_curves"))
    assert {f"test/{emotion}" for emotion in EMOTIONS} == curves
    hparams = board.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"deep_emotion" in hparams
    assert b"optimizer.lr" in hparams
    assert board.Scalars("hp/test/accuracy")[0].value == pytest.approx(metrics(run)["test/accuracy"])


def test_the_report_holds_all_it_shows_and_each_part_was_made(trained: tuple[Path, str]) -> None:
    run, _ = trained
    page = (run / "report" / "index.html").read_text("utf-8")
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert headings == [
        "Summary", "Curves", "Confusion", "Classes", "Calibration", "Faces",
        "What the network looks at", "What it was fed",
    ]  # fmt: skip
    assert "could not be made" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert f"{metrics(run)['test/accuracy']:.2%}" in page
    table = list(csv.DictReader((run / "report" / "predictions.csv").read_text().splitlines()))
    assert len(table) == 24
    assert {row["split"] for row in table} == {"PrivateTest"}
    rights = sum(row["label"] == row["prediction"] for row in table)
    assert rights / 24 == pytest.approx(metrics(run)["test/accuracy"])


@needs_browser
def test_its_pages_can_be_read_on_desk_phone_paper_and_when_dark(trained: tuple[Path, str], tmp_path: Path) -> None:
    for name in ("one", "other"):
        shutil.copytree(trained[0], tmp_path / name)
    compare.main([str(tmp_path), "--out", str(tmp_path / "compared")])
    report, compared = tmp_path / "one" / "report" / "index.html", tmp_path / "compared" / "index.html"
    dark, white = "--blink-settings=preferredColorScheme=0", "rgb(255, 255, 255)"
    for page, width, options, paper in (
        (report, 1200, (), white),
        (report, 360, (dark,), "rgb(22, 22, 22)"),
        (compared, 360, (), white),
    ):
        found, console = in_browser(page, width, *options)
        assert "CONSOLE" not in console
        assert found["width"] == width
        assert found["paper"] == paper
        assert not found["tooWide"]
        assert found["wide"] == 0
        assert found["pictures"]
        assert all(complete and natural and shown >= 100 for complete, natural, shown in found["pictures"])
        assert found["keys"] == sorted(found["keys"], reverse=True)
        assert found["byName"] == sorted(found["byName"])
    assert printed(report).count(b"/Type /Page\n") > 3


def test_a_seed_repeats_a_run_to_the_bit_and_another_does_not(
    trained: tuple[Path, str], few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    def weights(run: Path) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        return state

    first = weights(trained[0])
    options = (*SHORT, f"data.path={few_faces}", "callbacks.pictures=null")  # these change nothing of a training
    again = weights(run_of(run_command("train.py", *options), tmp_path))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = weights(run_of(run_command("train.py", *options, "seed=1"), tmp_path))
    assert not torch.equal(first["net.features.0.weight"], other["net.features.0.weight"])


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
