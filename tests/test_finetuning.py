"""Frozen layers stay exactly as they were, and learn from the epoch that they are told."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from fer_lightning.data import FERDataModule
from fer_lightning.finetuning import Finetuning
from fer_lightning.models import ResNet18Classifier


class States(L.Callback):
    """The network's state after each epoch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Tensor]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, model: L.LightningModule) -> None:
        assert isinstance(model, ResNet18Classifier)
        self.seen.append({name: value.clone() for name, value in model.net.state_dict().items()})


def states(unfreeze_at_epoch: int | None, few_faces: Path, folder: Path) -> list[dict[str, Tensor]]:
    model = ResNet18Classifier(width=8, dropout=0.2, optimizer=partial(torch.optim.SGD, lr=0.05, weight_decay=0.01))
    first = {name: value.clone() for name, value in model.net.state_dict().items()}
    witness = States()
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    callbacks = [Finetuning(unfreeze_at_epoch), witness]
    fitting = L.Trainer(max_epochs=3, accelerator="cpu", default_root_dir=folder, callbacks=callbacks, **options)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    return [first, *witness.seen]


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


EVERYTHING = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}


def test_a_feature_extractor_learns_its_head_alone_and_keeps_the_statistics_of_its_norms(
    few_faces: Path, tmp_path: Path
) -> None:
    seen = states(None, few_faces, tmp_path)
    assert changed(seen[0], seen[-1]) == {"fc"}


def test_the_body_learns_from_the_epoch_that_it_is_told(few_faces: Path, tmp_path: Path) -> None:
    seen = states(2, few_faces, tmp_path)
    assert changed(seen[0], seen[2]) == {"fc"}
    assert changed(seen[2], seen[3]) == EVERYTHING


def test_from_epoch_0_on_everything_learns(few_faces: Path, tmp_path: Path) -> None:
    seen = states(0, few_faces, tmp_path)
    assert changed(seen[0], seen[1]) == EVERYTHING


def test_a_negative_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="unfreeze_at_epoch is -1"):
        Finetuning(-1)
