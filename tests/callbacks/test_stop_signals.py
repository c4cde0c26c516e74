"""What a training does when it is asked to stop, and when its surroundings fail it."""

import errno
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import OmegaConf

from fer_lightning.callbacks.finite_loss import NonFiniteLossError
from fer_lightning.callbacks.stop_signals import Stopped, StopSignals, log_why_stopped
from fer_lightning.commands.failures import in_one_message
from fer_lightning.commands.train import train
from fer_lightning.config.build import build
from fer_lightning.config.logging_setup import quieten
from fer_lightning.data.batches import FacesDataset, ResumableShuffleSampler
from fer_lightning.training.losses import CrossEntropy
from tests.conftest import Compose
from tests.stopped_runs import BASE, Killed, KilledAt, fitted, run_folder


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_too_little_memory_names_the_batch_size_to_try(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    cfg = OmegaConf.create({"data": {"batch_size": 512}, "trainer": {"accumulate_grad_batches": 1}})
    OmegaConf.save(cfg, tmp_path / ".hydra" / "config.yaml")
    with pytest.raises(RuntimeError) as told:
        torch.empty(2**60, dtype=torch.uint8)
    message = in_one_message(told.value, tmp_path)
    assert str(message) == (
        "not enough memory for batches of 512. Start again with data.batch_size=256 "
        "trainer.accumulate_grad_batches=2, which learns much the same"
    )


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (errno.ENOSPC, None, "cannot go on writing to {run}: No space left on device"),
        (errno.EDQUOT, "{run}/train.log", "cannot go on writing to {run}: Disk quota exceeded ({run}/train.log)"),
        (errno.EROFS, "{run}/checkpoints/.a.tmp", "cannot go on writing to {run}: Read-only file system ({run}/checkp"),
        (errno.EACCES, "{run}/tensorboard", "cannot go on writing to {run}: Permission denied ({run}/tensorboard)"),
        (errno.EACCES, "/data/fer2013.csv", "/data/fer2013.csv: Permission denied"),
        (errno.ENOSPC, "/tmp/cache", "/tmp/cache: No space left on device"),
        (errno.ENOENT, "/data/fer2013.csv", "/data/fer2013.csv: No such file or directory"),
        (errno.ENOENT, "{run}/checkpoints/best.ckpt", "{run}/checkpoints/best.ckpt: No such file or directory"),
        (errno.ECONNREFUSED, None, "no connection: [Errno 111] Connection refused"),
        (errno.ENOMEM, None, "not enough memory: start again with a smaller data.batch_size"),
        (errno.EBADF, None, None),
        (errno.EINVAL, "{run}/train.log", None),
        (errno.EACCES, None, None),
    ],
)
def test_an_error_of_the_system_is_reported_as_what_it_is(
    number: int, file: str | None, said: str | None, tmp_path: Path
) -> None:
    named = (file.format(run=tmp_path),) if file else ()
    message = in_one_message(OSError(number, os.strerror(number), *named), tmp_path)
    if said is None:
        assert message is None  # a fault of the program, which wants its traceback
    else:
        assert str(message).startswith(said.format(run=tmp_path))
        assert "resume" not in str(message)  # there is no checkpoint


@pytest.mark.parametrize(("options", "said"), [(("+trainer.max_time=00:00:00:00",), 1), ((), 0)])
def test_a_training_that_ends_by_its_time_says_so(
    options: tuple[str, ...],
    said: int,
    composed: Compose,
    tmp_path: Path,
    few_faces: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = (*BASE, *options, f"data.path={few_faces}", "trainer.max_epochs=1")
    experiment = build(run_folder(composed, tmp_path, "run", *options))
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    with caplog.at_level("INFO"):
        log_why_stopped(experiment.trainer)
    assert caplog.text.count("stopped by trainer.max_time, after 0.0 minutes, at step 0") == said


class SignalAt(Callback):
    """Sends this process a signal while it trains, at the n-th step."""

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def on_train_batch_end(self, trainer: L.Trainer, *arguments: Any) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_signal_ends_the_step_and_leaves_its_checkpoint(
    number: signal.Signals, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        fitted(cfg, also=SignalAt(number, step=8))
    assert stopped.value.number == number
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 8
    assert signal.getsignal(number) == before


def test_signal_in_the_last_step_stops_before_the_test_too(composed: Compose, tmp_path: Path, few_faces: Path) -> None:
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    with pytest.raises(Stopped):
        fitted(cfg, also=SignalAt(signal.SIGTERM, step=18))
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["epoch"] == 3


@pytest.mark.parametrize(("minutes", "step"), [(10, 6), (1e-6, 8)])
def test_checkpoint_is_written_by_minutes_within_an_epoch(
    minutes: float, step: int, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    options = (f"data.path={few_faces}", f"callbacks.last_checkpoint.minutes={minutes}")
    with pytest.raises(Killed):
        fitted(run_folder(composed, tmp_path, "run", *BASE, *options), also=KilledAt("on_train_batch_end", 9))
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == step


def test_run_folder_that_vanishes_is_not_made_again(composed: Compose, tmp_path: Path, few_faces: Path) -> None:
    class Removal(Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *arguments: Any) -> None:
            if trainer.global_step == 8:
                shutil.rmtree(tmp_path / "run")

    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    with pytest.raises(OSError, match="No such file or directory") as told:
        fitted(cfg, also=Removal())
    assert str(in_one_message(told.value, tmp_path / "run")).startswith(f"cannot go on writing to {tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_full_disk_that_tensorboard_meets_is_reported_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def logged() -> None:
        for step in range(100):
            board.experiment.add_scalar("loss", 1.0, step)
            board.experiment.flush()

    monkeypatch.setattr("threading.excepthook", threading.__excepthook__)  # pytest has one of its own
    quieten()
    board = TensorBoardLogger(tmp_path)
    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
    with pytest.raises(OSError, match="No space left") as told:
        logged()
    for thread in threading.enumerate():
        if type(thread).__name__ == "_AsyncWriterThread":
            thread.join(10)
    assert str(in_one_message(told.value, tmp_path)).startswith(f"cannot go on writing to {tmp_path}: No space left")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_training_that_a_signal_stops_exits_with_its_status(
    number: signal.Signals, status: int, composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed(*BASE, f"data.path={few_faces}")
    monkeypatch.setattr(L.Trainer, "fit", lambda *given, **named: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as stopped:
        train(cfg)
    assert stopped.value.code == status


def test_second_signal_stops_at_once() -> None:
    signals = StopSignals()
    signals.listen()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signals.leave()


@pytest.mark.parametrize(("value", "accumulated", "step"), [(float("nan"), 1, 8), (float("inf"), 2, 4)])
def test_loss_that_is_not_finite_ends_before_the_step(
    value: float,
    accumulated: int,
    step: int,
    composed: Compose,
    tmp_path: Path,
    few_faces: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Poison(Callback):
        def on_train_batch_start(self, trainer: L.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == step and not kept:
                kept.update({name: value.clone() for name, value in module.net.named_parameters()})
                monkeypatch.setattr(CrossEntropy, "__call__", lambda *given: loss(*given) * value)
            else:
                monkeypatch.setattr(CrossEntropy, "__call__", loss)

    kept: dict[str, torch.Tensor] = {}
    loss = CrossEntropy.__call__
    options = (f"data.path={few_faces}", f"trainer.accumulate_grad_batches={accumulated}")
    cfg = run_folder(composed, tmp_path, "run", *BASE, *options)
    experiment = build(cfg)
    experiment.trainer.callbacks.append(Poison())  # type: ignore[attr-defined]
    with pytest.raises(
        NonFiniteLossError, match=f"the loss is {value} at step {step}, batch 2 of epoch 1: the step was not taken"
    ) as told:
        experiment.trainer.fit(experiment.model, experiment.datamodule)
    rows = [int(row) for row in str(told.value).partition("the rows ")[2].partition(" of ")[0].split(", ")]
    data = experiment.datamodule
    order = ResumableShuffleSampler(FacesDataset(*[torch.empty(192)] * 3), 1, 0, cfg.seed, 0)
    order.set_epoch(1)
    assert rows == data.faces.numbers[data.rows["train"][order.order()[64:96]]].tolist()  # type: ignore[union-attr]
    for name, parameter in experiment.model.net.named_parameters():
        assert torch.equal(parameter, kept[name]), name
    before = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert all(value.isfinite().all() for value in before["state_dict"].values())
