"""The model group of a config: which network, with which arguments, weights to start from and learning rates."""

import functools
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, TypeAdapter, ValidationError

from fer_lightning.errors import ConfigError
from fer_lightning.nets.registry import network_maker
from fer_lightning.nets.weights import InitialWeights
from fer_lightning.signature import argument_error, unresolved_annotation
from fer_lightning.training.checkpoint_content import Plain
from fer_lightning.training.classifier import EmotionClassifier

log = logging.getLogger(__name__)

INITIAL = ("pretrained", "weights_path")
TRAINED = ("channels_last", "decay_norms_and_biases")
SCALE = "_lr_scale"
_PLAIN: TypeAdapter[Any] = TypeAdapter(Plain, config=ConfigDict(strict=True))


@dataclass(frozen=True)
class ModelConfig:
    """A file of conf/model/: `name`, and keys that are the network's own unless they are one of the following.

    pretrained, weights_path: see `nets.weights.InitialWeights`.
    channels_last, decay_norms_and_biases: see `training.classifier.EmotionClassifier`.
    PART_lr_scale: the learning rate of a part of the network, as a multiple of optimizer.lr.
    """

    network: str
    arguments: dict[str, Any]
    initial: dict[str, Any]
    trained: dict[str, Any]
    lr_scales: dict[str, float]


def model_config(node: DictConfig) -> ModelConfig:
    """Returns what a node says, if the network of that name takes it.

    Raises:
        ConfigError: names the key.
    """
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    keys: dict[str, Any] = {str(key): value for key, value in values.items()}
    name = keys.pop("name", None)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"model.name is {name!r}; it is the name that a network is registered by, as in conf/model/")
    try:
        maker = network_maker(name)
    except ValueError as error:
        raise ConfigError(f"model.name: {error}") from error
    _warn_of_unchecked(name, maker)
    own = set(inspect.signature(maker).parameters)
    for key, what in (("num_classes", "classes"), ("in_channels", "channels (data.channels)")):
        if key in keys:
            raise ConfigError(f"model.{key} is given: the data says how many {what} there are, leave it out")
    if "head_lr_scale" in keys.keys() - own:
        raise ConfigError("model.head_lr_scale is given: it is finetune.head_lr_scale")
    initial = {key: keys.pop(key) for key in INITIAL if key in keys and key not in own}
    trained = {key: keys.pop(key) for key in TRAINED if key in keys and key not in own}
    scales = {key: keys.pop(key) for key in list(keys) if key.endswith(SCALE) and key not in own}
    for target, arguments in ((maker, keys), (InitialWeights, initial), (EmotionClassifier, trained)):
        if problem := argument_error(target, arguments):
            raise ConfigError(f"model.{problem}")
    for key, value in keys.items():
        if not _is_plain(value):
            raise ConfigError(
                f"model.{key} is {value!r}; a checkpoint must hold what a network takes: a number, a text, true, false "
                f"or null, or a list of these"
            )
    for key, scale in scales.items():
        if problem := argument_error(EmotionClassifier, {"head_lr_scale": scale}):
            raise ConfigError(f"model.{problem.replace('head_lr_scale', key, 1)}")
    return ModelConfig(name, keys, initial, trained, {key.removesuffix(SCALE): scale for key, scale in scales.items()})


@functools.cache
def _warn_of_unchecked(name: str, maker: Callable[..., Any]) -> None:
    """Warns, once, of a network whose annotations name what is not there: values of any type would pass."""
    if why := unresolved_annotation(maker):
        log.warning("model.name=%s: its arguments' types are not checked, since an annotation fails: %s", name, why)


def _is_plain(value: Any) -> bool:
    try:
        _PLAIN.validate_python(value)
    except ValidationError:
        return False
    return True
