"""The layer that sees the image: for one grey channel or three colours, normalised in whatever way."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FirstConv2d(nn.Conv2d):
    """A first convolution that can compute, of images normalised otherwise, what one of a colour network would.

    Colour networks normalise each channel by its own mean and deviation. The deviations, and for a grey image that is
    shown three times the sum over channels, fold into the kernels. The means fold into `offset`, (out, 1, k, k): the
    kernel over a plane of ones that is padded with zeros like the image, so that the borders are right too. It is None
    in a network that does not come from such weights, and comes with the state dict of one that does.
    """

    offset: nn.Parameter | None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.register_parameter("offset", None)

    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        if self.offset is None:
            return features
        plane = images.new_ones(1, 1, *images.shape[-2:])
        return features + F.conv2d(plane, self.offset, None, self.stride, self.padding, self.dilation)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        offset = state_dict.get(f"{prefix}offset")
        self.offset = None if offset is None else nn.Parameter(torch.empty_like(offset, device=self.weight.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def set_in_channels(net: nn.Module, in_channels: int) -> None:
    """Replaces the first convolution of a colour network by a `FirstConv2d` over one grey channel or three colours.

    A grey one has the sums of the kernels: whatever way they were initialised, a grey image then gives features of the
    size that the network is made for.
    """
    name, old = first_convolution(net)
    shape = (old.out_channels, old.kernel_size, old.stride, old.padding, old.dilation)
    new = FirstConv2d(in_channels, *shape, bias=old.bias is not None)
    with torch.no_grad():
        new.weight.copy_(old.weight.sum(1, keepdim=True) if in_channels == 1 else old.weight)
        if new.bias is not None and old.bias is not None:
            new.bias.copy_(old.bias)
    parent, _, leaf = name.rpartition(".")
    setattr(net.get_submodule(parent), leaf, new)


def first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d]:
    """Returns the name of the layer that sees the image, and the layer."""
    return next((name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d))


def fold_colours(
    kernels: Tensor,
    colour_mean: Sequence[float],
    colour_std: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Returns `weight` and `offset` of the `FirstConv2d` that computes what these colour kernels do.

    Args:
        kernels: (out, 3, k, k), for images normalised channel by channel with colour_mean and colour_std.
        colour_mean: of pixel / 255, three numbers.
        colour_std: likewise.
        mean: what the images are normalised by instead, of pixel / 255: one number for grey, three for colour.
        std: likewise.
    """

    def per_channel(values: Sequence[float]) -> Tensor:
        return kernels.new_tensor(values).view(1, -1, 1, 1)

    colour_means, colour_stds = per_channel(colour_mean), per_channel(colour_std)
    weight = kernels * (per_channel(std) / colour_stds)
    offset = (kernels * ((per_channel(mean) - colour_means) / colour_stds)).sum(1, keepdim=True)
    return weight.sum(1, keepdim=True) if len(mean) == 1 else weight, offset
