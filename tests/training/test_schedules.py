"""Which parameters learn at which rate, at every step of a real training."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from fer_lightning.data import FERDataModule
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.schedules import Schedule, is_validated, warmup_cosine
from tests.conftest import trainer


@pytest.mark.parametrize("decayed", [False, True])
def test_one_switch_keeps_weight_decay_off_norms_and_biases(decayed: bool) -> None:
    model = EmotionClassifier(
        "resnet18", decay_norms_and_biases=decayed, optimizer=partial(torch.optim.SGD, lr=1.0, weight_decay=0.1)
    )
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Optimizer)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in model.net.named_parameters()}
    optimizer.step()
    for name, parameter in model.net.named_parameters():
        shrinks = parameter.ndim > 1 or decayed
        torch.testing.assert_close(parameter.detach(), before[name] * (0.9 if shrinks else 1.0))


def learning_rates(schedule: Schedule, folder: Path, data: FERDataModule, **options: Any) -> list[float]:
    """The rate that each batch is trained with, and then the rate that is left at the end."""
    rates = []

    class Witness(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.1), schedule=schedule)
    fitting = trainer(folder, callbacks=[Witness()], limit_val_batches=0, **options)
    fitting.fit(model, data)
    return [*rates, fitting.optimizers[0].param_groups[0]["lr"]]


@pytest.mark.parametrize(
    "options",
    [
        {"max_epochs": 2},
        {"max_epochs": 3, "accumulate_grad_batches": 2},
        {"max_epochs": 5, "limit_train_batches": 2},
        {"max_epochs": 3, "limit_train_batches": 0.7},
        {"max_epochs": 9, "max_steps": 4},
    ],
)
def test_a_cosine_reaches_zero_just_when_the_run_ends(options: dict[str, int], few_faces: Path, tmp_path: Path) -> None:
    schedule = Schedule(torch.optim.lr_scheduler.CosineAnnealingLR, interval="step", steps_as="T_max")
    rates = learning_rates(schedule, tmp_path, FERDataModule(few_faces, batch_size=64), **options)
    assert rates[0] == 0.1
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert all(rate > 1e-3 for rate in rates[:-1])


def test_a_schedule_that_is_not_finished_is_reported(
    few_faces: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Accumulates(L.Callback):
        def on_train_epoch_start(self, trainer: L.Trainer, model: L.LightningModule) -> None:
            trainer.accumulate_grad_batches = 3

    schedule = Schedule(torch.optim.lr_scheduler.CosineAnnealingLR, interval="step", steps_as="T_max")
    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.1), schedule=schedule)
    data = FERDataModule(few_faces, batch_size=64)
    with caplog.at_level("WARNING"):
        trainer(tmp_path, max_epochs=2, limit_val_batches=0, callbacks=[Accumulates()]).fit(model, data)
    assert "the schedule is for 6 steps, and the run took 2: its rate has not ended" in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"max_steps": 2},
        {"max_epochs": 9, "max_steps": 5, "check_val_every_n_epoch": 2},
        {"max_epochs": 9, "max_steps": 6, "check_val_every_n_epoch": 2},
        {"max_steps": 1, "accumulate_grad_batches": 2},
        {"max_steps": 1, "limit_train_batches": 0.7},
        {"max_steps": 1, "val_check_interval": 0.5},
        {"max_steps": 4, "val_check_interval": 5, "check_val_every_n_epoch": None},
        {"max_steps": 5, "val_check_interval": 5, "check_val_every_n_epoch": None},
        {"max_epochs": 1, "limit_val_batches": 0},
    ],
    ids=str,
)
def test_a_run_is_known_to_be_validated_or_not(options: dict[str, Any], few_faces: Path, tmp_path: Path) -> None:
    class Witness(L.Callback):
        validated = False

        def on_validation_end(self, trainer: L.Trainer, model: L.LightningModule) -> None:
            self.validated |= not trainer.sanity_checking

    witness, data = Witness(), FERDataModule(few_faces, batch_size=64)
    fitting = trainer(tmp_path, callbacks=[witness], **options)
    foreseen = is_validated(fitting, 3)
    fitting.fit(EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.1)), data)
    assert len(data.train_dataloader()) == 3
    assert foreseen == witness.validated


def test_a_cosine_warms_up_in_a_line(few_faces: Path, tmp_path: Path) -> None:
    schedule = Schedule(partial(warmup_cosine, warmup=0.25), interval="step", steps_as="total_steps")
    rates = learning_rates(schedule, tmp_path, FERDataModule(few_faces, batch_size=24), max_epochs=2)
    assert rates[:5] == pytest.approx([0.001, 0.02575, 0.0505, 0.07525, 0.1])
    assert rates[10] == pytest.approx(0.05)
    assert rates[16] == pytest.approx(0.0, abs=1e-9)


def test_an_epoch_schedule_steps_once_an_epoch(few_faces: Path, tmp_path: Path) -> None:
    schedule = Schedule(partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1), interval="epoch")
    rates = learning_rates(schedule, tmp_path, FERDataModule(few_faces, batch_size=96), max_epochs=2)
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_the_head_has_its_own_learning_rate_under_any_schedule(few_faces: Path, tmp_path: Path) -> None:
    rates: dict[str, list[float]] = {}

    class Witness(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, model: L.LightningModule, *_: Any) -> None:
            assert isinstance(model, EmotionClassifier)
            of_head = {id(p) for p in model.head.parameters()}
            for group in trainer.optimizers[0].param_groups:
                part = "head" if id(group["params"][0]) in of_head else "body"
                rates.setdefault(part, []).append(group["lr"])

    schedule = Schedule(
        partial(torch.optim.lr_scheduler.OneCycleLR, cycle_momentum=False), "step", None, "total_steps", "max_lr"
    )
    model = EmotionClassifier(
        "deep_emotion", head_lr_scale=10.0, optimizer=partial(torch.optim.SGD, lr=0.01), schedule=schedule
    )
    assert sum(p.numel() for p in model.head.parameters()) == 50 * 7 + 7
    trainer(tmp_path, max_epochs=4, callbacks=[Witness()]).fit(model, FERDataModule(few_faces, batch_size=64))
    assert rates["head"] == pytest.approx([10 * rate for rate in rates["body"]])
    assert max(rates["head"]) == pytest.approx(0.1, rel=0.1)


def test_the_transformer_has_a_learning_rate_of_its_own() -> None:
    sgd = partial(torch.optim.SGD, lr=1.0)
    model = EmotionClassifier("deep_emotion", lr_scales={"transformer": 0.1}, head_lr_scale=10.0, optimizer=sgd)
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Optimizer)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in model.net.named_parameters()}
    optimizer.step()
    for name, parameter in model.net.named_parameters():
        step = 0.1 if name.startswith("transformer.") else 10.0 if name.startswith("classifier.4.") else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] - step)
