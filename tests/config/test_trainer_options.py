"""Each argument of lightning.Trainer works as a config's key, or is refused with a reason before any work."""

import inspect
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from hydra.errors import HydraException
from omegaconf import OmegaConf

from fer_lightning.config.build import build
from fer_lightning.config.check import check
from fer_lightning.config.messages import NAMES_ELSEWHERE, message
from fer_lightning.config.trainer_options import NOT_TAKEN, TAKEN
from fer_lightning.errors import ConfigError
from tests.conftest import Compose
from tests.scripts import REPOSITORY

WORKS = {
    "accelerator": "cpu",
    "accumulate_grad_batches": 3,
    "benchmark": True,
    "check_val_every_n_epoch": 2,
    "default_root_dir": "elsewhere",
    "detect_anomaly": True,
    "deterministic": True,
    "devices": 1,
    "enable_autolog_hparams": False,
    "fast_dev_run": 2,
    "gradient_clip_algorithm": "value",
    "gradient_clip_val": 0.5,
    "inference_mode": False,
    "limit_test_batches": 0.5,
    "limit_train_batches": 2,
    "limit_val_batches": 0.5,
    "log_every_n_steps": 0,
    "max_epochs": 3,
    "max_steps": 100,
    "max_time": "00:01:00:00",
    "min_epochs": 1,
    "min_steps": 3,
    "num_nodes": 1,
    "num_sanity_val_steps": 2,
    "overfit_batches": 2,
    "precision": "32-true",
    "profiler": "simple",
    "reload_dataloaders_every_n_epochs": 1,
    "strategy": "auto",
    "sync_batchnorm": False,
    "val_check_interval": 0.5,
}
"""A value of each argument that is taken; of what those do that change the training, tests are below."""

DATA = ("model=deep_emotion", "data.batch_size=64", "trainer.accelerator=cpu", "callbacks.pictures=null", "logger=none")


@pytest.mark.parametrize("name", inspect.signature(L.Trainer).parameters)
def test_each_argument_of_the_trainer_is_decided(name: str, composed: Compose) -> None:
    if f"trainer.{name}" in NOT_TAKEN:
        with pytest.raises(ConfigError, match=rf"^trainer\.{name} cannot be set: \w+"):
            check(composed(f"+trainer.{name}=null"))
        return
    assert name in TAKEN
    cfg = composed("trainer.max_epochs=3", f"++trainer.{name}={WORKS[name]}")
    check(cfg)
    options = OmegaConf.to_container(cfg.trainer, resolve=True)
    assert isinstance(options, dict)
    given = {str(key): value for key, value in options.items() if not str(key).startswith("_")}
    L.Trainer(**given | {"precision": None, "logger": False, "accelerator": "cpu"})


def test_no_argument_is_both_taken_and_refused() -> None:
    assert set(WORKS) == set(TAKEN)
    assert not {f"trainer.{name}" for name in TAKEN} & set(NOT_TAKEN)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("trainer.max_epochs=-1", r"^trainer\.max_epochs is -1, without end, but the learning-rate schedule needs one"),
        ("trainer.accumulate_grad_batches=0", r"^trainer\.accumulate_grad_batches is 0; it must be at least 1"),
        ("trainer.check_val_every_n_epoch=0", r"^trainer\.check_val_every_n_epoch is 0; it must be at least 1"),
        ("trainer.gradient_clip_val=-1", r"^trainer\.gradient_clip_val is -1; it must be at least 0"),
        ("trainer.log_every_n_steps=-1", r"^trainer\.log_every_n_steps is -1; it must be at least 0"),
        ("+trainer.val_check_interval=0", r"^trainer\.val_check_interval is 0; give a share"),
        ("trainer.limit_train_batches=0", r"^trainer\.limit_train_batches is 0: nothing would be trained"),
        ("+trainer.min_epochs=10", r"^trainer\.min_epochs is 10, above trainer\.max_epochs, which is 9"),
        ("+trainer.profiler=xla", r"^trainer\.profiler is xla; it is one of simple, advanced, pytorch"),
        ("+trainer.logger=false", r"^trainer\.logger cannot be set: .*logger=none"),
        ("scheduler=plateau scheduler.interval=step", r"^scheduler\.interval is step, but val/accuracy is known after"),
        (
            "scheduler=plateau trainer.check_val_every_n_epoch=null +trainer.val_check_interval=3",
            r"^scheduler\.monitor is val/accuracy, looked at after epochs",
        ),
        (
            "scheduler=plateau monitor=train/loss scheduler.monitor=val/loss trainer.limit_val_batches=0",
            r"^trainer\.limit_val_batches is 0, but scheduler\.monitor is val/loss",
        ),
    ],
)
def test_a_value_that_would_fail_later_is_refused_by_its_key(override: str, told: str, composed: Compose) -> None:
    with pytest.raises(ConfigError, match=told):
        check(composed(*override.split()))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("+trainer.val_check_interval=100", r"^trainer\.val_check_interval is 100, but an epoch has 3 batches"),
        (
            "+trainer.val_check_interval=3 trainer.limit_train_batches=2",
            r"^trainer\.val_check_interval is 3, but an epoch has 2 batches",
        ),
        ("+trainer.overfit_batches=0.001", r"^trainer\.overfit_batches is 0\.001, of 3 batches of train: that is none"),
        (
            "trainer.limit_train_batches=0.1",
            r"^trainer\.limit_train_batches is 0\.1, .* Give at least 0\.4, or a",
        ),
        ("trainer.limit_val_batches=0.5", r"^trainer\.limit_val_batches is 0\.5, of 1 batches of val: that is none"),
        ("trainer.limit_test_batches=0.01", r"^trainer\.limit_test_batches is 0\.01, of 1 batches of test"),
        ("trainer.strategy=ddp_spawn", r"^trainer\.strategy is DDPStrategy, started by spawn; .*one device by auto$"),
    ],
)
def test_limits_that_leave_nothing_are_refused_with_the_data(
    override: str, told: str, composed: Compose, few_faces: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        build(composed(*DATA, f"data.path={few_faces}", *override.split()))


def fitted(composed: Compose, few_faces: Path, *overrides: str) -> Any:
    cfg = composed(*DATA, f"data.path={few_faces}", *overrides)
    Path(cfg.trainer.default_root_dir).mkdir(exist_ok=True)
    experiment = build(cfg)
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    return experiment


def test_a_plateau_schedule_steps_when_there_is_a_validation(composed: Compose, few_faces: Path) -> None:
    plateau = ("scheduler=plateau", "scheduler.patience=0", "+scheduler.threshold=10", "optimizer.lr=0.01")
    every_second = fitted(composed, few_faces, *plateau, "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=5")
    # After epochs 2 and 4, of which the second is no better by that threshold.
    assert every_second.trainer.lr_scheduler_configs[0].scheduler.last_epoch == 2
    assert every_second.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.005)


def test_sanity_steps_change_nothing_of_the_training(composed: Compose, few_faces: Path) -> None:
    with_them, without = (
        fitted(composed, few_faces, "trainer.max_epochs=1", f"trainer.num_sanity_val_steps={steps}") for steps in (2, 0)
    )
    for name, value in without.model.net.state_dict().items():
        assert torch.equal(with_them.model.net.state_dict()[name], value), name


def unknown_key(composed: Compose, key: str) -> str:
    """What is said of a key that is not there."""
    with pytest.raises(HydraException) as raised:
        composed(f"{key}=1")
    return message(raised.value)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("trainer.profiler", "lightning.Trainer takes it: add it with a plus, as in +trainer.profiler=…"),
        ("trainer.max_time", "as in +trainer.max_time=…"),
        ("trainer.overfit_batches", "as in +trainer.overfit_batches=…"),
        ("trainer.min_epochs", "as in +trainer.min_epochs=…"),
        ("callbacks.checkpoint.save_weights_only", "as in +callbacks.checkpoint.save_weights_only=…"),
        ("logger.tensorboard.log_graph", "as in +logger.tensorboard.log_graph=…"),
        ("trainer.logger", "logger=none, logger=csv"),
        ("trainer.frobnicate", "there is no key trainer.frobnicate\nKeys here: default_root_dir"),
        ("epochs", "Did you mean trainer.max_epochs?"),
        ("trainer.epochs", "Did you mean trainer.max_epochs?"),
        ("optimizer.learning_rate", "Did you mean optimizer.lr?"),
        ("gpus", "Did you mean trainer.devices?"),
        ("num_workers", "batches are made without worker processes"),
    ],
)
def test_a_key_that_conf_does_not_list_says_what_to_do(key: str, told: str, composed: Compose) -> None:
    assert told in unknown_key(composed, key)


def test_names_of_other_programs_lead_to_keys_that_exist(composed: Compose) -> None:
    cfg = composed()
    for key in NAMES_ELSEWHERE:
        there = OmegaConf.to_container(cfg, resolve=False)
        for part in () if key.startswith("hydra.") else key.split("."):
            assert isinstance(there, dict)
            assert part in there, key
            there = there[part]
    assert (REPOSITORY / "conf" / "logger" / "none.yaml").is_file()
