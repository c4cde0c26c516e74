"""Checks of a config, before anything is read or trained."""

import inspect
from typing import Any

import lightning as L
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from fer_lightning.config.bounds import refuse_too_much
from fer_lightning.config.model import model_config
from fer_lightning.config.plain_checks import refuse_bad_numbers, refuse_missing
from fer_lightning.config.trainer_options import check_trainer_options
from fer_lightning.config.trust import named_in_conf
from fer_lightning.errors import ConfigError
from fer_lightning.installation import script_name
from fer_lightning.signature import argument_error
from fer_lightning.training.checkpoint_names import CHECKPOINTS
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.metrics import METRICS
from fer_lightning.training.schedules import Schedule

APART = {
    "scheduler": (Schedule, ("interval", "monitor", "steps_as", "rates_as")),
    "finetune": (EmotionClassifier, ("head_lr_scale",)),
}
"""The keys of these groups that are not for their target, and what they are for: build.py puts the two together."""


AUTO = {"trainer": "precision", "optimizer": "fused"}
"""The keys that may be "auto", which build.py resolves."""


def check(cfg: DictConfig) -> None:
    """Refuses what no later step would, or only after hours: what is missing, types, ranges across groups.

    Raises:
        ConfigError: names the first key that is wrong, what it is and what it should be.
    """
    refuse_missing(cfg)
    refuse_bad_numbers(cfg)
    trainer = cfg.trainer
    options = OmegaConf.to_container(trainer, resolve=True)
    assert isinstance(options, dict)
    check_trainer_options({str(name): value for name, value in options.items()})
    if trainer.max_epochs == 0:
        raise ConfigError("trainer.max_epochs is 0: nothing would be trained; -1 is without end")
    if trainer.limit_val_batches == 0 and cfg.monitor.startswith("val/"):
        raise ConfigError(f"trainer.limit_val_batches is 0, but monitor is {cfg.monitor}: there would be none")
    if trainer.limit_test_batches == 0:
        raise ConfigError("trainer.limit_test_batches is 0: nothing would be tested")
    _check_that_it_trains(cfg)
    if cfg.seed is None:
        raise ConfigError(f"seed is null: {script_name('train.py')} draws one; give one here, as in seed=0")
    if problem := argument_error(L.seed_everything, {"seed": cfg.seed}):
        raise ConfigError(problem)
    if not 0 <= cfg.seed < 2**32:
        raise ConfigError(f"seed is {cfg.seed}; it must be at least 0 and below 2**32")
    if not cfg.get("action") and not (cfg.callbacks or {}).get("checkpoint"):
        raise ConfigError("callbacks keep no checkpoint: name default too, as in 'callbacks=[default,early_stopping]'")
    if (ckpt := cfg.get("ckpt", "best")) not in CHECKPOINTS:
        raise ConfigError(f"ckpt is {ckpt}; it is one of {', '.join(CHECKPOINTS)}")
    if not cfg.get("action") and ckpt == "last" and not (cfg.callbacks or {}).get("last_checkpoint"):
        raise ConfigError("ckpt is last, but callbacks keep no last_checkpoint: name default too")
    for key in ("compile", "export"):
        if not isinstance(cfg.get(key, False), bool):
            raise ConfigError(f"{key} is {cfg[key]}; it is true or false")
    if cfg.data.get("progressive_sizes") and cfg.trainer.max_epochs in (None, -1):
        raise ConfigError("data.progressive_sizes shares out the run's epochs: set trainer.max_epochs")
    _check_monitor("monitor", cfg.monitor)
    _check_unfreezing(cfg)
    _check_schedule(cfg)
    model_config(cfg.model)
    for group in ("data", "augmentation", "finetune", "loss", "optimizer", "scheduler", "trainer", "action"):
        _check_node(group, cfg[group])
    for group in ("callbacks", "logger"):
        for key, node in (cfg[group] or {}).items():
            if node is not None and "_target_" not in (node if isinstance(node, DictConfig) else ()):
                raise ConfigError(f"{group}.{key!s} is {node}; it is null, or has a _target_ as in conf/{group}/")
            _check_node(f"{group}.{key}", node)
    refuse_too_much(cfg)


def _check_that_it_trains(cfg: DictConfig) -> None:
    """Refuses options that leave a network as it was made. Whether it is validated too, build.py sees with the data."""
    if cfg.trainer.max_steps == 0:
        raise ConfigError("trainer.max_steps is 0: nothing would be trained; -1 is as many as trainer.max_epochs has")


def refuse_scores_of_other_weights(cfg: DictConfig) -> None:
    """Refuses a best checkpoint between two validations, where the only score is that of other weights.

    For a run that is to be trained: one that has been trained can be tested.

    Raises:
        ConfigError: names the key by which a best checkpoint would be written there.
    """
    for name, node in (cfg.callbacks or {}).items():
        for key in ("every_n_train_steps", "train_time_interval"):
            if node and node.get("monitor") and node.get(key):
                raise ConfigError(
                    f"callbacks.{name!s}.{key} is {node[key]}: a checkpoint that is chosen by {node.monitor} holds the "
                    f"weights that this was measured of, so it is written after a validation. To validate more "
                    f"often, give +trainer.val_check_interval=0.5; how often last.ckpt is written is "
                    f"callbacks.last_checkpoint.minutes"
                )


def _check_unfreezing(cfg: DictConfig) -> None:
    epoch, epochs = cfg.finetune.unfreeze_at_epoch, cfg.trainer.max_epochs
    if isinstance(epoch, int) and isinstance(epochs, int) and 0 < epochs <= epoch:
        raise ConfigError(
            f"finetune.unfreeze_at_epoch is {epoch}, but trainer.max_epochs is {epochs}: the body would never learn. "
            f"Give a lower one, more epochs, or finetune=head if that is meant"
        )


def _check_schedule(cfg: DictConfig) -> None:
    """Refuses a schedule that would wait for an end of the run, or for a figure, that does not come."""
    node, trainer = cfg.scheduler or {}, cfg.trainer
    if node.get("steps_as") and trainer.max_epochs == -1 and trainer.max_steps == -1:
        raise ConfigError(
            "trainer.max_epochs is -1, without end, but the learning-rate schedule needs one: set trainer.max_epochs "
            "or trainer.max_steps, or give scheduler=none"
        )
    monitor = node.get("monitor")
    if not monitor:
        return
    if node.get("interval") == "step":
        raise ConfigError(f"scheduler.interval is step, but {monitor} is known after epochs: give epoch")
    if not str(monitor).startswith("val/"):
        return
    if trainer.limit_val_batches == 0:
        raise ConfigError(f"trainer.limit_val_batches is 0, but scheduler.monitor is {monitor}: there would be none")
    if trainer.check_val_every_n_epoch is None or not isinstance(trainer.get("val_check_interval") or 1.0, int | float):
        raise ConfigError(
            f"scheduler.monitor is {monitor}, looked at after epochs, but validation does not go by epochs: give "
            f"trainer.check_val_every_n_epoch=1, and trainer.val_check_interval as a part of an epoch"
        )


def _check_node(name: str, node: DictConfig) -> None:
    """Holds the values of a node, and of the nodes in it, against the signature of what it describes."""
    if not node:
        return
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    plain = {str(key): value for key, value in values.items() if not str(key).startswith("_")}
    for key, value in node.items():
        if inner := _nodes_in(f"{name}.{key!s}", value):
            for inner_name, one in inner:
                _check_node(inner_name, one)
            del plain[str(key)]
    if plain.get("monitor"):
        _check_monitor(f"{name}.monitor", plain["monitor"])
    if name in AUTO and plain.get(AUTO[name]) == "auto":
        del plain[AUTO[name]]
    arguments = {key: plain.pop(key) for key in keys_apart(name) if key in plain}
    if arguments and (problem := argument_error(APART[name][0], arguments)):
        raise ConfigError(f"{name}.{problem}")
    target = _target(name, node)
    if problem := argument_error(target, plain):
        also = ", or 'auto'" if name in AUTO and problem.startswith(f"{AUTO[name]} is ") else ""
        raise ConfigError(f"{name}.{problem}{also}{_without(name, node, target, plain, problem)}")


def keys_apart(group: str) -> tuple[str, ...]:
    """Returns the keys of APART that the nodes of a group may have."""
    return APART[group][1] if group in APART else ()


def _nodes_in(name: str, value: Any) -> list[tuple[str, DictConfig]]:
    """Returns the nodes that a value is or holds, with their names."""
    if isinstance(value, ListConfig):
        return [pair for place, one in enumerate(value) for pair in _nodes_in(f"{name}.{place}", one)]
    return [(name, value)] if isinstance(value, DictConfig) and "_target_" in value else []


def _without(name: str, node: DictConfig, target: Any, plain: dict[str, Any], problem: str) -> str:
    """Says how to leave out what somebody's own target does not take: keys of the yaml that it was put into."""
    parameters = inspect.signature(target).parameters
    others = [key for key in plain if key not in parameters]
    if not others or "is not an argument of" not in problem or named_in_conf(name, node._target_):
        return ""
    return f". To leave out what {target.__name__} does not take: {' '.join(f'~{name}.{key}' for key in others)}"


def _check_monitor(key: str, monitor: str) -> None:
    known = [f"{stage}/{metric}" for stage in ("val", "train") for metric in METRICS]
    if monitor not in known:
        why = ": a checkpoint picked on the test split makes its figure worthless" if "test" in str(monitor) else ""
        raise ConfigError(f"{key} is {monitor}{why}; it is one of {', '.join(known)}")


def _target(name: str, node: DictConfig) -> Any:
    """Returns the class or function that a node is for."""
    try:
        return get_object(node._target_)
    except Exception as error:
        raise ConfigError(f"{name}._target_ is {node._target_}, which cannot be imported: {error}") from error
