"""Any classification network of torchvision, for grey faces."""

import difflib
from typing import Any

import torch
import torchvision.models
from torch import nn
from torchvision.models import MNASNet, get_model, get_model_weights, list_models

from fer_lightning.nets.grey import make_grey
from fer_lightning.nets.registry import register
from fer_lightning.transforms.preprocessing import SIDE


@register("torchvision")
def torchvision_net(arch: str, num_classes: int = 7) -> nn.Module:
    """Makes torchvision's arch with random weights: float (B, 1, S, S) in, logits (B, num_classes) out.

    One grey channel instead of three; without the auxiliary heads that Inception and GoogLeNet have in training.
    Its attribute `image_size` is 48 where it runs on that, and else what its ImageNet weights were trained on; `arch`
    is its name.

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
    make_grey(net)
    net.arch = arch
    net.image_size = colour_size(arch) if input_size_error(net, SIDE) else SIDE
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


def input_size_error(net: nn.Module, size: int) -> str | None:
    """Returns why a network does not run on grey images of this height and width; None if it runs on a black one."""
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            net(torch.zeros(1, 1, size, size))
    except Exception as error:  # of a network of somebody's own, any
        return str(error).partition("\n")[0] or type(error).__name__
    finally:
        net.train(training)
    return None
