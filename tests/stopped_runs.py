"""What tests of stopping and resuming share: short trainings in this process, ways to end them, what they leave."""

import csv
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf

from fer_lightning.commands.resume import StoppedRun
from fer_lightning.config.build import build
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
        experiment.model, experiment.datamodule, ckpt_path=stopped.checkpoint if stopped else None, weights_only=True
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
