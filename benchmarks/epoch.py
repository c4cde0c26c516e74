"""3. A training epoch of train.py, against its own floor and against the pipelines that people use."""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import nn

from benchmarks import ours, people
from benchmarks.side_by_side import markdown, medians
from fer_lightning.build import Experiment
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18

STEPS = {"resnet18": 30, "deep_emotion": 150}
"""Steps of an epoch here; ratios are per step."""


class EpochSeconds(Callback):
    """How long the training part of the last epoch took, from its first hook to its last."""

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        _wait(pl_module.device)
        self.seconds = time.perf_counter() - self._started


def table(csv: Path, repeats: int = 3) -> str:
    faces, rows = people.DataFrameFaces(csv), []
    for model, steps in STEPS.items():
        with TemporaryDirectory() as name:
            run = partial(experiment, Path(name), csv, model, steps)
            ways = {
                "ours": lambda run=run: fitted(run()),
                "floor": partial(bare_loop, run(), steps),
                "people": partial(peoples_loop, faces, model, steps),
            }
            seconds = medians(ways, repeats)
        rows.append(
            {
                "network": model,
                "train.py, ms a step": f"{seconds['ours'] / steps * 1e3:.0f}",
                "forward, backward and step alone": f"{seconds['floor'] / steps * 1e3:.0f}",
                "train.py / floor": f"{seconds['ours'] / seconds['floor']:.2f}",
                "data frame, PIL, float32, contiguous": f"{seconds['people'] / steps * 1e3:.0f}",
                "times faster": f"{seconds['people'] / seconds['ours']:.1f}",
            }
        )
    return markdown("An epoch of training, batches of 128", rows)


def experiment(folder: Path, csv: Path, model: str, steps: int, *more: str) -> Experiment:
    """One epoch of so many steps by train.py's defaults, but for the augmentation, which is what people do."""
    short = (f"trainer.limit_train_batches={steps}", "trainer.max_epochs=1", "trainer.limit_val_batches=1")
    what = (f"data.path={csv}", f"model={model}", "augmentation=standard", "data.normalize=fixed")
    return ours.experiment(folder, *what, *short, *more)


def fitted(run: Experiment) -> float:
    """Seconds of train.py's own epoch, with logging, metrics and progress bar."""
    watch = EpochSeconds()
    run.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    run.trainer.fit(run.model, run.datamodule)
    return watch.seconds


def bare_loop(run: Experiment, steps: int) -> float:
    """Seconds of forward, backward and step on a batch that is already there, in the run's precision and layout."""
    device = run.trainer.strategy.root_device
    data, model = run.datamodule, run.model.to(device).train()
    pixels, labels = next(iter(data.train_dataloader()))
    images = ((pixels.unsqueeze(1).float() / 255 - data.mean) / data.std).to(device)
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
    return time.perf_counter() - started


def peoples_loop(faces: people.DataFrameFaces, model: str, steps: int) -> float:
    """Seconds of the usual loop: float32, contiguous, a picture at a time, the loss read at every step."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net: nn.Module = (ResNet18() if model == "resnet18" else DeepEmotion()).to(device)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9)
    total, started = 0.0, time.perf_counter()
    for number, (images, labels) in enumerate(people.loader(faces, workers=2), start=1):
        loss = F.cross_entropy(net(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if number == steps:
            break
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    """Until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()
