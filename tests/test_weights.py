"""Networks start from the weights that they are given, and nothing in a file is executed."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, resnet18, resnet34

from fer_lightning.nets.resnet18 import ResNet18
from fer_lightning.nets.torchvision import torchvision_net
from fer_lightning.nets.weights import Start, load_start

MEAN, STD = 0.5, 0.25


def in_colour(net: nn.Module, grey: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """What a colour network makes of grey images in 0…1, shown three times and normalised as it was trained."""
    images = grey.expand(-1, 3, -1, -1)
    images = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    return net(images)  # type: ignore[no-any-return]


@pytest.mark.parametrize("arch", ["resnet18", "vgg11_bn", "mobilenet_v3_small", "vit_b_32", "googlenet"])
def test_colour_weights_give_a_grey_image_the_function_of_that_image_three_times(arch: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"init_weights": False, "transform_input": True} if arch == "googlenet" else {}
    rgb = get_model(arch, weights=None, num_classes=7, **options).eval()
    for layer in rgb.modules():  # as after training: at their first values most norms do nothing
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            layer.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    torch.save(rgb.state_dict(), tmp_path / "rgb.pth")
    grey = torchvision_net(arch).eval()
    assert load_start(grey, arch, Start(weights_path=str(tmp_path / "rgb.pth"), mean=MEAN, std=STD))
    pixels = torch.rand(2, 1, 224, 224)
    preset = get_model_weights(arch).DEFAULT.transforms()
    with torch.no_grad():
        expected = in_colour(rgb, pixels, tuple(preset.mean), tuple(preset.std))
        # Zeros around the colour image are its mean colours; the offset's plane of ones gets that right too.
        torch.testing.assert_close(grey((pixels - MEAN) / STD), expected, atol=1e-4, rtol=1e-3)


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
    assert not load_start(again, "resnet18", Start(weights_path=str(tmp_path / "grey.safetensors")))
    images = torch.randn(3, 1, 48, 48)
    assert torch.equal(again.eval()(images), first.eval()(images))
    never_in_colour = ResNet18()
    again.load_state_dict(never_in_colour.state_dict())
    assert torch.equal(again(images), never_in_colour.eval()(images))


def test_a_classifier_of_other_classes_is_left_as_it_was_initialised(tmp_path: Path) -> None:
    imagenet = resnet18().state_dict()
    torch.save(imagenet, tmp_path / "resnet18.pth")
    net = ResNet18()
    before = net.fc.weight.detach().clone()
    load_start(net, "resnet18", Start(weights_path=str(tmp_path / "resnet18.pth")))
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
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match=r"checkpoint\.pth holds no state dict .* but epoch, state_dict"):
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


def test_pretrained_takes_the_file_that_lies_in_torchs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.HASH_REGEX", torch.hub.re.compile("never"))  # ours has not ImageNet's digest
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = resnet18().state_dict()
    torch.save(state, folder / "resnet18-f37072fd.pth")
    net = torchvision_net("resnet18")
    assert load_start(net, "resnet18", Start(pretrained=True))
    assert torch.equal(net.state_dict()["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])


def test_two_starts_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="pretrained and weights_path are two starts"):
        Start(pretrained=True, weights_path="weights.pth")
