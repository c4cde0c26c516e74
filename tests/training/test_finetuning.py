"""Frozen layers stay exactly as they were, and learn from the epoch that they are told."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from fer_lightning.callbacks.progress import NetworkSummary
from fer_lightning.config.build import build
from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.finetuning import Finetuning
from tests.conftest import Compose


class States(L.Callback):
    """The network's state after each epoch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Tensor]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, model: L.LightningModule) -> None:
        assert isinstance(model, EmotionClassifier)
        self.seen.append({name: value.clone() for name, value in model.net.state_dict().items()})


def states(unfreeze_at_epoch: int | None, few_faces: Path, folder: Path) -> list[dict[str, Tensor]]:
    model = EmotionClassifier(
        "resnet18",
        arguments={"width": 8, "dropout": 0.2},
        optimizer=partial(torch.optim.SGD, lr=0.05, weight_decay=0.01),
    )
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


def test_a_feature_extractor_learns_its_head_and_keeps_its_norms(few_faces: Path, tmp_path: Path) -> None:
    seen = states(None, few_faces, tmp_path)
    assert changed(seen[0], seen[-1]) == {"fc"}


def test_the_body_learns_from_the_epoch_that_is_given(few_faces: Path, tmp_path: Path) -> None:
    seen = states(2, few_faces, tmp_path)
    assert changed(seen[0], seen[2]) == {"fc"}
    assert changed(seen[2], seen[3]) == EVERYTHING


def test_from_epoch_0_on_everything_learns(few_faces: Path, tmp_path: Path) -> None:
    seen = states(0, few_faces, tmp_path)
    assert changed(seen[0], seen[1]) == EVERYTHING


@pytest.mark.parametrize("scheduler", ["none", "onecycle", "cosine", "plateau", "step"])
def test_gradual_unfreezing_works_with_every_scheduler(scheduler: str, composed: Compose, few_faces: Path) -> None:
    choices = ("model=resnet18", "model.width=8", "finetune=gradual", f"scheduler={scheduler}", "trainer.max_epochs=3")
    short = (
        "data=fer2013",
        f"data.path={few_faces}",
        "callbacks=[checkpoint]",
        "logger=csv",
        "trainer.accelerator=cpu",
    )
    experiment = build(composed(*choices, *short))
    before = {name: value.clone() for name, value in experiment.model.net.state_dict().items()}
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    assert changed(before, experiment.model.net.state_dict()) == EVERYTHING
    groups = experiment.trainer.optimizers[0].param_groups
    rates = {len(group["params"]): group["lr"] for group in groups}
    assert len(groups) == 4
    assert max(rates.values()) == pytest.approx(10 * min(rates.values()))


def test_a_vit_with_parameters_of_its_own_can_learn_its_head() -> None:
    model = EmotionClassifier("torchvision", arguments={"arch": "vit_b_32"})
    Finetuning(None).freeze_before_training(model)
    learning = {name for name, parameter in model.net.named_parameters() if parameter.requires_grad}
    assert learning == {"heads.head.weight", "heads.head.bias"}


def test_the_summary_says_what_is_frozen(few_faces: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = EmotionClassifier("resnet18", arguments={"width": 8}, optimizer=partial(torch.optim.SGD, lr=0.05))
    callbacks = [Finetuning(None), NetworkSummary()]
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with caplog.at_level("INFO"):
        L.Trainer(max_steps=1, accelerator="cpu", default_root_dir=tmp_path, callbacks=callbacks, **options).fit(
            model, FERDataModule(few_faces)
        )
    total = sum(p.numel() for p in model.net.parameters())
    assert f"{total:,} parameters, {total - 7 * 64 - 7:,} of them frozen" in caplog.text
    assert re.search(r"fc +Linear +455 parameters$", caplog.text, re.MULTILINE)


def test_a_body_that_would_never_learn_is_refused(composed: Compose, few_faces: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"unfreeze_at_epoch is 2, but trainer\.max_steps=3 ends within epoch 1 \(2 st"
    ):
        build(
            composed(
                "data=fer2013", f"data.path={few_faces}", "model.width=8", "finetune=gradual", "trainer.max_steps=3"
            )
        )


def test_a_negative_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="unfreeze_at_epoch is -1"):
        Finetuning(-1)
