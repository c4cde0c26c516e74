"""Networks start from the weights that they are given, and nothing in a file is executed."""

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, resnet18, resnet34

from fer_lightning.nets.grey import first_convolution
from fer_lightning.nets.resnet18 import ResNet18
from fer_lightning.nets.torchvision import torchvision_net
from fer_lightning.nets.weights import Start, load_start

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
    "arch", ["resnet18", "vgg11_bn", "mobilenet_v3_small", "vit_b_32", "googlenet", "inception_v3"]
)
def test_colour_weights_give_a_grey_image_the_function_of_that_image_three_times(arch: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    inception = {"init_weights": True, "transform_input": True, "aux_logits": True}
    rgb = get_model(arch, weights=None, **(inception if arch in ("googlenet", "inception_v3") else {})).eval()
    torch.save(rgb.state_dict(), tmp_path / "rgb.pth")
    grey = torchvision_net(arch).eval()
    assert load_start(grey, arch, Start(weights_path=str(tmp_path / "rgb.pth"), mean=MEAN, std=STD))
    preset = get_model_weights(arch).DEFAULT.transforms()
    pixels = torch.rand(2, 1, preset.crop_size[0], preset.crop_size[0])
    with torch.no_grad():
        theirs = first_features(rgb, in_colour(pixels, preset.mean, preset.std))
        ours = first_features(grey, (pixels - MEAN) / STD)
    assert theirs.abs().max() > 0.1
    # Zeros around the colour image are its mean colours; the offset's plane of ones gets these borders right too.
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_whole_network_is_the_same_function_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rgb = resnet18(num_classes=7).eval()
    torch.save(rgb.state_dict(), tmp_path / "rgb.pth")
    grey = ResNet18().eval()
    load_start(grey, "resnet18", Start(weights_path=str(tmp_path / "rgb.pth"), mean=MEAN, std=STD))
    pixels = torch.rand(4, 1, 48, 48)
    preset = get_model_weights("resnet18").DEFAULT.transforms()
    with torch.no_grad():
        expected = rgb(in_colour(pixels, preset.mean, preset.std))
        assert expected.std() > 0.1
        torch.testing.assert_close(grey((pixels - MEAN) / STD), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("arch", "new", "old"),
    [
        ("densenet121", r"(denselayer\d+\.)(norm|conv)([12])\.", r"\1\2.\3."),
        ("vit_b_32", r"\.mlp\.(0|3)\.", lambda match: f".mlp.linear_{1 if match[1] == '0' else 2}."),
    ],
)
def test_weight_files_with_the_older_names_of_layers_are_read(arch: str, new: str, old: Any, tmp_path: Path) -> None:
    net = get_model(arch, weights=None)
    older = {re.sub(new, old, name): value for name, value in net.state_dict().items()}
    assert older.keys() != net.state_dict().keys()
    torch.save(older, tmp_path / "older.pth")
    grey = torchvision_net(arch)
    load_start(grey, arch, Start(weights_path=str(tmp_path / "older.pth")))
    deep = next(name for name in net.state_dict() if re.search(new, name))
    assert torch.equal(grey.state_dict()[deep], net.state_dict()[deep])


def test_the_stock_resnet18_takes_the_same_weights_as_torchvisions(tmp_path: Path) -> None:
    rgb = resnet18(num_classes=7).eval()
    torch.save(rgb.state_dict(), tmp_path / "resnet18.pth")
    start = Start(weights_path=str(tmp_path / "resnet18.pth"))
    ours, theirs = ResNet18().eval(), torchvision_net("resnet18").eval()
    assert load_start(ours, "resnet18", start)
    assert load_start(theirs, "resnet18", start)
    images = torch.randn(3, 1, 48, 48)
    assert torch.equal(ours(images), theirs(images))


def test_a_grey_network_with_folded_colours_comes_back_from_its_own_state_dict(tmp_path: Path) -> None:
    torch.save(resnet18(num_classes=7).state_dict(), tmp_path / "resnet18.pth")
    first = ResNet18()
    load_start(first, "resnet18", Start(weights_path=str(tmp_path / "resnet18.pth")))
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, tmp_path / "grey.safetensors")
    again = ResNet18()
    assert load_start(again, "resnet18", Start(weights_path=str(tmp_path / "grey.safetensors")))  # learnt in colour
    images = torch.randn(3, 1, 48, 48)
    assert torch.equal(again.eval()(images), first.eval()(images))
    never_in_colour = ResNet18()
    again.load_state_dict(never_in_colour.state_dict())
    assert torch.equal(again(images), never_in_colour.eval()(images))


def test_a_classifier_of_other_classes_is_left_as_it_was_initialised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    imagenet = resnet18().state_dict()
    torch.save(imagenet, tmp_path / "resnet18.pth")
    net = ResNet18()
    before = net.fc.weight.detach().clone()
    with caplog.at_level("INFO"):
        load_start(net, "resnet18", Start(weights_path=str(tmp_path / "resnet18.pth")))
    assert "fc.weight starts anew: weights_path" in caplog.text
    assert "has 1000 classes, not 7" in caplog.text
    assert torch.equal(net.fc.weight, before)
    assert torch.equal(net.layer4[1].conv2.weight, imagenet["layer4.1.conv2.weight"])


def test_auxiliary_heads_in_a_state_dict_are_left_out(tmp_path: Path) -> None:
    with_heads = get_model("googlenet", weights=None, init_weights=False, aux_logits=True)
    torch.save(with_heads.state_dict(), tmp_path / "googlenet.pth")
    net = torchvision_net("googlenet")
    load_start(net, "googlenet", Start(weights_path=str(tmp_path / "googlenet.pth")))
    assert torch.equal(net.state_dict()["conv2.conv.weight"], with_heads.state_dict()["conv2.conv.weight"])


def test_weights_of_another_network_are_refused_with_the_keys_that_do_not_fit(tmp_path: Path) -> None:
    torch.save(resnet34().state_dict(), tmp_path / "resnet34.pth")
    with pytest.raises(ValueError, match=r"resnet34\.pth does not fit resnet18: layer1\.2\.bn1\.bias is not"):
        load_start(ResNet18(), "resnet18", Start(weights_path=str(tmp_path / "resnet34.pth")))
    torch.save(resnet18(num_classes=7).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(ValueError, match=r"fit resnet18: .*conv1\.weight is \(64, 1, 7, 7\), not \(64, 1, 3, 3\)"):
        load_start(ResNet18(stem="small"), "resnet18", Start(weights_path=str(tmp_path / "resnet18.pth")))


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pth does not exist"):
        load_start(ResNet18(), "resnet18", Start(weights_path=str(tmp_path / "none.pth")))
    state = resnet18().state_dict()
    torch.save(state, tmp_path / "cut.pth")
    save_file(state, tmp_path / "cut.safetensors")
    for name in ("cut.pth", "cut.safetensors"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:100_000])
        with pytest.raises(ValueError, match=rf"{name} is damaged"):
            load_start(ResNet18(), "resnet18", Start(weights_path=str(tmp_path / name)))
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth holds no state dict .* but epoch"):
        load_start(ResNet18(), "resnet18", Start(weights_path=str(tmp_path / "other.pth")))
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match=r"checkpoint\.pth is a checkpoint: give the model\.safetensors"):
        load_start(ResNet18(), "resnet18", Start(weights_path=str(tmp_path / "checkpoint.pth")))


class Malicious:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.witness,)


def test_a_pickle_that_would_execute_code_is_refused_and_does_not(tmp_path: Path) -> None:
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    torch.save({"conv1.weight": Malicious(tmp_path / "executed")}, tmp_path / "hidden.pth")
    for name in ("plain.pth", "hidden.pth"):
        with pytest.raises(ValueError, match=rf"{name} is damaged, or holds more than plain tensors, which is not"):
            load_start(ResNet18(), "resnet18", Start(weights_path=str(tmp_path / name)))
        assert not (tmp_path / "executed").exists()
    pickle.loads((tmp_path / "plain.pth").read_bytes())
    assert (tmp_path / "executed").exists()


def test_pretrained_without_internet_says_which_file_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"resnet18-f37072fd\.pth on .* into .*checkpoints.* model\.weights_path"):
        load_start(ResNet18(), "resnet18", Start(pretrained=True))


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch keeps the ImageNet weights of ResNet18."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder / "resnet18-f37072fd.pth"


def test_pretrained_takes_the_file_that_lies_in_torchs_cache(cached: Path) -> None:
    state = resnet18().state_dict()
    torch.save(state, cached)
    net = torchvision_net("resnet18")
    assert load_start(net, "resnet18", Start(pretrained=True))
    assert torch.equal(net.state_dict()["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])


def test_a_damaged_or_malicious_file_in_torchs_cache_is_refused_and_not_executed(cached: Path, tmp_path: Path) -> None:
    torch.save(resnet18().state_dict(), cached)
    for content in (b"", b"garbage", cached.read_bytes()[:100_000], pickle.dumps(Malicious(tmp_path / "executed"))):
        cached.write_bytes(content)
        with pytest.raises(ValueError, match=r"resnet18-f37072fd\.pth is damaged, or holds more .* Delete it"):
            load_start(ResNet18(), "resnet18", Start(pretrained=True))
        assert not (tmp_path / "executed").exists()


def test_two_starts_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="pretrained and weights_path are two starts"):
        Start(pretrained=True, weights_path="weights.pth")
