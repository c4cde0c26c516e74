"""Shows what a network looks at: Grad-CAM, and the box that a spatial transformer reads."""

from collections import Counter
from collections.abc import Callable

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from fer_lightning.nets.deep_emotion import SpatialTransformer

FINEST = 6
"""Height and width that a map must have to show a place in a face; the last layers of most networks have 1 to 3."""


def grad_cam(net: nn.Module, images: Tensor, classes: Tensor) -> tuple[Tensor, str]:
    """Returns where the evidence for a class lies, and the name of the layer that was asked.

    Selvaraju et al.: Grad-CAM, ICCV 2017, at the last convolutional layer whose maps are at least 6×6.

    Args:
        net: in evaluation mode.
        images: normalised, float (B, 1, S, S).
        classes: for which class the evidence is wanted, int64 (B,).

    Returns:
        float (B, S, S) in 0…1, each map by its own maximum.

    Raises:
        ValueError: no layer has such maps.
    """
    with torch.compiler.set_stance("force_eager"):  # hooks would have a compiled network compiled again
        name = _last_map(net, images[:1])
        layer = net.get_submodule(name)
        evidence = LayerGradCam(net, layer).attribute(images, target=classes, relu_attributions=True)
    maps = LayerAttribution.interpolate(evidence, tuple(images.shape[-2:]), "bilinear").detach()[:, 0]
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12), name


def transformer_of(net: nn.Module) -> SpatialTransformer | None:
    """Returns the network's spatial transformer, if it has one."""
    return next((layer for layer in net.modules() if isinstance(layer, SpatialTransformer)), None)


@torch.no_grad()
def transformed(transformer: SpatialTransformer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Returns images, float (B, 1, S, S), as the transformer hands them on, and the box that it reads.

    The box's corners lie in the order of a closed line, (B, 5, 2), x before y, in pixels of the image.
    """
    images = images.to(transformer.theta.weight.dtype)
    theta = transformer.theta(transformer.localization(images)).float().view(-1, 2, 3)
    corners = theta.new_tensor([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1], [-1, -1, 1]])
    box = (corners @ theta.transpose(1, 2) + 1) / 2 * images.shape[-1] - 0.5
    return transformer(images), box


def _last_map(net: nn.Module, image: Tensor) -> str:
    """Returns the name of the last layer, as the image runs through, of those that tell where in it something is.

    These are convolutions, and what is built of them, whose maps are large enough and no larger than what they are made
    of (an adaptive pool can blow one number up), and that have one channel a filter (some transformers put them last).
    A layer that is called several times is none: its maps could not be told apart. Nor is a part of a block: evidence
    also takes the way around it.
    """
    calls: Counter[str] = Counter()
    found: list[str] = []

    def note(name: str, layer: nn.Module) -> Callable[..., None]:
        convolutions = [part for part in layer.modules() if isinstance(part, nn.Conv2d)]

        def hook(_: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            calls[name] += 1
            if not (isinstance(output, Tensor) and output.ndim == 4 and convolutions):
                return
            before = inputs[0].shape[-1] if inputs and isinstance(inputs[0], Tensor) else 0
            filters = {convolution.out_channels for convolution in convolutions}
            if min(output.shape[-2:]) >= FINEST and output.shape[-1] <= before and output.shape[1] in filters:
                found.append(name)

        return hook

    stages_and_blocks = {name: layer for name, layer in net.named_modules() if name and name.count(".") < 2}
    hooks = [layer.register_forward_hook(note(name, layer)) for name, layer in stages_and_blocks.items()]
    try:
        with torch.no_grad():
            net(image)
    finally:
        for hook in hooks:
            hook.remove()
    found = [name for name in found if calls[name] == 1]
    alone = sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == 1
    if not found or (alone and any(isinstance(layer, nn.LayerNorm) for layer in net.modules())):
        raise ValueError(
            f"no layer of {type(net).__name__} but perhaps the first has maps of {FINEST}×{FINEST} or more"
        )
    return found[-1]
