"""From a node of a config to what it describes: plain Python in, and what is of somebody's own made to fit."""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from fer_lightning.config.check import keys_apart
from fer_lightning.config.hydra_files import literal
from fer_lightning.config.messages import message
from fer_lightning.config.trial import tried_optimizer
from fer_lightning.errors import ConfigError
from fer_lightning.signature import tensor_arguments
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.training.plain_loss import PlainLoss
from fer_lightning.training.savable import unsavable
from fer_lightning.training.schedules import Schedule
from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.per_face import PerFace


def made(name: str, node: DictConfig, **parts: Any) -> Any:
    """Makes what a node describes, with further parts; if that refuses, the error says which node.

    Of the config it gets plain lists and dicts: OmegaConf's own would end up in a checkpoint, which nobody could read.
    """
    with _refused_by(name):
        return instantiate(node, _partial_=True, _convert_="all")(**parts)


def apart(group: str, node: DictConfig) -> tuple[DictConfig, dict[str, Any]]:
    """Returns a copy of a node without the keys that are not for its target, and those keys."""
    arguments = _plain(node)
    apart = {key: arguments.pop(key) for key in keys_apart(group) if key in arguments}
    return literal(arguments), apart


@contextmanager
def _refused_by(name: str) -> Iterator[None]:
    try:
        yield
    except InstantiationException as error:
        text = message(error)  # which begins with the key, from the top or, of a copy of the node, from there on
        raise ConfigError(text if text.startswith(name) else f"{name}.{text}") from error
    except ConfigError:
        raise
    except (ValueError, TypeError, ArithmeticError, ModuleNotFoundError, MisconfigurationException) as error:
        raise ConfigError(f"{name}: {error}") from error


def _plain(node: DictConfig) -> dict[Any, Any]:
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    return values


def made_loss(node: DictConfig) -> CrossEntropy:
    """Makes the loss: one of ours, or a plain one in the wrapper that makes it fit."""
    loss = _instance_or_function("loss", node)
    with _refused_by("loss"):
        return loss if isinstance(loss, CrossEntropy) else PlainLoss(loss)


def made_augmentation(node: DictConfig) -> Augmentation:
    """Makes the augmentation: one of ours, or a plain one in the wrapper that makes it fit."""
    augmentation = _instance_or_function("augmentation", node)
    with _refused_by("augmentation"):
        return augmentation if isinstance(augmentation, Augmentation) else PerFace(augmentation)


def _instance_or_function(name: str, node: DictConfig) -> Any:
    """Makes an instance of a class; binds a function to the arguments of the node. Lists become tensors if need be."""
    target, arguments = get_object(node._target_), _plain(node)
    lists = [key for key in tensor_arguments(target) if isinstance(arguments.get(key), list)]
    tensors = {key: torch.tensor(arguments.pop(key), dtype=torch.float32) for key in lists}
    node = literal(arguments)
    if inspect.isclass(target):
        return made(name, node, **tensors)
    with _refused_by(name):
        return functools.partial(instantiate(node, _partial_=True, _convert_="all"), **tensors)


def made_optimizer(cfg: DictConfig, device: torch.device) -> Callable[..., Optimizer]:
    node, _ = apart("optimizer", cfg.optimizer)  # a copy that can be changed
    if node.get("fused") == "auto":
        if "fused" not in inspect.signature(get_object(node._target_)).parameters:
            del node["fused"]
        else:  # Lightning refuses to clip the gradients of a fused step
            node.fused = None if cfg.trainer.gradient_clip_val else True

    def make(parameters: Any) -> Optimizer:
        optimizer: Optimizer = made("optimizer", node, params=parameters)
        return optimizer

    with _refused_by("optimizer"):
        tried_optimizer(make, device)
    return make


@contextmanager
def _steps_named(target: str, steps: int | None) -> Iterator[None]:
    """Makes a division by zero in a scheduler, as of phases that take less than a step, an error on the run's steps."""
    try:
        yield
    except ConfigError as error:
        failed = error.__cause__
        if steps is None or not isinstance(failed, ArithmeticError):
            raise
        raise ConfigError(
            f"scheduler: {target.rpartition('.')[2]} cannot divide up a run of {steps} steps as scheduler says "
            f"({failed}). Train for more steps (trainer.max_epochs, trainer.limit_train_batches, a smaller "
            f"data.batch_size), or change the scheduler's shares"
        ) from error


def made_schedule(cfg: DictConfig, optimizer: Callable[..., Optimizer]) -> Schedule | None:
    if not cfg.scheduler:
        return None
    node, when = apart("scheduler", cfg.scheduler)

    def make(optimizer: Optimizer, **filled_in: Any) -> Any:
        with _steps_named(node._target_, filled_in.get(str(when.get("steps_as")))):
            return made("scheduler", node, optimizer=optimizer, **filled_in)

    schedule = Schedule(make, **when)
    with _refused_by("scheduler"):  # its own checks, before any work
        scheduler = schedule.made(optimizer([torch.zeros(1, requires_grad=True)]), 100)
    if not isinstance(scheduler, LRScheduler):
        raise ConfigError(f"scheduler: {type(scheduler).__name__} is not a scheduler of torch")
    if problem := unsavable(scheduler.state_dict(), "its state"):
        raise ConfigError(f"scheduler: {type(scheduler).__name__} could not be resumed: {problem}")
    with _refused_by("scheduler"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it comes after a step of the optimizer, which there is none of
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(0.0)
        else:
            scheduler.step()
    return schedule
