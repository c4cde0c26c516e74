"""Weights to start from: torchvision's ImageNet weights, or a state dict in a file. Nothing in a file is executed."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from fer_lightning.files import REFUSED
from fer_lightning.nets.first_layer import FirstConv2d, first_convolution, fold_colours
from fer_lightning.nets.weight_files import likely_archs, read_weights, state_dict_in, weight_errors, with_names_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InitialWeights:
    """The weights that a network starts from; without any of them they are random.

    pretrained: torchvision's ImageNet weights, through torch's hub cache.
    weights_path: a state dict (.pth or .safetensors) with the names of that network's layers.
    mean, std: what the network's images are normalised by, of pixel / 255; colour kernels are folded for it.
    """

    pretrained: bool = False
    weights_path: str | None = None
    mean: Sequence[float] = (0.508,)
    std: Sequence[float] = (0.255,)

    def __post_init__(self) -> None:
        if self.pretrained and self.weights_path:
            raise ValueError("pretrained and weights_path both name weights to start from: leave one out")


def load_initial_weights(net: nn.Module, arch: str, initial: InitialWeights) -> bool:
    """Gives net its first weights; returns whether they were learnt in colour.

    It is torchvision's arch, for grey or colour images; or, where arch is empty, a network of another kind.

    Kernels over three colours are folded for the images' channels and normalisation; a run that began with such kernels
    has them folded already.
    A classifier for another number of classes stays as it was initialised.

    Raises:
        ValueError: weights that do not fit, cannot be read safely, or cannot be had.
    """
    if initial.weights_path:
        state, source = read_weights(Path(initial.weights_path).expanduser()), f"weights_path {initial.weights_path}"
    elif initial.pretrained and not arch:
        raise ValueError(
            f"pretrained is true, but there are no ImageNet weights for {type(net).__name__}: give weights_path"
        )
    elif initial.pretrained:
        state, source = _imagenet(arch), "the ImageNet weights"
    else:
        return False
    return load_weights(net, arch, state, source, initial)


def load_weights(net: nn.Module, arch: str, state: dict[str, Tensor], source: str, initial: InitialWeights) -> bool:
    """Does as `load_initial_weights` with a state dict that has been read; messages call it `source`."""
    own = net.state_dict()
    named = with_names_of(own, state, source)
    state = dict(named)
    in_colour = _fold(net, state, arch, initial)
    head, _ = head_of(net)
    for key in (f"{head}.weight", f"{head}.bias"):
        if key in state and key in own and _is_of_other_classes(state[key], own[key]):
            log.info(
                "%s keeps its random weights: %s has %s classes, not %s", key, source, len(state[key]), len(own[key])
            )
            state[key] = own[key]
    if problems := weight_errors(own, state):
        likely = [name for name in likely_archs(named) if name != arch]
        seems = f". By its number of weights it is torchvision's {' or '.join(likely)}" if likely else ""
        raise ValueError(f"{source} does not fit {arch or type(net).__name__}: {'; '.join(problems)}{seems}")
    net.load_state_dict(state)
    return in_colour


def head_of(net: nn.Module) -> tuple[str, nn.Module]:
    """Returns the name of the last layer with weights, which gives the logits, and that layer."""
    layers = [(name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return layers[-1]


def _fold(net: nn.Module, state: dict[str, Tensor], arch: str, initial: InitialWeights) -> bool:
    if not arch:
        return False
    name, layer = first_convolution(net)
    kernels = state.get(f"{name}.weight")
    if f"{name}.offset" in state or not isinstance(layer, FirstConv2d):
        return f"{name}.offset" in state
    if kernels is None or kernels.ndim != 4 or kernels.shape[1] != 3:
        return False
    preset = get_model_weights(arch).DEFAULT.transforms()
    mean, std = preset.mean, preset.std
    if arch in ("googlenet", "inception_v3"):  # whose pretrained networks bring pixels to −1…1 themselves
        mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    folded = fold_colours(kernels, mean, std, initial.mean, initial.std)
    state[f"{name}.weight"], state[f"{name}.offset"] = folded
    return True


def _is_of_other_classes(theirs: Tensor, ours: Tensor) -> bool:
    return theirs.ndim == ours.ndim and theirs.shape[1:] == ours.shape[1:] and len(theirs) != len(ours)


def _imagenet(arch: str) -> dict[str, Tensor]:
    weights = get_model_weights(arch).DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are then refused
            state = weights.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle can be broken in any way
        if file.is_file():
            raise ValueError(f"{file} {REFUSED}. Delete it, and it is fetched again") from error
        raise ValueError(
            f"the ImageNet weights of {arch} could not be had ({error}). Get {weights.url} on a machine with internet "
            f"and put it into {file.parent}, or name it with model.weights_path=…; model.pretrained=false "
            f"finetune=full starts from random weights"
        ) from error
    return state_dict_in(state, str(file))
