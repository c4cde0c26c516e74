"""The speed that is logged is that of training, to the digit; the bar shows where training is."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch

from fer_lightning.callbacks import progress
from fer_lightning.callbacks.progress import ProgressBar, Throughput
from fer_lightning.data import FERDataModule
from fer_lightning.training.classifier import EmotionClassifier
from tests.conftest import trainer


class Clock(L.Callback):
    """Shows seconds: each batch of training takes 2, each of val 100."""

    now = 0.0
    step = 2.0

    def perf_counter(self) -> float:
        return self.now

    def on_train_batch_start(self, *arguments: Any) -> None:
        self.now += self.step

    def on_validation_batch_start(self, *arguments: Any) -> None:
        self.now += 100


@pytest.mark.parametrize(
    "options", [{}, {"val_check_interval": 1}, {"val_check_interval": 2}, {"limit_val_batches": 0}]
)
def test_images_per_second_are_of_training_alone(
    options: dict[str, Any], few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.0))
    fitting = trainer(tmp_path, max_epochs=2, callbacks=[clock, Throughput()], **options)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    assert float(fitting.callback_metrics["train/images_per_second"]) == 192 / (3 * 2)


@pytest.mark.parametrize(("seconds", "expected"), [(2, [1, 2, 3]), (0.1, [0, 0, 3])])
def test_the_bar_moves_on_where_steps_are_slow(
    seconds: float, expected: list[int], few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.step = seconds
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: True, write=len, flush=lambda: None))
    bar, shown = ProgressBar(refresh_rate=20), []

    class Watch(L.Callback):
        def on_train_batch_end(self, *arguments: Any) -> None:
            shown.append(bar.train_progress_bar.n)

    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.0))
    options: dict[str, Any] = {"max_epochs": 1, "limit_val_batches": 0, "enable_progress_bar": True}
    fitting = trainer(tmp_path, callbacks=[clock, bar, Watch()], **options)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    assert shown == expected
