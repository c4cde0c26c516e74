"""Somebody's own networks come back from their checkpoints, or are refused before the first step."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fer_lightning.config.build import build, rebuild
from fer_lightning.config.run_config import run_config
from fer_lightning.errors import ConfigError
from fer_lightning.nets.registry import network_maker, register
from fer_lightning.nets.trusted import VARIABLE
from fer_lightning.nets.weights import InitialWeights, load_initial_weights
from fer_lightning.training.models import load_model
from tests.conftest import Compose
from tests.runs import changes
from tests.stopped_runs import BASE, fitted, run_folder

ONE_EPOCH = (*BASE, "trainer.max_epochs=1")


class Base(nn.Module):
    def __init__(self, num_classes: int, width: int = 4, slope: float = 0.1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 9, stride=8)
        self.rest = nn.Sequential(nn.LeakyReLU(slope), nn.Flatten(), nn.Linear(width * 25, num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.rest(self.stem(images))  # type: ignore[no-any-return]


@register("own_other_outputs")
class OtherOutputs(Base):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes + 3)


@register("own_headless")
class Headless(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes, self.layer = num_classes, nn.Bilinear(1, 1, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, : self.num_classes]


@register("own_drawn_anew")
class DrawnAnew(Base):
    """What it computes depends on a number that no checkpoint holds."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, slope=float(torch.rand(())))


@register("own_anything")
def own_anything(num_classes: int, **options: Any) -> nn.Module:
    return Base(num_classes)


@register("own_counting")
class CountsSteps(Base):
    """What it computes depends on how often it was trained."""

    steps = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        return super().forward(images) * (1 + self.steps)


@register("own_unresolved")
class Unresolved(Base):
    def __init__(self, num_classes: int, width: "Gone" = 4) -> None:  # type: ignore[name-defined]  # noqa: F821
        super().__init__(num_classes, width)


@register("own_lazy")
def own_lazy(num_classes: int) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that this is new
        head = nn.LazyLinear(num_classes)
    return nn.Sequential(nn.Conv2d(1, 4, 9, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), head)


@register("own_frozen")
class Frozen(Base):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.requires_grad_(False)


@register("own_none")
def own_none(num_classes: int) -> Any:
    return None


@register("own_raising")
class Raising(Base):
    def __init__(self, num_classes: int) -> None:
        raise KeyError("a layer")


@register("own_tuple")
class GivesTuple(Base):
    def forward(self, images: torch.Tensor) -> Any:
        return super().forward(images), images


@register("own_odd_size")
class OddSize(Base):
    image_size = (48, 48)


@register("own_base")
class Sound(Base):
    """With a list of numbers, weights_path as an argument of its own, and an `arch` that torchvision does not know."""

    arch = "tiny"

    def __init__(
        self, num_classes: int, slope: float = 0.1, sizes: list[int] | None = None, weights_path: str = ""
    ) -> None:
        super().__init__(num_classes, slope=slope)


@pytest.mark.parametrize(
    ("network", "overrides", "why"),
    [
        ("own_base", ["+model.slop=0.9"], r"^model\.slop is not an argument of Sound; did you mean slope\?"),
        ("own_base", ["+model.slope=steep"], r"^model\.slope is 'steep': it should be a valid number"),
        ("own_base", ["+model.num_classes=7"], r"^model\.num_classes is given: the data says how many"),
        ("own_base", ["+model.conv_lr_scale=2"], r"^model: conv_lr_scale is given, but Sound has no part conv"),
        ("own_base", ["+model.stem_lr_scale=0"], r"^model\.stem_lr_scale is 0; it must be above 0"),
        ("own_base", ["+model.sizes=[[1]]"], r"^model\.sizes is \[\[1\]\]: it should be a valid integer"),
        ("own_drawn_anew", [], "DrawnAnew comes back from its checkpoint as another function: what it computes must"),
        ("own_other_outputs", [], r"OtherOutputs gives \(2, 10\) for two faces; expected are logits, \(2, 7\)"),
        ("own_headless", [], r"Headless has no nn\.Linear or nn\.Conv2d, the last of which is its head"),
        (
            "own_base",
            ["+model.pretrained=true"],
            "^model: pretrained is true, but there are no ImageNet weights for Sound",
        ),
        ("own_lazy", [], r"^model: own_lazy has layers that find out .*: 4 \(LazyLinear\)\. Give the sizes"),
        ("own_unknown", [], r"^model\.name: 'own_unknown' is not the name of a network; there are .*deep_emotion, "),
    ],
)
def test_a_network_that_cannot_come_back_is_refused_at_once(
    network: str, overrides: list[str], why: str, composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, __name__)
    with pytest.raises(ConfigError, match=why):
        build(composed(*networks_own(network), *overrides, f"data.path={few_faces}"))


def networks_own(network: str) -> tuple[str, ...]:
    """Overrides for a network without the keys of conf/model/deep_emotion.yaml."""
    keys = ("dropout", "transformer_lr_scale", "channels_last", "decay_norms_and_biases")
    return (*ONE_EPOCH[2:], "model=deep_emotion", f"model.name={network}", *(f"~model.{k}" for k in keys))


def test_a_sound_network_takes_what_it_likes_and_is_tested(
    composed: Compose, few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, __name__)
    own = ("+model.sizes=[1,2]", "+model.weights_path=its_own", "finetune.head_lr_scale=3", "+model.stem_lr_scale=0.5")
    cfg = run_folder(composed, tmp_path, "run", *networks_own("own_base"), *own, f"data.path={few_faces}")
    fitted(cfg)
    again = rebuild(run_config(tmp_path / "run"), changes(), tmp_path / "run" / "checkpoints" / "best.ckpt").model
    assert again.hparams["arguments"] == {"sizes": [1, 2], "weights_path": "its_own"}
    scales = build(cfg).model.lr_scales
    assert [(type(part), scale) for part, scale in scales] == [(nn.Conv2d, 0.5), (nn.Linear, 3)]


def test_a_network_that_takes_nothing_comes_back(
    composed: Compose, few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, __name__)
    experiment = build(composed(*networks_own("own_anything"), f"data.path={few_faces}"))
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    experiment.trainer.save_checkpoint(tmp_path / "run" / "model.ckpt")
    again = load_model(tmp_path / "run" / "model.ckpt")
    assert again.hparams["arguments"] == {}
    assert torch.equal(again.net.stem.weight, experiment.model.net.stem.weight)  # type: ignore[union-attr, arg-type]


def test_a_network_starts_from_a_state_dict(tmp_path: Path) -> None:
    torch.save(weights := Base(7).state_dict(), tmp_path / "weights.pth")
    net = Base(7)
    assert not load_initial_weights(net, "", InitialWeights(weights_path=str(tmp_path / "weights.pth")))
    assert all(torch.equal(net.state_dict()[name], value) for name, value in weights.items())
    with pytest.raises(ValueError, match=r"weights\.pth does not fit Base: "):
        load_initial_weights(Base(7, width=5), "", InitialWeights(weights_path=str(tmp_path / "weights.pth")))


def test_unresolvable_annotations_are_reported_once(
    composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, __name__)
    for _ in range(2):
        build(composed(*networks_own("own_unresolved"), f"data.path={few_faces}"))
    logged = [one.getMessage() for one in caplog.records if "not checked" in one.getMessage()]
    assert len(logged) == 1
    assert logged[0].startswith("model.name=own_unresolved: its arguments' types are not checked")
    assert "'Gone' is not defined" in logged[0]


def test_a_name_is_one_networks() -> None:
    with pytest.raises(ValueError, match=r"^Sound is registered by '': give a name"):
        register("")(Sound)
    assert register("own_base")(Sound) is Sound
    with pytest.raises(ValueError, match=r"the network 'resnet18' is fer_lightning\.nets\.resnet18\.ResNet18"):
        register("resnet18")(Sound)


@pytest.mark.parametrize("name", ["", "os.system", "fer_lightning.nets.resnet18.ResNet18", "torch.nn.Linear"])
def test_nothing_is_imported_by_the_name_of_a_network(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{name}' is not the name of a network; there are .*deep_emotion"):
        network_maker(name)
