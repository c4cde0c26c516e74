"""Checks which arguments of lightning.Trainer a config sets: whatever would fail later, or be ignored, is refused.

Imports neither torch nor Lightning.
"""

import math
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_lightning.errors import ConfigError

NOT_TAKEN = {
    f"trainer.{name}": reason
    for name, reason in {
        "barebones": "it would take away the checkpoints, the log and the curves that a run consists of. For speed, "
        "give callbacks.pictures=null or logger=csv",
        "callbacks": "callbacks are a group of their own: callbacks=[default,early_stopping], callbacks.pictures=null",
        "enable_checkpointing": "a run is tested by its checkpoint and goes on from it. None is kept with "
        "trainer.fast_dev_run=true",
        "enable_model_summary": "the network is summed up by a callback: turn it off by callbacks.network_summary=null",
        "enable_progress_bar": "progress is shown by a callback: turn it off by callbacks.progress_bar=null",
        "limit_predict_batches": "nothing is predicted here: what is tested is limited by trainer.limit_test_batches",
        "logger": "loggers are a group of their own: logger=none, logger=csv, logger=wandb",
        "model_registry": "it would send the checkpoints to another machine, and they stay in the folder of the run",
        "plugins": "checkpoints are written in this program's own way; what devices compute in is trainer.precision, "
        "and how they share it trainer.strategy",
        "use_distributed_sampler": "the data are shared out among the devices without it, each face once",
    }.items()
}
"""The arguments that the program itself sets, or that would do nothing, and what to do instead."""

TAKEN = (
    "accelerator", "accumulate_grad_batches", "benchmark", "check_val_every_n_epoch", "default_root_dir",
    "detect_anomaly", "deterministic", "devices", "enable_autolog_hparams", "fast_dev_run",
    "gradient_clip_algorithm", "gradient_clip_val", "inference_mode", "limit_test_batches", "limit_train_batches",
    "limit_val_batches", "log_every_n_steps", "max_epochs", "max_steps", "max_time", "min_epochs", "min_steps",
    "num_nodes", "num_sanity_val_steps", "overfit_batches", "precision", "profiler",
    "reload_dataloaders_every_n_epochs", "strategy", "sync_batchnorm", "val_check_interval",
)  # fmt: skip
"""All others. A name that is in neither, of a Lightning to come, is passed on as it is."""

AT_LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "gradient_clip_val": 0,
    "limit_train_batches": 0,
    "log_every_n_steps": 0,
    "min_epochs": 0,
    "min_steps": 0,
    "overfit_batches": 0,
    "reload_dataloaders_every_n_epochs": 0,
    "val_check_interval": 0,
}
"""Lower limits that Lightning does not check: it would divide by the value, or misread it."""

PROFILERS = ("simple", "advanced", "pytorch")


def check_trainer_options(options: Mapping[str, Any]) -> None:
    """Refuses what can be seen in the values alone.

    Args:
        options: the config's trainer, resolved, its types being right.

    Raises:
        ConfigError: names the first key that is wrong, and says what to do.
    """
    for name, value in options.items():
        if reason := NOT_TAKEN.get(f"trainer.{name}"):
            raise ConfigError(f"trainer.{name} cannot be set: {reason}")
        if name in AT_LEAST and isinstance(value, int | float) and not value >= AT_LEAST[name]:  # nor nan
            raise ConfigError(f"trainer.{name} is {value}; it must be at least {AT_LEAST[name]}")
    if isinstance(profiler := options.get("profiler"), str) and profiler not in PROFILERS:
        raise ConfigError(f"trainer.profiler is {profiler}; it is one of {', '.join(PROFILERS)}")
    if options.get("limit_train_batches") == 0:
        raise ConfigError("trainer.limit_train_batches is 0: nothing would be trained")
    if options.get("val_check_interval") == 0:
        raise ConfigError("trainer.val_check_interval is 0; give a share of an epoch above 0, or a number of batches")
    least, most = options.get("min_epochs") or 0, options.get("max_epochs")
    if isinstance(most, int) and 0 < most < least:
        raise ConfigError(f"trainer.min_epochs is {least}, above trainer.max_epochs, which is {most}")


def without_options_of_training(trainer: DictConfig) -> DictConfig:
    """Returns the trainer of a run without what was set for its training, and would be refused of a new one."""
    left_out = {name.partition(".")[2] for name in NOT_TAKEN} | {"min_epochs", "profiler"}
    kept: DictConfig = OmegaConf.masked_copy(trainer, [str(key) for key in trainer if key not in left_out])
    return kept


def check_batches(trainer: Any, batches: Mapping[str, int]) -> None:
    """Refuses limits that leave no batch, and validation after more batches than an epoch has.

    Args:
        trainer: a lightning.Trainer.
        batches: how many train, val and test have, as far as they are run.

    Raises:
        ConfigError: names the key, how many batches there are, and what to give.
    """
    for split, count in batches.items():
        name = "overfit_batches" if trainer.overfit_batches and split != "test" else f"limit_{split}_batches"
        share = getattr(trainer, name)
        if isinstance(share, float) and share > 0 and int(count * share) == 0:
            raise ConfigError(
                f"trainer.{name} is {share}, of {count} batches of {split}: that is none. Give at least "
                f"{_first_share(count)}, or a whole number of batches"
            )
    if "train" not in batches or trainer.limit_val_batches == 0:
        return
    limit = trainer.limit_train_batches
    count = min(limit, batches["train"]) if isinstance(limit, int) else int(limit * batches["train"])
    interval = trainer.val_check_interval
    if type(interval) is int and trainer.check_val_every_n_epoch is not None and interval > count:
        raise ConfigError(
            f"trainer.val_check_interval is {interval}, but an epoch has {count} batches. Give at most as many, or "
            f"trainer.check_val_every_n_epoch=null with it to count batches across epochs"
        )


def _first_share(count: int) -> float:
    """Returns a share with few digits that is at least one batch of this number."""
    parts = int("1" + "0" * len(str(count)))
    return math.ceil(parts / count) / parts
