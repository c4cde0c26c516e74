"""3. A training epoch of train.py, against its own floor and against the pipelines that people use."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import nn

from benchmarks import ours, people
from benchmarks.side_by_side import markdown, medians
from fer_lightning.config.build import Experiment
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18

STEPS = {"resnet18": 15, "deep_emotion": 40}
"""Steps of an epoch here; all figures are per step."""


class StepSeconds(Callback):
    """Seconds a step in the last epoch, from the end of its first step to the end of its last.

    So with all that a step brings along (its batch, metrics, progress bar), and without what comes once an epoch.
    """

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 0 or trainer.is_last_batch:
            _wait(pl_module.device)
        if batch_idx == 0:
            self._started = time.perf_counter()
        self.seconds = (time.perf_counter() - self._started) / max(1, batch_idx)


def table(csv: Path, repeats: int = 3) -> str:
    faces, rows = people.DataFrameFaces(csv), []
    for model, steps in STEPS.items():
        with TemporaryDirectory() as folder:
            seconds = medians(
                {
                    **ours_and_floor(Path(folder), csv, model, steps),
                    "people": partial(peoples_loop, faces, model, steps),
                },
                repeats,
            )
        rows.append(
            {
                **row(model, seconds),
                "data frame, PIL, float32, contiguous": f"{seconds['people'] * 1e3:.0f}",
                "times faster": f"{seconds['people'] / seconds['ours']:.1f}",
            }
        )
    return markdown("A step of train.py's epoch, in milliseconds, batches of 128", rows)


class EpochSeconds(Callback):
    """Seconds from the start of the last epoch to the end of training: all that an epoch is, val and checkpoint too."""

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        _wait(pl_module.device)
        self._started = time.perf_counter()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        _wait(pl_module.device)
        self.seconds = time.perf_counter() - self._started


def whole_table(csv: Path, *overrides: str) -> str:
    """The second epoch of `python train.py`, as it is, against the floor of its steps: one measurement each."""
    rows = []
    for model in STEPS:
        with TemporaryDirectory() as folder:
            what = (f"data.path={csv}", f"model={model}", "trainer.max_epochs=2", *overrides)
            run = ours.experiment(Path(folder), *what)
            watch = EpochSeconds()
            run.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
            run.trainer.fit(run.model, run.datamodule)
            steps = len(run.datamodule.train_dataloader())
            floor = bare_loop(ours.experiment(Path(folder), *what), steps) * steps
        rows.append(
            {
                "network": model,
                "steps": str(steps),
                "train.py": f"{watch.seconds:.1f}",
                "forward, backward and step alone": f"{floor:.1f}",
                "train.py / floor": f"{watch.seconds / floor:.2f}",
            }
        )
    return markdown("A whole epoch of train.py, with val, checkpoint and clipped gradients, in seconds", rows)


def ours_and_floor(folder: Path, data: Path, model: str, steps: int, *overrides: str) -> dict[str, Callable[[], float]]:
    """What measures seconds a step of train.py's second epoch (in the first, things are compiled), and of its floor."""
    run = partial(short, folder, data, model, steps, *overrides)
    return {"ours": lambda: seconds_a_step(run()), "floor": partial(bare_loop, run(), steps)}


def short(folder: Path, data: Path, model: str, steps: int, *overrides: str) -> Experiment:
    """Two epochs of so many steps by train.py.

    With its defaults but for the augmentation, which is what people do, and the clipping of gradients; see
    `whole_table` for all that an epoch is.
    """
    what = (f"data.path={data}", f"model={model}", "augmentation=standard", "trainer.gradient_clip_val=null")
    length = (f"trainer.limit_train_batches={steps}", "trainer.max_epochs=2", "trainer.limit_val_batches=1")
    return ours.experiment(folder, *what, *overrides, *length)


def row(model: str, seconds: dict[str, float]) -> dict[str, str]:
    return {
        "network": model,
        "train.py": f"{seconds['ours'] * 1e3:.1f}",
        "forward, backward and step alone": f"{seconds['floor'] * 1e3:.1f}",
        "train.py / floor": f"{seconds['ours'] / seconds['floor']:.2f}",
    }


def seconds_a_step(run: Experiment) -> float:
    """Of train.py's own epoch, with logging, metrics and progress bar."""
    watch = StepSeconds()
    run.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    run.trainer.fit(run.model, run.datamodule)
    return watch.seconds


def bare_loop(run: Experiment, steps: int) -> float:
    """Seconds of forward, backward and step on a batch that is already there, in the run's precision and layout."""
    device = run.trainer.strategy.root_device
    data, model = run.datamodule, run.model.to(device).train()
    pixels, labels = next(iter(data.train_dataloader()))
    images = ((pixels.float() / 255 - data.mean[0]) / data.std[0]).to(device)
    labels = labels.to(device)
    assert model.optimizer is not None
    optimizer = model.optimizer(model.net.parameters())
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=run.trainer.precision == "bf16-mixed")
    _wait(device)
    started = time.perf_counter()
    for _ in range(steps):
        with autocast:
            loss = model.loss(model(images), labels, model.class_weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _wait(device)
    return (time.perf_counter() - started) / steps


def peoples_loop(faces: people.DataFrameFaces, model: str, steps: int) -> float:
    """Seconds a step of the usual loop: float32, contiguous, a picture at a time, the loss read at every step."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net: nn.Module = (ResNet18() if model == "resnet18" else DeepEmotion()).to(device)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9)
    total, started = 0.0, time.perf_counter()
    batches = iter(people.loader(faces, workers=2))
    for number in range(steps + 1):
        images, labels = next(batches)
        loss = F.cross_entropy(net(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if number == 0:  # the workers have started
            started = time.perf_counter()
    return (time.perf_counter() - started) / steps  # and end only now


def _wait(device: torch.device) -> None:
    """Until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()
