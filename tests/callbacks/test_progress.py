"""The speed that is logged is that of training, to the digit."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch

from fer_lightning.callbacks import progress
from fer_lightning.callbacks.progress import Throughput
from fer_lightning.data import FERDataModule
from fer_lightning.training.classifier import EmotionClassifier
from tests.conftest import trainer


class Clock(L.Callback):
    """Shows seconds: each batch of training takes 2, each of val 100."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def on_train_batch_start(self, *arguments: Any) -> None:
        self.now += 2

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
