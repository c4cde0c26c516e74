"""What the pictures of attention show is what the network does."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18
from fer_lightning.nets.torchvision import torchvision_net
from fer_lightning.report.attention import grad_cam, transformed, transformer_of


class WhereTheLightIs(nn.Module):
    """Its first class is the brightness of the upper left quarter, its second that of the lower right one."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(1, 2, 1, bias=False)
        nn.init.ones_(self.map.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.map(images)
        half = images.shape[-1] // 2
        return torch.stack([maps[:, 0, :half, :half].sum((1, 2)), maps[:, 1, half:, half:].sum((1, 2))], 1)


def test_grad_cam_is_high_where_the_evidence_is() -> None:
    image = torch.zeros(1, 1, 48, 48)
    image[..., 6:12, 6:12] = 1.0
    maps, layer = grad_cam(WhereTheLightIs().eval(), image, torch.tensor([0]))
    assert layer == "map"
    assert maps.shape == (1, 48, 48)
    assert torch.equal(maps[0], image[0, 0])


@pytest.mark.parametrize(
    ("net", "size", "layer"),
    [
        (partial(ResNet18, width=8), 48, "layer2"),
        (partial(ResNet18, stem="pooled", width=8), 48, "layer3"),
        (DeepEmotion, 48, "features"),
        (partial(torchvision_net, "resnet18", 7), 96, "layer3"),
        (partial(torchvision_net, "resnet50", 7), 96, "layer3"),  # of bottleneck blocks
        (partial(torchvision_net, "vgg11", 7), 48, "features.13"),  # its adaptive pool blows 1×1 up to 7×7
    ],
)
def test_grad_cam_asks_the_last_layer_that_can_tell_places_apart(
    net: Callable[[], nn.Module], size: int, layer: str
) -> None:
    maps, asked = grad_cam(net().eval(), torch.rand(3, 1, size, size), torch.tensor([0, 1, 2]))
    assert asked == layer
    assert maps.shape == (3, size, size)
    assert 0 <= float(maps.min()) <= float(maps.max()) <= 1


@pytest.mark.parametrize(("arch", "size"), [("vit_b_32", 224), ("swin_t", 96)])
def test_grad_cam_refuses_a_network_that_only_sees_patches(arch: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"no layer of .* has maps of 6×6"):
        grad_cam(torchvision_net(arch, 7).eval(), torch.rand(1, 1, size, size), torch.tensor([0]))


def test_the_box_is_what_the_transformer_reads() -> None:
    net = DeepEmotion().eval()
    transformer = transformer_of(net)
    assert transformer is not None
    assert transformer_of(ResNet18(width=4)) is None
    turn = math.radians(90)
    theta = [0.5 * math.cos(turn), -0.5 * math.sin(turn), 0.0, 0.5 * math.sin(turn), 0.5 * math.cos(turn), 0.5]
    with torch.no_grad():
        transformer.theta.bias.copy_(torch.tensor(theta))
    image = torch.rand(1, 1, 48, 48)
    warped, box = transformed(transformer, image)
    # Half as large, a quarter of the image further down, and turned: its first corner is the upper right one.
    torch.testing.assert_close(
        box[0], torch.tensor([[35.5, 23.5], [35.5, 47.5], [11.5, 47.5], [11.5, 23.5], [35.5, 23.5]]), atol=1e-4, rtol=0
    )
    middle = image[0, 0, 35:37, 23:25].mean()
    torch.testing.assert_close(warped[0, 0, 23:25, 23:25].mean(), middle, atol=1e-4, rtol=0)
