"""Weights that do not fit, or that would execute code, are refused; torchvision's own are taken from torch's cache."""

import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18, resnet34

from fer_lightning.nets.resnet18 import ResNet18
from fer_lightning.nets.torchvision import torchvision_net
from fer_lightning.nets.weights import InitialWeights, load_initial_weights
from tests.nets.test_weights import as_older_releases_wrote


def test_weights_of_another_network_are_refused_with_their_keys(tmp_path: Path) -> None:
    torch.save(resnet34().state_dict(), tmp_path / "resnet34.pth")
    why = (
        r"resnet34\.pth does not fit resnet18: 96 of the file's 218 tensors not in the network \(layer1\.2\.conv1\.w"
        r".*, …\)\. By its number of weights it is torchvision's resnet34$"
    )
    with pytest.raises(ValueError, match=why):
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / "resnet34.pth")))
    torch.save(resnet18(num_classes=7).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(ValueError, match=r"fit resnet18: 1 of another shape \(conv1\.weight is \(64, 1, 7, 7\), not"):
        load_initial_weights(
            ResNet18(stem="small"), "resnet18", InitialWeights(weights_path=str(tmp_path / "resnet18.pth"))
        )


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pth does not exist"):
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / "none.pth")))
    state = resnet18().state_dict()
    torch.save(state, tmp_path / "cut.pth")
    save_file(state, tmp_path / "cut.safetensors")
    for name in ("cut.pth", "cut.safetensors"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:100_000])
        with pytest.raises(ValueError, match=rf"{name} is damaged"):
            load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / name)))
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth holds no state dict .* but epoch"):
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / "other.pth")))
    torch.save({"model": state, "args": Namespace(lr=0.1)}, tmp_path / "options.pth")
    with pytest.raises(ValueError, match=r"options\.pth is damaged, or holds more .* \(it names argparse\.Namespace\)"):
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / "options.pth")))
    two = {f"{one}.{key}": value for one in ("student", "teacher") for key, value in state.items()}
    torch.save(two, tmp_path / "two.pth")
    with pytest.raises(ValueError, match=r"two\.pth holds 2 networks that fit, below student\., teacher\.: give one"):
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / "two.pth")))
    torch.save({f"{'k' * 10**4}{key}": value for key, value in state.items()}, tmp_path / "long.pth")
    with pytest.raises(ValueError, match="122 of the network's 122 tensors missing") as refused:
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / "long.pth")))
    assert len(str(refused.value)) < 2000


class Malicious:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.witness,)


def test_a_pickle_that_would_execute_code_does_not(tmp_path: Path) -> None:
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    torch.save({"conv1.weight": Malicious(tmp_path / "executed")}, tmp_path / "hidden.pth")
    for name in ("plain.pth", "hidden.pth"):
        with pytest.raises(ValueError, match=rf"{name} is damaged, or holds more than plain tensors, which is not"):
            load_initial_weights(ResNet18(), "resnet18", InitialWeights(weights_path=str(tmp_path / name)))
        assert not (tmp_path / "executed").exists()
    pickle.loads((tmp_path / "plain.pth").read_bytes())
    assert (tmp_path / "executed").exists()


def test_pretrained_without_internet_says_which_file_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"resnet18-f37072fd\.pth on .* into .*checkpoints.* model\.weights_path"):
        load_initial_weights(ResNet18(), "resnet18", InitialWeights(pretrained=True))


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch keeps the ImageNet weights of ResNet18."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder / "resnet18-f37072fd.pth"


def test_pretrained_takes_the_file_that_lies_in_torchs_cache(cached: Path) -> None:
    state = resnet18().state_dict()
    older = as_older_releases_wrote("resnet18", state)
    torch.save(older, cached, _use_new_zipfile_serialization=False)
    net = torchvision_net("resnet18")
    assert load_initial_weights(net, "resnet18", InitialWeights(pretrained=True))
    assert torch.equal(net.state_dict()["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])


def test_a_bad_file_in_torchs_cache_is_refused_and_not_executed(cached: Path, tmp_path: Path) -> None:
    torch.save(resnet18().state_dict(), cached)
    for content in (b"", b"garbage", cached.read_bytes()[:100_000], pickle.dumps(Malicious(tmp_path / "executed"))):
        cached.write_bytes(content)
        with pytest.raises(ValueError, match=r"resnet18-f37072fd\.pth is damaged, or holds more .* Delete it"):
            load_initial_weights(ResNet18(), "resnet18", InitialWeights(pretrained=True))
        assert not (tmp_path / "executed").exists()


def test_two_starts_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="pretrained and weights_path both name weights to start from"):
        InitialWeights(pretrained=True, weights_path="weights.pth")
