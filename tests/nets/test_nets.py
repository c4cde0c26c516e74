"""The networks are the ones that their names promise."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18
from fer_lightning.nets.small_resnet import SmallResNet
from fer_lightning.nets.torchvision import colour_size, input_size_error, torchvision_net

ARCHITECTURES = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "squeezenet1_1",
    "swin_t",
    "vgg11_bn",
    "vit_b_32",
)
"""One of each family."""


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_deep_emotion_has_the_parameters_of_the_reference() -> None:
    net = DeepEmotion()
    assert parameters(net) == 66_877
    assert parameters(net.transformer) == 23_120
    assert parameters(DeepEmotion(num_classes=8)) == 66_877 + 51


def test_small_resnet_has_the_parameters_that_it_names() -> None:
    kernels = 9 * (8 + 8 * 32 + 32 * 48 + 48 * 48 + 48 * 72 + 72 * 72)
    norms = 2 * (8 + 32 + 2 * 48 + 2 * 72)
    assert parameters(SmallResNet()) == kernels + norms + 72 * 7 + 7 == 115_767
    assert SmallResNet(in_channels=3)(torch.rand(2, 3, 40, 40)).shape == (2, 7)


def test_small_resnet_refuses_widths_without_depths() -> None:
    with pytest.raises(ValueError, match=r"widths \[8, 16\] and depths \[1\] must be as many"):
        SmallResNet(widths=(8, 16), depths=(1,))


def test_the_transformer_starts_as_the_identity_and_learns() -> None:
    net, images = DeepEmotion(), torch.rand(4, 1, 48, 48)
    torch.testing.assert_close(net.transformer(images), images, atol=1e-4, rtol=0)
    net.eval()(images).square().sum().backward()
    assert net.transformer.theta.weight.grad is not None
    assert net.transformer.theta.weight.grad.abs().max() > 0


def test_the_transformer_warps_by_what_it_predicts() -> None:
    transformer, images = DeepEmotion().transformer, torch.rand(2, 1, 48, 48)
    with torch.no_grad():
        transformer.theta.bias.copy_(torch.tensor([-1.0, 0, 0, 0, 1, 0]))
    torch.testing.assert_close(transformer(images), images.flip(3), atol=1e-4, rtol=0)


def test_deep_emotion_drops_features_in_training_only() -> None:
    net, images = DeepEmotion(), torch.rand(4, 1, 48, 48)
    net.eval()
    assert torch.equal(net(images), net(images))
    net.train()
    assert not torch.equal(net(images), net(images))


def test_resnet18_has_the_parameters_of_torchvisions() -> None:
    of_torchvision = parameters(resnet18(num_classes=7))
    assert parameters(ResNet18()) == of_torchvision - 2 * 64 * 7 * 7
    assert parameters(ResNet18(stem="small")) == of_torchvision - 3 * 64 * 7 * 7 + 64 * 3 * 3
    assert parameters(ResNet18(width=32)) < parameters(ResNet18()) / 3.9


def test_each_stem_keeps_its_resolution() -> None:
    images = torch.rand(1, 1, 48, 48)
    for stem, side in (("imagenet", 12), ("pooled", 24), ("small", 48)):
        net = ResNet18(stem=stem)  # type: ignore[arg-type]
        assert net.maxpool(net.conv1(images)).shape[-2:] == (side, side)


@pytest.mark.parametrize(("name", "value"), [("stem", "large"), ("width", 0), ("dropout", 1.0)])
def test_an_argument_outside_its_range_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        ResNet18(**{name: value})  # type: ignore[arg-type]


def test_every_network_of_torchvision_is_grey_with_the_classes() -> None:
    for arch in ARCHITECTURES:
        net = torchvision_net(arch, num_classes=5).eval()
        size = colour_size(arch) if input_size_error(net, 48) else 48
        with torch.no_grad():
            assert net(torch.zeros(1, 1, size, size)).shape == (1, 5), arch


def test_a_network_trains_without_auxiliary_heads() -> None:
    net = torchvision_net("inception_v3").train()
    assert isinstance(net(torch.zeros(2, 1, 96, 96)), torch.Tensor)
    assert not any("Aux" in name for name, _ in net.named_modules())


def test_an_unknown_architecture_lists_near_names() -> None:
    with pytest.raises(ValueError, match=r"arch is 'resnet19', which .* did you mean .*resnet18"):
        torchvision_net("resnet19")
    with pytest.raises(ValueError, match=r"arch is 'xyz', which .* there are alexnet, "):
        torchvision_net("xyz")


def test_why_a_network_does_not_take_a_size_is_said() -> None:
    assert input_size_error(torchvision_net("vit_b_32"), 96) == "Wrong image height! Expected 224 but got 96!"
    assert input_size_error(torchvision_net("resnet18"), 96) is None
