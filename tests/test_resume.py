"""A run that is stopped, anywhere and by anything, ends as one that was never stopped."""

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.build import build
from fer_lightning.checkpoints import newest_whole
from fer_lightning.command_line import ConfigError
from fer_lightning.data.batches import Batches, EpochOrder
from fer_lightning.failures import in_one_message
from fer_lightning.finite import NonFiniteLossError
from fer_lightning.resume import StoppedRun
from fer_lightning.stopping import Stopped, StopSignals
from tests.conftest import Compose

BASE = (
    "model=deep_emotion",
    "model.channels_last=false",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=3",
    "trainer.log_every_n_steps=1",
    "data=fer2013",
    "data.batch_size=32",
    "callbacks.pictures=null",
    "+trainer.enable_progress_bar=false",
    "callbacks.progress_bar=null",
    "callbacks.network_summary=null",
)

EVERYTHING = (
    "model.dropout=0.5",
    "augmentation=strong",
    "augmentation.mixup=0.4",
    "scheduler=onecycle",
    "callbacks=[default,averaged_weights,early_stopping]",
)

BY_EPOCH = ("scheduler=plateau", "scheduler.patience=0", "trainer.accumulate_grad_batches=2")


class Killed(BaseException):
    """Stands for the end of the process: what is on the disk by then is all that is left."""


class KilledAt(Callback):
    """Ends a training in a hook, at its n-th call."""

    def __init__(self, hook: str, call: int) -> None:
        self._calls_left = call
        setattr(self, hook, self._count)

    def _count(self, *arguments: Any, **named: Any) -> None:
        self._calls_left -= 1
        if self._calls_left == 0:
            raise Killed


def fitted(cfg: DictConfig, also: Callback | None = None) -> None:
    """Trains as train.py does, from the beginning or, with cfg.resume, from where the run was stopped."""
    stopped = StoppedRun.of(cfg, [f"resume={cfg.resume}"]) if cfg.resume else None
    experiment = build(stopped.config if stopped else cfg)
    if stopped:
        stopped.take_up(experiment)
    if also:
        experiment.trainer.callbacks.append(also)  # type: ignore[attr-defined]
    experiment.trainer.fit(
        experiment.model, experiment.datamodule, ckpt_path=stopped and stopped.checkpoint, weights_only=True
    )


def run_folder(composed: Compose, tmp_path: Path, name: str, *overrides: str) -> DictConfig:
    """The config of a run in tmp_path/name, whose .hydra is there."""
    cfg = composed(*overrides)
    folder = tmp_path / name
    plain = OmegaConf.create(OmegaConf.to_yaml(cfg, resolve=True).replace(str(tmp_path / "run"), str(folder)))
    assert isinstance(plain, DictConfig)
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(plain, folder / ".hydra" / "config.yaml")
    return plain


def resuming(cfg: DictConfig, folder: Path) -> DictConfig:
    changed = cfg.copy()
    changed.resume = str(folder)
    return changed


def left_behind(folder: Path) -> dict[str, Any]:
    """All of a run that must not depend on whether it was stopped."""
    last, best = (torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("last", "best"))
    return {
        "weights": last["state_dict"],
        "optimizer": last["optimizer_states"][0]["state"],
        "schedule": last["lr_schedulers"],
        "progress": (last["epoch"], last["global_step"]),
        "best weights": best["state_dict"],
        "best epoch": best["epoch"],
        "curves": curves(folder),
    }


def curves(folder: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv without what depends on the clock, and without the rows that had nothing else."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [
            {key: value for key, value in row.items() if value and key != "train/images_per_second"}
            for row in csv.DictReader(file)
        ]
    return [row for row in rows if set(row) - {"step", "epoch"}]


@pytest.fixture
def finished(composed: Compose, tmp_path: Path, few_faces: Path) -> Path:
    """The folder of a run of one epoch."""
    fitted(run_folder(composed, tmp_path, "finished", *BASE, f"data.path={few_faces}", "trainer.max_epochs=1"))
    return tmp_path / "finished"


def assert_same(one: Any, other: Any, where: str = "") -> None:
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), f"{where}: {one} {other}"
        for place, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{place}")
    else:
        assert one == other, where


STOPS = {
    "before the first step": ("on_train_batch_start", 1),
    "in the middle of an epoch": ("on_train_batch_end", 11),
    "in validation": ("on_validation_batch_end", 2),
    "between validation and the end of its epoch": ("on_validation_end", 2),
    "at the end of an epoch": ("on_train_epoch_end", 2),
    "after the last epoch": ("on_train_end", 1),
}


@pytest.mark.parametrize(
    ("options", "stops"),
    [(EVERYTHING, list(STOPS)), (BY_EPOCH, list(STOPS)[1:4])],
    ids=["everything", "by epoch"],
)
def test_resumed_run_ends_with_the_weights_curves_and_best_checkpoint_of_an_uninterrupted_one(
    options: tuple[str, ...], stops: list[str], composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    options = (*BASE, *options, f"data.path={few_faces}", "callbacks.last_checkpoint.minutes=0.0001")
    fitted(run_folder(composed, tmp_path, "whole", *options))
    expected = left_behind(tmp_path / "whole")
    for name in stops:
        cfg = run_folder(composed, tmp_path, name, *options)
        with pytest.raises(Killed):
            fitted(cfg, KilledAt(*STOPS[name]))
        fitted(resuming(cfg, tmp_path / name))
        assert_same(left_behind(tmp_path / name), expected, name)


def test_raised_max_epochs_go_on_along_the_schedule_of_the_longer_run(
    composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    options = (*BASE, f"data.path={few_faces}", "scheduler=cosine", "trainer.max_epochs=1")
    fitted(run_folder(composed, tmp_path, "run", *options))
    cfg = composed(*options, f"resume={tmp_path / 'run'}", "trainer.max_epochs=3")
    stopped = StoppedRun.of(cfg, ["resume=x", "trainer.max_epochs=3"])
    experiment = build(stopped.config)
    stopped.take_up(experiment)
    experiment.trainer.fit(experiment.model, experiment.datamodule, ckpt_path=stopped.checkpoint, weights_only=True)
    rates = {int(row["step"]): float(row["lr-SGD/pg1"]) for row in curves(tmp_path / "run") if row.get("lr-SGD/pg1")}
    fitted(run_folder(composed, tmp_path, "long", *options, "trainer.max_epochs=3"))
    long = {int(row["step"]): float(row["lr-SGD/pg1"]) for row in curves(tmp_path / "long") if row.get("lr-SGD/pg1")}
    assert sorted(rates) == sorted(long)
    steps = [step for step in long if step >= 6]
    assert [rates[step] for step in steps] == pytest.approx([long[step] for step in steps])
    # Raised once, it stays so, whatever .hydra says.
    assert StoppedRun.of(resuming(cfg, tmp_path / "run"), ["resume=x"]).config.trainer.max_epochs == 3


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["resume=x", "optimizer.lr=1"], "optimizer.lr is given with resume"),
        (["resume=x", "trainer.max_epochs=0"], "trainer.max_epochs is 0, but the run has trained for 1 already"),
    ],
)
def test_what_a_resumed_run_cannot_change_is_refused(
    overrides: list[str], said: str, composed: Compose, finished: Path
) -> None:
    cfg = composed(*BASE, f"resume={finished}", *overrides[1:])
    with pytest.raises(ConfigError, match=said):
        StoppedRun.of(cfg, overrides)


def test_damaged_last_checkpoint_is_recognised_and_the_one_before_it_taken(
    finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = finished / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:5000] + b"oops" + whole[5004:], b""):
        last.write_bytes(damaged)
        assert newest_whole(last.parent) == last.parent / "one_before_last.ckpt"
        assert f"{last} is damaged" in caplog.text
        caplog.clear()
    last.write_bytes(whole)
    assert newest_whole(last.parent) == last


def test_other_faces_than_those_of_the_run_are_refused(
    finished: Path, composed: Compose, few_faces: Path, tmp_path: Path
) -> None:
    lines = few_faces.read_text().splitlines()
    (tmp_path / "other.csv").write_text("\n".join([lines[0], *lines[2:]]))
    cfg = composed(*BASE, f"resume={finished}", f"data.path={tmp_path / 'other.csv'}")
    stopped = StoppedRun.of(cfg, ["resume=x", "data.path=y"])
    with pytest.raises(ConfigError, match="not what this run was trained on: of its 192 training faces 19"):
        stopped.take_up(build(stopped.config))


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_too_little_memory_is_answered_with_the_batch_size_to_try(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    cfg = OmegaConf.create({"data": {"batch_size": 512}, "trainer": {"accumulate_grad_batches": 1}})
    OmegaConf.save(cfg, tmp_path / ".hydra" / "config.yaml")
    with pytest.raises(RuntimeError) as told:
        torch.empty(2**60, dtype=torch.uint8)
    message = in_one_message(told.value, tmp_path)
    assert str(message) == (
        "not enough memory for batches of 512. Try data.batch_size=256 trainer.accumulate_grad_batches=2, "
        "which learns much the same."
    )


class SignalAt(Callback):
    """Sends this process a signal while it trains, at the n-th step."""

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def on_train_batch_end(self, trainer: L.Trainer, *arguments: Any) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_signal_ends_the_step_and_leaves_a_checkpoint_of_just_that_step(
    number: signal.Signals, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        fitted(cfg, also=SignalAt(number, step=8))
    assert stopped.value.number == number
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 8
    assert signal.getsignal(number) == before


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


def test_loss_that_is_not_finite_ends_the_training_before_the_step_and_names_the_rows(
    composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    class Poison(Callback):
        def on_train_batch_start(self, trainer: L.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == 8:
                batch[0][3].fill_(float("nan"))
                kept.update({name: value.clone() for name, value in module.net.named_parameters()})

    kept: dict[str, torch.Tensor] = {}
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    experiment = build(cfg)
    experiment.trainer.callbacks.append(Poison())  # type: ignore[attr-defined]
    with pytest.raises(NonFiniteLossError, match="the loss is nan at step 8, batch 2 of epoch 1") as told:
        experiment.trainer.fit(experiment.model, experiment.datamodule)
    rows = [int(row) for row in str(told.value).partition("the rows ")[2].partition(" of ")[0].split(", ")]
    data = experiment.datamodule
    order = EpochOrder(Batches(*[torch.empty(192)] * 3), 1, 0, cfg.seed, 0)
    order.set_epoch(1)
    assert rows == data.faces.numbers[data.rows["train"][order.order()[64:96]]].tolist()  # type: ignore[union-attr]
    for name, value in experiment.model.net.named_parameters():
        assert torch.equal(value, kept[name]), name
    before = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert all(value.isfinite().all() for value in before["state_dict"].values())
