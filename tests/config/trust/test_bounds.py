"""What a run from elsewhere asks for is bounded, and refused before it takes memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_lightning.config.build import build
from fer_lightning.config.check import check
from fer_lightning.data import EMOTIONS
from fer_lightning.errors import ConfigError
from fer_lightning.training.checkpoint_content import HyperParameters
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.fitting import refuse_unfitting_weights
from fer_lightning.training.models import load_model
from tests.config.trust.foreign_runs import rebuilt, resumed, rewritten, with_config
from tests.conftest import Compose


@contextmanager
def little_memory() -> Iterator[None]:
    """Half a gigabyte more than there is by now."""
    resource = pytest.importorskip("resource")  # which Windows does not have
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def a_wide_network(content: dict[str, Any]) -> None:
    content["hyper_parameters"] |= {"network": "resnet18", "arguments": {"width": 810}}
    content["state_dict"] = {"net.fc.weight": torch.zeros(7, 6480)}


def test_a_small_checkpoint_that_asks_for_gigabytes_is_refused(foreign: Path) -> None:
    checkpoint = foreign / "checkpoints" / "best.ckpt"
    rewritten(checkpoint, a_wide_network)
    with (
        little_memory(),
        pytest.raises(ValueError, match=r"not a checkpoint of this program: [\s\S]*Missing key") as refused,
    ):
        load_model(checkpoint)
    assert len(str(refused.value)) < 800


@pytest.mark.parametrize("killed_early", [False, True])
def test_a_config_of_another_network_than_its_weights_is_refused(killed_early: bool, foreign: Path) -> None:
    with_config(foreign, model={"name": "resnet18", "width": 1000})
    if killed_early:
        for checkpoint in foreign.glob("checkpoints/*.ckpt"):
            checkpoint.unlink()
    said = (
        r"^model: the network has 2,7\d\d,\d{3},\d{3} weights; it may have" if killed_early else "another network than"
    )
    with little_memory(), pytest.raises(ConfigError, match=said):
        resumed(foreign)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (
            "data.path",
            {"_target_": "fer_lightning.data.drawings.demo.drawn", "faces": 300_000_000},
            r"data\.path\.faces is 300000000",
        ),
        ("data.batch_size", 10**9, r"data\.batch_size is 1000000000; it must be at least 1 and at most 262144"),
        ("data.batch_size", 200_000, "would have more than 1,073,741,824 pixels"),
        ("data.size", 2000, r"data\.batch_size is 4096 and data\.size 2000: .* more than 1,073,741,824 pixels"),
        ("data.image_size", 100_000, r"data\.image_size is 100000; it must be at least 1 and at most 2048, or 'auto'"),
        ("data.progressive_sizes", [48, 100_000], r"sizes\[1\] is 100000; it must be at least 1 and at most 2048"),
        ("data.progressive_sizes", [48] * 1100, "has 1,100 values"),
        ("data.folds", 10**9, r"data\.folds is 1000000000; it must be at least 2 and at most 1000"),
        ("trainer.devices", "100000", "it may be 1024 at most"),
        ("trainer.devices", 100_000, "it may be 1024 at most"),
    ],
)
def test_a_run_of_too_much_is_neither_tested_nor_resumed(key: str, value: object, why: str, foreign: Path) -> None:
    if key == "data.size":
        with_config(foreign, data__batch_size=4096)
    if value == 200_000:
        with_config(foreign, data__image_size=100)
    with_config(foreign, **{key: value})
    config = resumed(foreign).config
    config.data.path = value if key == "data.path" else config.data.path
    with pytest.raises(ConfigError, match=why):
        build(config)
    with pytest.raises(ConfigError, match=why):
        rebuilt(foreign)


@pytest.mark.parametrize("override", ["data.batch_size=4096", "data.image_size=600", "data.path.faces=100000"])
def test_honest_wishes_are_within_the_bounds(override: str, composed: Compose) -> None:
    check(composed(override))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("image_size", 100_000, "FERDataModule.image_size is no plain"),
        ("class_names", ["x"] * 2000, "has 2,000 values"),
    ],
)
def test_a_checkpoint_that_asks_for_too_much_is_refused(name: str, value: object, why: str, foreign: Path) -> None:
    group = "FERDataModule" if name == "image_size" else "hyper_parameters"
    rewritten(foreign / "checkpoints" / "best.ckpt", lambda content: content[group].update({name: value}))
    with pytest.raises(ConfigError, match=why):
        rebuilt(foreign)


def description(network: str, **arguments: Any) -> HyperParameters:
    return HyperParameters(
        network=network, class_names=EMOTIONS, arguments=arguments, channels_last=False, in_channels=1
    )


@pytest.mark.parametrize("arch", ["regnet_y_400mf", "swin_t", "vit_b_32"])
def test_networks_are_held_against_their_weights_without_memory(arch: str) -> None:
    with little_memory(), pytest.raises(ValueError, match="Missing key"):
        refuse_unfitting_weights(description("torchvision", arch=arch), {})


def test_weights_that_fit_are_found_to_fit() -> None:
    network = EmotionClassifier("resnet18", arguments={"width": 4})
    refuse_unfitting_weights(description("resnet18", width=4), network.state_dict())
    with pytest.raises(ValueError, match="size mismatch"):
        refuse_unfitting_weights(description("resnet18", width=5), network.state_dict())


def test_messages_about_a_checkpoint_are_short(foreign: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["x" * 1_000_000] = "y" * 1_000_000

    rewritten(foreign / "checkpoints" / "best.ckpt", change)
    with pytest.raises(ConfigError) as refused:
        rebuilt(foreign)
    assert len(str(refused.value)) < 1000
