"""Networks start from the weights that they are given, and nothing in a file is executed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, resnet18

from fer_lightning.nets.first_layer import first_convolution
from fer_lightning.nets.resnet18 import ResNet18
from fer_lightning.nets.torchvision import torchvision_net
from fer_lightning.nets.weight_files import with_names_of
from fer_lightning.nets.weights import InitialWeights, head_of, load_initial_weights, load_weights
from fer_lightning.training.classifier import EmotionClassifier
from tests.runs import nightly

MEAN, STD = 0.5, 0.25


def in_colour(grey: Tensor, mean: list[float], std: list[float]) -> Tensor:
    """Grey images in 0…1 as a colour network takes them: three times, each normalised as it was trained."""
    return (grey.expand(-1, 3, -1, -1) - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def first_features(net: nn.Module, images: Tensor) -> Tensor:
    """What comes out of the first convolution."""
    seen: list[Tensor] = []
    _, layer = first_convolution(net)
    layer.register_forward_hook(lambda *arguments: seen.append(arguments[2]))
    net(images)
    return seen[0]


@pytest.mark.parametrize(
    "arch", ["resnet18", "mobilenet_v3_small", "googlenet", *nightly("vgg11_bn", "vit_b_32", "inception_v3")]
)
def test_colour_weights_take_grey_as_three_equal_channels(arch: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    inception = {"init_weights": True, "transform_input": True, "aux_logits": True}
    rgb = get_model(arch, weights=None, **(inception if arch in ("googlenet", "inception_v3") else {})).eval()
    torch.save(rgb.state_dict(), tmp_path / "rgb.pth")
    grey = torchvision_net(arch).eval()
    assert load_initial_weights(
        grey, arch, InitialWeights(weights_path=str(tmp_path / "rgb.pth"), mean=(MEAN,), std=(STD,))
    )
    preset = get_model_weights(arch).DEFAULT.transforms()
    pixels = torch.rand(2, 1, preset.crop_size[0], preset.crop_size[0])
    with torch.no_grad():
        theirs = first_features(rgb, in_colour(pixels, preset.mean, preset.std))
        ours = first_features(grey, (pixels - MEAN) / STD)
    assert theirs.abs().max() > 0.1
    # Zeros around the colour image are its mean colours; the offset's plane of ones gets these borders right too.
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_colour_weights_stay_the_same_function_of_colour_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rgb = get_model("mobilenet_v3_small", weights=None).eval()
    torch.save(rgb.state_dict(), tmp_path / "rgb.pth")
    ours = torchvision_net("mobilenet_v3_small", num_classes=1000, in_channels=3).eval()
    mean, std = (0.6, 0.4, 0.3), (0.2, 0.25, 0.3)
    initial = InitialWeights(weights_path=str(tmp_path / "rgb.pth"), mean=mean, std=std)
    assert load_initial_weights(ours, "mobilenet_v3_small", initial)
    preset = get_model_weights("mobilenet_v3_small").DEFAULT.transforms()
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        theirs = rgb((pixels - torch.tensor(preset.mean).view(3, 1, 1)) / torch.tensor(preset.std).view(3, 1, 1))
        found = ours((pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1))
    torch.testing.assert_close(found, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("network", ["resnet18", "deep_emotion", "torchvision"])
def test_networks_take_colour_images(network: str) -> None:
    arguments = {"arch": "mobilenet_v3_small"} if network == "torchvision" else {}
    model = EmotionClassifier(network, ("a", "b"), arguments, in_channels=3).eval()
    assert model(torch.rand(2, 3, 48, 48)).shape == (2, 2)


def test_the_whole_network_is_the_same_function_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rgb = resnet18(num_classes=7).eval()
    torch.save(rgb.state_dict(), tmp_path / "rgb.pth")
    grey = ResNet18().eval()
    load_initial_weights(
        grey, "resnet18", InitialWeights(weights_path=str(tmp_path / "rgb.pth"), mean=(MEAN,), std=(STD,))
    )
    pixels = torch.rand(4, 1, 48, 48)
    preset = get_model_weights("resnet18").DEFAULT.transforms()
    with torch.no_grad():
        expected = rgb(in_colour(pixels, preset.mean, preset.std))
        assert expected.std() > 0.1
        torch.testing.assert_close(grey((pixels - MEAN) / STD), expected, atol=1e-4, rtol=1e-4)


FAMILIES = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "swin_v2_t",
    "vgg11",
    "vgg11_bn",
    "vit_b_32",
    "wide_resnet50_2",
)


SMALL = (
    "densenet",
    "efficientnet_b",
    "googlenet",
    "mnasnet",
    "mobilenet",
    "regnet",
    "resnet18",
    "shufflenet",
    "squeeze",
)
"""Of which files are written; the weights of the others take some hundred megabytes."""


OLDER_NAMES = (
    (r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2."),
    (r"\.mlp\.0\.", ".mlp.linear_1."),
    (r"\.mlp\.3\.", ".mlp.linear_2."),
)


def as_older_releases_wrote(arch: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """By torch 0.4 and before: parameters as such, no counters of batch norm, other names in DenseNet and ViT."""
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    for new, old in OLDER_NAMES:
        if arch.startswith(("densenet", "vit")):  # other networks have an mlp.0 of their own
            state = {re.sub(new, old, name): value for name, value in state.items()}
    return {n: nn.Parameter(v) if n.endswith("weight") else v for n, v in state.items()}


def empty_nets(arch: str) -> tuple[nn.Module, nn.Module]:
    """torchvision's network and our grey one, neither of them initialised, which takes longer than to load them."""
    with torch.device("cpu" if arch.startswith("regnet") else "meta"):
        rgb = get_model(
            arch, weights=None, **({"init_weights": False} if arch in ("googlenet", "inception_v3") else {})
        )
        return rgb, torchvision_net(arch)


@pytest.mark.parametrize("arch", FAMILIES)
def test_files_of_old_torchvision_releases_are_read(arch: str, tmp_path: Path) -> None:
    rgb, grey = empty_nets(arch)
    own = grey.state_dict()
    if not arch.startswith(SMALL):
        older = as_older_releases_wrote(arch, rgb.state_dict())
        named = with_names_of(own, older, "older.pth")
        assert named.keys() == own.keys()
        assert {id(value) for value in older.values()} >= {id(named[name]) for name in named if "num_ba" not in name}
        assert load_weights(grey, arch, older, "older.pth", InitialWeights())
        return
    rgb.to_empty(device="cpu"), grey.to_empty(device="cpu")
    with torch.no_grad():
        for number, value in enumerate(rgb.state_dict().values()):
            value.fill_(number % 100)
        for value in grey.state_dict().values():
            value.fill_(0)
    older = as_older_releases_wrote(arch, rgb.state_dict())
    torch.save(older, tmp_path / "older.pth", _use_new_zipfile_serialization=False)
    assert load_initial_weights(grey, arch, InitialWeights(weights_path=str(tmp_path / "older.pth")))
    theirs, (first, _), (head, _) = rgb.state_dict(), first_convolution(grey), head_of(grey)
    for name, value in grey.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert value == 0, name
        elif not name.startswith((f"{first}.", f"{head}.")):
            assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize(
    "packed",
    [
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {f"_orig_mod.module.{name}": value for name, value in state.items()},
        lambda state: {"epoch": 3, "state_dict": state},
        lambda state: {"model": {f"module.{n}": v for n, v in state.items()}, "optimizer": {"state": {}}},
        lambda state: {"n_averaged": torch.tensor(3)} | {f"module.{name}": value for name, value in state.items()},
        lambda state: {name: value for name, value in state.items() if "num_batches" not in name},
        lambda state: {name: value.half() if value.is_floating_point() else value for name, value in state.items()},
    ],
    ids=["module", "compiled", "state_dict", "model", "averaged", "no counters", "half"],
)
def test_checkpoints_of_training_scripts_are_read(
    packed: Callable[[dict[str, Tensor]], dict[str, Any]], tmp_path: Path
) -> None:
    rgb = resnet18(num_classes=7)
    torch.save(packed(rgb.state_dict()), tmp_path / "theirs.pth.tar")
    grey = torchvision_net("resnet18")
    load_initial_weights(grey, "resnet18", InitialWeights(weights_path=str(tmp_path / "theirs.pth.tar")))
    torch.testing.assert_close(grey.state_dict()["fc.weight"], rgb.fc.weight.detach(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        grey.state_dict()["layer4.1.conv2.weight"], rgb.layer4[1].conv2.weight.detach(), atol=1e-4, rtol=1e-3
    )


def test_a_checkpoint_of_this_program_is_read_as_weights(tmp_path: Path) -> None:
    model = EmotionClassifier("resnet18", arguments={"width": 8})
    torch.save({"epoch": 1, "state_dict": model.state_dict(), "model_class": "x"}, tmp_path / "best.ckpt")
    net = ResNet18(width=8)
    load_initial_weights(net, "resnet18", InitialWeights(weights_path=str(tmp_path / "best.ckpt")))
    assert all(torch.equal(value, model.net.state_dict()[name]) for name, value in net.state_dict().items())


def test_the_stock_resnet18_takes_the_weights_of_torchvisions(tmp_path: Path) -> None:
    rgb = resnet18(num_classes=7).eval()
    torch.save(rgb.state_dict(), tmp_path / "resnet18.pth")
    start = InitialWeights(weights_path=str(tmp_path / "resnet18.pth"))
    ours, theirs = ResNet18().eval(), torchvision_net("resnet18").eval()
    assert load_initial_weights(ours, "resnet18", start)
    assert load_initial_weights(theirs, "resnet18", start)
    images = torch.randn(3, 1, 48, 48)
    assert torch.equal(ours(images), theirs(images))


def test_folded_colours_come_back_from_their_own_state_dict(tmp_path: Path) -> None:
    torch.save(resnet18(num_classes=7).state_dict(), tmp_path / "resnet18.pth")
    first = ResNet18()
    load_initial_weights(first, "resnet18", InitialWeights(weights_path=str(tmp_path / "resnet18.pth")))
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, tmp_path / "grey.safetensors")
    again = ResNet18()
    assert load_initial_weights(
        again, "resnet18", InitialWeights(weights_path=str(tmp_path / "grey.safetensors"))
    )  # learnt in colour
    images = torch.randn(3, 1, 48, 48)
    assert torch.equal(again.eval()(images), first.eval()(images))
    never_in_colour = ResNet18()
    again.load_state_dict(never_in_colour.state_dict())
    assert torch.equal(again(images), never_in_colour.eval()(images))


def test_a_head_of_other_classes_is_left_as_it_was_initialised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    imagenet = resnet18().state_dict()
    torch.save(imagenet, tmp_path / "resnet18.pth")
    net = ResNet18()
    before = net.fc.weight.detach().clone()
    with caplog.at_level("INFO"):
        load_initial_weights(net, "resnet18", InitialWeights(weights_path=str(tmp_path / "resnet18.pth")))
    assert "fc.weight keeps its random weights: weights_path" in caplog.text
    assert "has 1000 classes, not 7" in caplog.text
    assert torch.equal(net.fc.weight, before)
    assert torch.equal(net.layer4[1].conv2.weight, imagenet["layer4.1.conv2.weight"])


def test_auxiliary_heads_in_a_state_dict_are_left_out(tmp_path: Path) -> None:
    with_heads = get_model("googlenet", weights=None, init_weights=False, aux_logits=True)
    torch.save(with_heads.state_dict(), tmp_path / "googlenet.pth")
    net = torchvision_net("googlenet")
    load_initial_weights(net, "googlenet", InitialWeights(weights_path=str(tmp_path / "googlenet.pth")))
    assert torch.equal(net.state_dict()["conv2.conv.weight"], with_heads.state_dict()["conv2.conv.weight"])
