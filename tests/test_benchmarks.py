"""The benchmarks run; what they measure is no matter of tests."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from torch import nn

from benchmarks import copies, epoch, gpu, growth, large, ours, people, reading, startup, steps
from benchmarks.side_by_side import medians
from fer_lightning.data.faces import SIDE
from fer_lightning.data.perceptual_hash import perceptual_hashes
from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.write_images import export
from fer_lightning.nets.deep_emotion import DeepEmotion


@pytest.fixture(autouse=True)
def hydras_config_is_put_back() -> Iterator[None]:
    before = HydraConfig.instance().cfg
    yield
    HydraConfig.instance().cfg = before


def test_each_reader_reads_the_same_faces(few_faces: Path, tmp_path: Path) -> None:
    (tmp_path / "fer2013").mkdir()
    copy = tmp_path / "fer2013" / "fer2013.csv"
    copy.write_bytes(few_faces.read_bytes())
    pixels = reading.by_pandas(copy)
    assert (reading.by_numpy(copy) == pixels).all()  # type: ignore[attr-defined]
    assert (reading.cold(copy).images.flatten(1).numpy() == pixels).all()  # type: ignore[attr-defined]
    assert reading.warm(copy) == pixels.reshape(-1, 2304)[::16].sum()  # type: ignore[attr-defined]
    of_training = reading.by_torchvision(copy)
    assert len(of_training) == 192  # type: ignore[arg-type]
    assert (np.asarray(of_training[0][0]).ravel() == pixels[0]).all()  # type: ignore[index]


def test_others_feed_the_same_faces_as_we_do(few_faces: Path, tmp_path: Path) -> None:
    export(few_faces, tmp_path / "images")
    data = ours.experiment(tmp_path / "run", f"data.path={few_faces}", "data.batch_size=32").datamodule
    for dataset in (people.DataFrameFaces(few_faces), people.image_folder(tmp_path / "images" / "Training")):
        assert len(dataset) == len(data.rows["train"]) == 192
        loader = people.loader(dataset, workers=0, batch_size=32)
        assert next(iter(loader))[0].shape == (32, 1, SIDE, SIDE)


def test_a_step_its_floor_and_the_usual_loop_are_timed(few_faces: Path, tmp_path: Path) -> None:
    ways = epoch.ours_and_floor(tmp_path, few_faces, "deep_emotion", 3, "data.batch_size=32", "trainer.accelerator=cpu")
    ways["people"] = lambda: epoch.peoples_loop(people.DataFrameFaces(few_faces), "deep_emotion", 1)
    row = epoch.row("deep_emotion", medians(ways, repeats=1, warm_up=0))
    assert row["network"] == "deep_emotion"
    assert set(ways) == {"ours", "floor", "people"}


def test_a_whole_epoch_is_timed(few_faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "STEPS", {"deep_emotion": 1})
    table = epoch.whole_table(few_faces, "data.batch_size=64", "trainer.accelerator=cpu")
    assert re.search(r"^\| deep_emotion \| 3 \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", table, re.MULTILINE)


def test_the_gpus_epoch_is_timed_in_steps_of_its_own(few_faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "STEPS", {"deep_emotion": 1})
    monkeypatch.setattr(gpu, "STEPS", 3)
    monkeypatch.setattr(gpu, "REPEATS", 1)
    given = ["data.batch_size=32", "compile=false", "trainer.accelerator=cpu", "trainer.max_epochs=300"]
    table = gpu.epoch_ratio(few_faces.parent, few_faces, given)
    assert "deep_emotion" in table


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("fused", [False, True])
def test_a_step_is_taken_in_each_precision_and_layout(precision: str, layout: str, fused: bool) -> None:
    net = DeepEmotion()
    last = net.classifier[-1]
    assert isinstance(last, nn.Linear)
    before = last.bias.detach().clone()
    steps.stepper(net, precision, layout, fused, compiled=False, steps=1)()
    assert not torch.equal(last.bias.detach().cpu(), before)


def test_copies_for_growth_are_read_from_their_cache(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "drawn", lambda: few_faces)
    assert len(read_faces(growth.cached_copies(500, tmp_path))) == 500


def test_photographs_are_fed_encoded_and_by_image_folder(few_faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "drawn", lambda: few_faces)
    monkeypatch.setattr(large, "DRAWN", 20)
    folder = large.made(420)
    assert large.made(420) == folder
    assert len(list(folder.glob("train/*/*.jpg"))) == 378
    for setup, first, *speeds in (large.fed_by_us(folder), large.fed_by_image_folder(folder, workers=0)):
        assert setup < first
        assert min(speeds) > 0
    assert (folder / ".fer_lightning" / f"{folder.name}.encoded").is_file()


def test_near_copies_are_counted_and_drawn(few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "CHANGED", 20)
    monkeypatch.setattr(copies, "MANY", 300)
    faces = read_faces(few_faces)
    images = faces.images[torch.arange(len(faces))]
    hashes = perceptual_hashes(images)
    rows = copies.recall_table(images, hashes).splitlines()[5:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(copies.CHANGES)
    assert "| mirrored | 100.0% | 100.0% |" in "\n".join(rows)
    assert copies.found_table(faces, tmp_path).count("\n| ") == 2 + len(copies.DISTANCES)
    assert "| drawn from them | 300 |" in copies.cost_table(images, hashes)


def test_startup_tells_of_a_command_that_fails() -> None:
    with pytest.raises(RuntimeError, match="ended with status 1 before it printed 'epoch '"):
        startup._seconds("optimizer.lrr=1", until="epoch ")


def test_benchmarks_compose_configs_in_a_process_of_their_own(few_faces: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from benchmarks.ours import experiment; "
        f"print(experiment(Path({str(tmp_path / 'run')!r}), 'data.path={few_faces}').datamodule.batch_size)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.stdout == "128\n", done.stderr
