"""The networks are the ones that their names promise."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import resnet18, resnet34

from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_deep_emotion_has_the_parameters_of_the_reference_network() -> None:
    net = DeepEmotion()
    assert parameters(net) == 66_877
    assert parameters(net.transformer) == 23_120
    assert parameters(DeepEmotion(num_classes=8)) == 66_877 + 51


def test_the_spatial_transformer_starts_as_the_identity_and_learns() -> None:
    net, images = DeepEmotion(), torch.rand(4, 1, 48, 48)
    torch.testing.assert_close(net.transformer(images), images, atol=1e-4, rtol=0)
    net.eval()(images).square().sum().backward()
    assert net.transformer.theta.weight.grad is not None
    assert net.transformer.theta.weight.grad.abs().max() > 0


def test_the_spatial_transformer_warps_by_the_transform_that_it_predicts() -> None:
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


def test_resnet18_has_the_parameters_of_torchvisions_with_one_channel_and_seven_classes() -> None:
    of_torchvision = parameters(resnet18(num_classes=7))
    assert parameters(ResNet18()) == of_torchvision - 2 * 64 * 7 * 7
    assert parameters(ResNet18(stem="small")) == of_torchvision - 3 * 64 * 7 * 7 + 64 * 3 * 3
    assert parameters(ResNet18(in_channels=3)) == of_torchvision


def test_the_small_stem_keeps_the_full_resolution() -> None:
    images = torch.rand(1, 1, 48, 48)
    for stem, side in (("imagenet", 12), ("small", 48)):
        net = ResNet18(stem=stem)  # type: ignore[arg-type]
        assert net.maxpool(net.conv1(images)).shape[-2:] == (side, side)


def test_rgb_weights_give_a_grey_image_the_function_of_that_image_three_times(tmp_path: Path) -> None:
    rgb = resnet18(num_classes=7).eval()
    torch.save(rgb.state_dict(), tmp_path / "resnet18.pth")
    grey = ResNet18(weights_path=str(tmp_path / "resnet18.pth")).eval()
    images = torch.randn(3, 1, 48, 48)
    torch.testing.assert_close(grey(images), rgb(images.expand(-1, 3, -1, -1)), atol=1e-4, rtol=1e-4)


def test_a_classifier_of_other_classes_is_left_as_it_was_initialised(tmp_path: Path) -> None:
    imagenet = resnet18().state_dict()
    torch.save(imagenet, tmp_path / "resnet18.pth")
    net = ResNet18(weights_path=str(tmp_path / "resnet18.pth"))
    assert net.fc.weight.shape == (7, 512)
    assert torch.equal(net.layer4[1].conv2.weight, imagenet["layer4.1.conv2.weight"])


def test_weights_of_another_network_are_refused_with_the_keys_that_do_not_fit(tmp_path: Path) -> None:
    torch.save(resnet34().state_dict(), tmp_path / "resnet34.pth")
    with pytest.raises(ValueError, match=r"resnet34\.pth does not fit .* layer1\.2\.bn1\.bias is not a ResNet18's"):
        ResNet18(weights_path=str(tmp_path / "resnet34.pth"))


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pth does not exist"):
        ResNet18(weights_path=str(tmp_path / "none.pth"))
    torch.save(resnet18().state_dict(), tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"cut\.pth is not a state dict"):
        ResNet18(weights_path=str(tmp_path / "cut.pth"))


class Malicious:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.witness,)


def test_a_pickle_that_would_execute_code_is_refused_and_does_not(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    with pytest.raises(ValueError, match=r"evil\.pth is not a state dict that torch can load safely"):
        ResNet18(weights_path=str(tmp_path / "evil.pth"))
    assert not (tmp_path / "executed").exists()
    pickle.loads((tmp_path / "evil.pth").read_bytes())
    assert (tmp_path / "executed").exists()


def test_pretrained_without_internet_says_which_file_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"resnet18-f37072fd\.pth .* put it into .*checkpoints.* model\.weights_path"):
        ResNet18(pretrained=True)


@pytest.mark.parametrize(("name", "value"), [("stem", "large"), ("dropout", 1.0)])
def test_an_argument_outside_its_range_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        ResNet18(**{name: value})  # type: ignore[arg-type]
