"""Any classification network of torchvision, for grey faces or colour ones."""

import difflib
from typing import Any

import torch
import torchvision.models
from torch import nn
from torchvision.models import MNASNet, get_model, get_model_weights, list_models

from fer_lightning.nets.first_layer import set_in_channels
from fer_lightning.nets.registry import register
from fer_lightning.transforms.pixel_format import SIDE


@register("torchvision")
def torchvision_net(arch: str, num_classes: int = 7, in_channels: int = 1) -> nn.Module:
    """Makes torchvision's arch with random weights: float (B, in_channels, S, S) in, logits (B, num_classes) out.

    One grey channel, or three as in torchvision; without the auxiliary heads of Inception and GoogLeNet in training.
    Where it does not run on images of 48×48, its attribute `image_size` is what its ImageNet weights were trained on;
    `arch` is its name.

    Raises:
        ValueError: torchvision has no such classification network; the message lists near names.
    """
    known = list_models(module=torchvision.models)
    if arch not in known:
        near = difflib.get_close_matches(arch.lower(), known, n=5, cutoff=0.5)
        names = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"arch is {arch!r}, which torchvision.models does not have; {names}")
    options: dict[str, Any] = {}
    if arch in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": True}
    elif arch.startswith("vit_"):
        options = {"image_size": colour_size(arch)}  # as torchvision does with weights: for some of them it is not 224
    net: nn.Module
    if arch.startswith("mnasnet"):
        net = PlainMNASNet(float(arch.removeprefix("mnasnet").replace("_", ".")), num_classes=num_classes)
    else:
        net = get_model(arch, weights=None, num_classes=num_classes, **options)
    set_in_channels(net, in_channels)
    net.arch = arch
    if input_size_error(net, SIDE, in_channels):
        net.image_size = colour_size(arch)
    return net


class PlainMNASNet(MNASNet):
    """torchvision's MNASNet, also for state dicts that do not name their version of the network: it is this one."""

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, {"version": self._version} | local_metadata, *rest)


def colour_size(arch: str) -> int:
    """Returns height and width of the images that torchvision's weights for arch were trained on."""
    return int(get_model_weights(arch).DEFAULT.transforms().crop_size[0])


def input_size_error(net: nn.Module, size: int, in_channels: int = 1) -> str | None:
    """Returns why a network does not run on images of this height and width, by a black one; None if it does."""
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            net(torch.zeros(1, in_channels, size, size))
    except Exception as error:  # of a network of somebody's own, any
        return str(error).partition("\n")[0] or type(error).__name__
    finally:
        net.train(training)
    return None
