"""Two processes are one training: the same weights, figures and predictions as one process with the double batch."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from hydra.core.hydra_config import HydraConfig
from omegaconf import read_write
from safetensors.torch import load_file

from fer_lightning import processes
from fer_lightning.config.build import build
from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.processes import end_with, process_rank, processes_started
from fer_lightning.report.results import Results
from fer_lightning.training.calibrate import ValLogits, fitted_calibration
from fer_lightning.training.losses import EpochLoss
from fer_lightning.training.models import load_model
from tests.conftest import Command, Compose
from tests.runs import SHORT
from tests.scripts import REPOSITORY, SERVER
from tests.stopped_runs import assert_same, left_behind

PLAIN = (
    "model=deep_emotion", "model.name=without_batch_norm", "model.dropout=0.0",
    "augmentation=none", "data=fer2013", "trainer.accelerator=cpu", "trainer.precision=32-true",
    "trainer.max_epochs=2", "logger=csv", "callbacks.pictures=null",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def trusted() -> Iterator[None]:
    """The network without batch norm lies outside of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_LIGHTNING_TRUST", "tests.without_batch_norm")
        yield


@pytest.fixture(scope="module")
def uneven_faces(few_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 training faces, and 17 each of val and test: two processes with batches of 8 cannot share these evenly."""
    with few_faces.open(newline="") as file:
        head, *rows = csv.reader(file)
    path = tmp_path_factory.mktemp("uneven") / "fer2013.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for part, count in (("Training", 96), ("PublicTest", 17), ("PrivateTest", 17)):
            writer.writerows([row for row in rows if row[-1] == part][:count])
    return path


@pytest.fixture(scope="module")
def of_two(
    uneven_faces: Path, tmp_path_factory: pytest.TempPathFactory, run_in: Command
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Where two processes with batches of 8 have trained, and what they said."""
    folder = tmp_path_factory.mktemp("two")
    ddp = ("trainer=ddp", "trainer.devices=2", "data.batch_size=8")
    return folder, run_in(folder, "train.py", *PLAIN, f"data.path={uneven_faces}", *ddp)


def test_two_processes_leave_one_folder_and_say_each_thing_once(
    of_two: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, result = of_two
    assert result.returncode == 0, result.stdout + result.stderr
    (run,) = folder.glob("outputs/train/*")
    assert [path.name for path in folder.iterdir()] == ["outputs"]
    assert sorted(path.name for path in run.iterdir()) == [
        ".hydra", "checkpoints", "metrics.csv", "model.pth", "model.safetensors", "report", "train.log",
    ]  # fmt: skip
    for said in ("faces in each split", "network:", "epoch   1/2", "Test split", "run folder"):
        assert result.stdout.count(said) == 1, said
    assert result.stderr == ""


def test_two_processes_train_as_one_with_the_double_batch(
    of_two: tuple[Path, subprocess.CompletedProcess[str]], uneven_faces: Path, composed: Compose, tmp_path: Path
) -> None:
    (two,) = of_two[0].glob("outputs/train/*")
    one = tmp_path / "run"
    experiment = build(composed(*PLAIN, f"data.path={uneven_faces}", "data.batch_size=16"))
    model, datamodule, trainer = experiment.model, experiment.datamodule, experiment.trainer
    trainer.fit(model, datamodule)
    model.load_state_dict(torch.load(one / "checkpoints/best.ckpt", weights_only=True)["state_dict"])
    trainer.test(model, datamodule, verbose=False)
    results = Results.of(model, trainer)
    results.write_tables(one / "report")
    results.write(one / "report", {})
    theirs = torch.load(two / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name, value in torch.load(one / "checkpoints/last.ckpt", weights_only=True)["state_dict"].items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=1e-6)
    for name, value in model.net.state_dict().items():
        torch.testing.assert_close(load_file(two / "model.safetensors")[name], value, rtol=0, atol=1e-6)
    measured, expected = ([*csv.DictReader((run / "metrics.csv").read_text().splitlines())] for run in (two, one))
    for row, wanted in zip(measured, expected, strict=True):
        for name in wanted.keys() - {"train/images_per_second"}:
            assert float(row[name] or 0) == pytest.approx(float(wanted[name] or 0), rel=1e-5), name
    tables = [(run / "report" / "predictions.csv").read_text().splitlines() for run in (two, one)]
    assert len(tables[0]) == 18
    for line, wanted_line in zip(*(csv.reader(table) for table in tables), strict=True):
        assert line[:4] == wanted_line[:4]  # row, split, label, prediction
    assert [float(p) for line in tables[0][1:] for p in line.split(",")[4:]] == pytest.approx(
        [float(p) for line in tables[1][1:] for p in line.split(",")[4:]], abs=2e-6
    )
    of_metrics = [json.loads((run / "report" / "metrics.json").read_text()) for run in (two, one)]
    assert sum(map(sum, of_metrics[0]["confusion"])) == 17
    for name in ("confusion", "test/accuracy", "test/accuracy_flip", "test/f1", "test/top2_accuracy"):
        assert of_metrics[0][name] == of_metrics[1][name], name


def test_two_processes_are_calibrated_on_each_face_of_val_once(
    of_two: tuple[Path, subprocess.CompletedProcess[str]], uneven_faces: Path
) -> None:
    (run,) = of_two[0].glob("outputs/train/*")
    data, model = FERDataModule(uneven_faces), load_model(run)
    data.setup()
    assert data.faces is not None
    rows = data.rows["val"]
    with torch.inference_mode():
        logits = model(model.preprocessing.normalized(data.faces.images[rows] / 255))
    expected = fitted_calibration(ValLogits(logits, data.faces.labels[rows]))
    assert model.calibration.temperature == pytest.approx(expected.temperature, rel=1e-4)
    saved = torch.load(run / "checkpoints/best.ckpt", weights_only=True)["calibration"]
    assert saved["temperature"] == model.calibration.temperature != 1
    of_run = json.loads((run / "report" / "metrics.json").read_text())["calibration"]
    assert of_run["val"]["faces"] == len(rows) == 17
    assert of_run["temperature"] == model.calibration.temperature
    assert of_two[1].stdout.count("calibrated on 17 faces of val") == 1


def measured_by(rank: int, folder: Path) -> None:
    torch.distributed.init_process_group("gloo", f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    epoch = EpochLoss()
    epoch.update(torch.tensor([6.0, 1.0][rank]), torch.tensor([2.0, 5.0][rank]))
    (folder / str(rank)).write_text(str(float(epoch.compute())))


def test_two_processes_have_one_loss_of_an_epoch(tmp_path: Path) -> None:
    processes = [SERVER.Process(target=measured_by, args=(rank, tmp_path)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [(tmp_path / str(rank)).read_text() for rank in (0, 1)] == ["1.0", "1.0"]  # (6 + 1) / (2 + 5)


def computes(process: int) -> bool:
    """Whether it has not ended within ten seconds; one that nobody has waited for (Z) has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except FileNotFoundError:
            return False
        time.sleep(0.1)
    return True


def steps_of(run: Path) -> int:
    """How many steps of a training have been logged."""
    with (run / "metrics.csv").open(newline="") as file:
        return max((int(row["step"]) for row in csv.DictReader(file) if (row.get("step") or "").isdigit()), default=0)


@pytest.mark.nightly
@pytest.mark.parametrize("whom", ["the first", "the other"])
def test_two_processes_of_which_one_is_stopped_go_on(
    whom: str, few_faces: Path, run_in: Command, tmp_path: Path
) -> None:
    options: tuple[str, ...] = (*SHORT, f"data.path={few_faces}", "trainer.max_epochs=4", "data.batch_size=2")
    options = (*options, "logger=csv", "+logger.csv.flush_logs_every_n_steps=1")  # so that its steps can be followed
    ddp = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "callbacks.pictures=null")
    whole = run_in(tmp_path, "train.py", *options, *ddp, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, str(REPOSITORY / "train.py"), *options, *ddp, "hydra.run.dir=run"]
    last = tmp_path / "run/checkpoints/last.ckpt"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        assert first.stdout is not None
        printed = ""
        for line in first.stdout:
            printed += line
            if line.startswith("epoch   2/4"):
                other = int(Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()[0])
                while steps_of(tmp_path / "run") < 2 * 48 + 2:  # the third one has begun
                    time.sleep(0.01)
                os.kill(first.pid if whom == "the first" else other, signal.SIGTERM)
    assert first.returncode == 143, printed
    assert printed.count("stopped by SIGTERM. To go on: python train.py resume=run") == 1
    assert "Traceback" not in printed
    assert not computes(other)
    assert torch.load(last, weights_only=True)["global_step"] % 48 > 0
    resumed = run_in(tmp_path, "train.py", "resume=run")
    assert resumed.returncode == 0, resumed.stderr
    assert_same(left_behind(tmp_path / "run"), left_behind(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("environment", "rank", "started"),
    [
        ({}, 0, 1),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0", "WORLD_SIZE": "2"}, 1, 2),  # one that the first has started
        ({"RANK": "4", "LOCAL_RANK": "0", "WORLD_SIZE": "8"}, 4, 8),  # torchrun
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "3", "SLURM_LOCALID": "3"}, 3, 8),  # srun
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 0, 1),  # sbatch, without srun
    ],
)
def test_a_process_knows_which_of_how_many_it_is(
    environment: dict[str, str], rank: int, started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (process_rank(), processes_started()) == (rank, started)


def test_a_mistake_of_a_later_process_is_reported_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "GRACE", 0.0)
    with pytest.raises(SystemExit, match=r"^error in process 1 of 2: data\.path is not there$"):
        end_with("data.path is not there")


def test_processes_without_a_device_each_are_refused(
    composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"^2 processes were started, but trainer\.devices × .* is 1 × 1: give trai"):
        build(composed(f"data.path={few_faces}", "trainer.accelerator=cpu"))


def test_a_sweep_is_refused_on_several_devices(composed: Compose, few_faces: Path) -> None:
    cfg = composed(f"data.path={few_faces}", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    hydra: Any = HydraConfig.get()  # declared as what it has the fields of
    with read_write(hydra):
        hydra.mode = "MULTIRUN"
    with pytest.raises(ConfigError, match=r"is 2 × 1: a sweep's jobs train on one device each"):
        build(cfg)
