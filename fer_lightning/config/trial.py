"""Tries out somebody's own parts before the first step: otherwise they would fail once all training is done."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.nets.registry import is_trusted
from fer_lightning.nets.trusted import VARIABLE
from fer_lightning.signature import refuse_out_of_range
from fer_lightning.training.checkpoint_content import FORMAT_VERSION
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import save_model
from fer_lightning.training.models import load_model
from fer_lightning.training.savable import unsavable
from fer_lightning.training.schedules import parameter_groups
from fer_lightning.use.card import Card


def tried_optimizer(make: Callable[[Any], Optimizer], device: torch.device) -> Optimizer:
    """Makes an optimizer, of parameter groups like a network's, and lets it do one step.

    Raises:
        ValueError: groups without a learning rate, a step that fails, or a state that no checkpoint would give back.
    """
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(2, 2)).to(device)
    optimizer = make(parameter_groups(net, net[2], [(net[2], 1.0)], decay_norms_and_biases=False))
    kind = type(optimizer).__name__
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"{kind} is not an optimizer of torch")
    if any(group.get("lr") is None for group in optimizer.param_groups):
        raise ValueError(f"{kind} has no lr in its parameter groups, which schedules and head_lr_scale change")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = net(torch.ones(1, 2, 1, 1, device=device)).square().sum()
        loss.backward()
        return loss

    try:
        optimizer.step(closure)  # type: ignore[arg-type]
    except Exception as error:
        raise ValueError(f"a step of {kind} fails: {_first_line(error)}") from error
    if problem := unsavable(optimizer.state_dict(), "its state"):
        raise ValueError(f"{kind} could not be resumed: {problem}")
    return optimizer


def refuse_unusable_classes(class_names: Sequence[str]) -> None:
    """Refuses classes whose network predict.py and export would refuse once it is trained: see `Card`.

    Raises:
        ConfigError: says what is wrong with which.
    """
    try:
        refuse_out_of_range(Card, {"class_names": tuple(class_names)})
    except ValueError as error:
        raise ConfigError(
            f"the trained network could not be used: {error}. Rename the folders of these classes, or give them other "
            "names with data.classes={new:[old,…],…}"
        ) from error


def refuse_unrebuildable(model: EmotionClassifier, data: FERDataModule) -> None:
    """Refuses a network that test.py, loss.teacher and load_model could not make again of what its checkpoint holds.

    Args:
        model: before training, of a network of somebody's own.
        data: whose classes it knows, with the size of its images.

    Raises:
        ValueError: says what is missing or differs.
    """
    name, network = type(model.net).__name__, model.hparams["network"]
    if not is_trusted(network):
        module = type(model.net).__module__
        raise ValueError(
            f"the network {network} is of {module}, which nobody trusts: what uses the run afterwards would not find "
            f"it. Set {VARIABLE}={module} in the environment, also for a test, resume=, loss.teacher and load_model"
        )
    if problem := unsavable(dict(model.hparams), "model"):
        raise ValueError(problem)
    try:
        model.head  # noqa: B018 (which looks for it)
    except IndexError as error:
        raise ValueError(f"{name} has no nn.Linear or nn.Conv2d, the last of which is its head") from error
    assert isinstance(data.image_size, int)
    if not any(parameter.requires_grad for parameter in model.net.parameters()):
        raise ValueError(f"{name} has no weights that learn")
    images = torch.rand(2, data.preprocessing.channels, data.image_size, data.image_size)
    with torch.random.fork_rng(devices=[]):
        trained = copy.deepcopy(model).train()
        _called(trained, images)  # a step of training may change more than its weights
        logits = _logits(trained, images)
        if logits.shape != (2, len(data.class_names)):
            raise ValueError(
                f"{name} gives {tuple(logits.shape)} for two faces; expected are logits, (2, {len(data.class_names)})"
            )
        for again in _saved_and_loaded(trained, data):
            if not torch.allclose(_logits(again, images), logits, rtol=1e-3, atol=1e-4, equal_nan=True):
                raise ValueError(
                    f"{name} comes back from its checkpoint as another function: what it computes must follow from "
                    f"num_classes, its arguments and its weights"
                )


def _saved_and_loaded(model: EmotionClassifier, data: FERDataModule) -> list[EmotionClassifier]:
    """Returns the network as it comes back from a checkpoint, and from a model.safetensors."""
    content = {
        "format_version": FORMAT_VERSION,
        "hyper_parameters": dict(model.hparams),
        "state_dict": model.state_dict(),
        type(data).__qualname__: data.state_dict(),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "untrained.ckpt"
        torch.save(content, file)
        try:
            save_model(model, data.preprocessing, Path(folder))
            return [load_model(file), load_model(folder)]
        except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:  # of JSON and of safetensors too
            reason = str(error).rpartition("is not a checkpoint of this program: ")[2]
            raise ValueError(
                f"{type(model.net).__name__} could not be rebuilt from its checkpoint: {reason}"
            ) from error


def _logits(model: EmotionClassifier, images: Tensor) -> Tensor:
    model.eval()
    torch.manual_seed(0)  # of what may be drawn in testing too
    return _called(model, images)


def _called(model: EmotionClassifier, images: Tensor) -> Tensor:
    name = type(model.net).__name__
    try:
        with torch.no_grad():
            logits = model(images)
    except Exception as error:  # of a network of somebody's own, any
        raise ValueError(f"{name} fails on two faces: {_first_line(error)}") from error
    if not isinstance(logits, Tensor):
        raise ValueError(f"{name} gives a {type(logits).__name__}; expected are logits, a tensor")
    return logits


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
