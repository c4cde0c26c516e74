"""What a network looks at: Grad-CAM, and the box that a spatial transformer reads."""

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from fer_lightning.nets.deep_emotion import SpatialTransformer

FINEST = 6
"""Height and width that a map must have to show a place in a face; the last layers of most networks have 1 to 3."""


def grad_cam(net: nn.Module, images: Tensor, classes: Tensor) -> tuple[Tensor, str]:
    """Where the evidence for a class lies, and the name of the layer that was asked.

    Selvaraju et al.: Grad-CAM, ICCV 2017, at the last layer whose maps are at least 6×6.

    Args:
        net: in evaluation mode.
        images: normalised, float (B, 1, S, S).
        classes: for which class the evidence is wanted, int64 (B,).

    Returns:
        float (B, S, S) in 0…1, each map by its own maximum.

    Raises:
        ValueError: no layer has such maps.
    """
    name = _last_map(net, images[:1])
    layer = net.get_submodule(name)
    evidence = LayerGradCam(net, layer).attribute(images, target=classes, relu_attributions=True)
    maps = LayerAttribution.interpolate(evidence, tuple(images.shape[-2:]), "bilinear").detach()[:, 0]
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12), name


def transformer_of(net: nn.Module) -> SpatialTransformer | None:
    """The network's spatial transformer, if it has one."""
    return next((layer for layer in net.modules() if isinstance(layer, SpatialTransformer)), None)


@torch.no_grad()
def transformed(transformer: SpatialTransformer, images: Tensor) -> tuple[Tensor, Tensor]:
    """images, float (B, 1, S, S), as the transformer hands them on, and the box that it reads.

    The box's corners lie in the order of a closed line, (B, 5, 2), x before y, in pixels of the image.
    """
    theta = transformer.theta(transformer.localization(images)).float().view(-1, 2, 3)
    corners = theta.new_tensor([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1], [-1, -1, 1]])
    box = (corners @ theta.transpose(1, 2) + 1) / 2 * images.shape[-1] - 0.5
    return transformer(images), box


def _last_map(net: nn.Module, image: Tensor) -> str:
    """The name of the layer that is last, as the image runs through, of those whose output is a large enough map."""
    found: list[str] = []

    def note(name: str) -> object:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[-2:]) >= FINEST:
                found.append(name)

        return hook

    hooks = [layer.register_forward_hook(note(name)) for name, layer in net.named_modules() if name]
    try:
        with torch.no_grad():
            net(image)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise ValueError(f"no layer of {type(net).__name__} has maps of {FINEST}×{FINEST} or more")
    return found[-1]
