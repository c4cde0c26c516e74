"""The networks by name: `register` makes one known, `create_network` makes one, a yaml of conf/model/ chooses one.

A network of somebody's own needs no more than this, in a module that they trust (see `nets.trusted`):

    @register("tiny")
    class Tiny(nn.Module):
        def __init__(self, num_classes: int, width: int = 8) -> None: ...
"""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import nn
from torch.nn.parameter import is_lazy

from fer_lightning import nets
from fer_lightning.nets.trusted import VARIABLE, trusted_modules
from fer_lightning.signature import argument_error
from fer_lightning.transforms.pixel_format import LARGEST

NetworkMaker = Callable[..., nn.Module]
Maker = TypeVar("Maker", bound=NetworkMaker)

_makers: dict[str, NetworkMaker] = {}


def register(name: str) -> Callable[[Maker], Maker]:
    """Makes a network known by a name.

    What is decorated is a class derived from `nn.Module`, or a function that returns one. It takes `num_classes` and
    plain values, and `in_channels` if it can do with colour images; the network takes float (B, in_channels, S, S), 1
    channel unless it says otherwise, and returns logits (B, num_classes). A network may have two attributes that count:
    `image_size`, the height and width of its images if it does not take any, and `allows_channels_last`, False where it
    must not be laid out as NHWC.

    Raises:
        ValueError: another network has this name, or it is empty.
    """

    def add(maker: Maker) -> Maker:
        if not (isinstance(name, str) and name):
            raise ValueError(f"{maker.__qualname__} is registered by {name!r}: give a name, as in @register('tiny')")
        there = _makers.get(name, maker)
        if (there.__module__, there.__qualname__) != (maker.__module__, maker.__qualname__):
            raise ValueError(f"the network {name!r} is {there.__module__}.{there.__qualname__}: give another name")
        _makers[name] = maker
        return maker

    return add


def network_maker(name: str) -> NetworkMaker:
    """Returns the class or function that a network is registered by.

    Raises:
        ValueError: there is no such network, also once the modules that the user trusts are imported.
    """
    for module in pkgutil.iter_modules(nets.__path__, f"{nets.__name__}."):
        importlib.import_module(module.name)
    unimportable = []
    if name not in _makers:
        unimportable = [problem for module in trusted_modules() if (problem := _import_problem(module))]
    if name not in _makers:
        known = ", ".join(sorted(_makers))
        near = difflib.get_close_matches(name, _makers, n=1)
        why = "".join(f"; {problem}" for problem in unimportable) + (f". Did you mean {near[0]}?" if near else "")
        raise ValueError(
            f"{name!r} is not the name of a network; there are {known}{why}. One of your own is registered by a module "
            f"that you trust: set {VARIABLE}=mynets in the environment, for the training and for whatever uses "
            f"the run afterwards"
        )
    return _makers[name]


def create_network(name: str, num_classes: int, arguments: Mapping[str, Any], in_channels: int = 1) -> nn.Module:
    """Makes a network with random weights.

    Raises:
        ValueError: there is no such network, it does not take these arguments or so many channels, or its image_size is
            no number.
    """
    maker = network_maker(name)
    if "in_channels" in inspect.signature(maker).parameters:
        arguments = {**arguments, "in_channels": in_channels}
    elif in_channels != 1:
        raise ValueError(f"{name} takes grey images only, since it has no argument in_channels: give data.channels=1")
    if problem := argument_error(maker, arguments):
        raise ValueError(problem)
    try:
        inspect.signature(maker).bind(num_classes=num_classes, **arguments)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error
    if is_built_in(name):
        return maker(num_classes=num_classes, **arguments)
    try:
        net = maker(num_classes=num_classes, **arguments)
    except (Exception, SystemExit) as error:  # of somebody's own, any
        raise ValueError(f"{name} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(net, nn.Module):
        raise ValueError(f"{name} gives a {type(net).__name__}, which is no nn.Module")
    if lazy := _lazy_layers(net):
        raise ValueError(
            f"{name} has layers that find out their size from the first images: {', '.join(lazy)}. Give the sizes, as "
            f"in nn.Linear(256, num_classes): a checkpoint is loaded without images"
        )
    size = getattr(net, "image_size", 1)
    if type(size) is not int or not 1 <= size <= LARGEST:
        raise ValueError(f"image_size of {type(net).__name__} is {size!r}; it must be from 1 to {LARGEST}")
    return net


def _lazy_layers(net: nn.Module) -> list[str]:
    """Returns the layers with weights of no size yet, as nn.LazyLinear has them."""
    return [
        f"{name} ({type(layer).__name__})" if name else type(layer).__name__
        for name, layer in net.named_modules()
        if any(map(is_lazy, [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]))
    ]


def is_built_in(name: str) -> bool:
    """Returns whether a network is one of this package."""
    return network_maker(name).__module__.partition(".")[0] == __name__.partition(".")[0]


def is_trusted(name: str) -> bool:
    """Returns whether another process would find a network: it is of this package, or of a trusted module."""
    maker = network_maker(name)
    full_name = f"{maker.__module__}.{maker.__qualname__}."
    return is_built_in(name) or any(full_name.startswith(f"{module}.") for module in trusted_modules())


def _import_problem(name: str) -> str | None:
    """Imports a module, or the module that a name lies in; returns what went wrong."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.rpartition(".")[0]
        if package and error.name == name:  # the name of something in a module
            return _import_problem(package)
        top = str(error.name).partition(".")[0]
        if top == name.partition(".")[0]:
            return f"{name} cannot be imported: {error}. Give the command in the folder that has it, or install it"
        return f"{name} cannot be imported: {error}. If {top} is yours too, list it as well: {VARIABLE}={name},{top}"
    except (Exception, SystemExit) as error:  # of a module of somebody's own, any
        return f"{name} cannot be imported: {type(error).__name__}: {error}"
    return None
