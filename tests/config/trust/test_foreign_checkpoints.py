"""Checkpoints, weights and caches from elsewhere are read, and never executed."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_lightning.commands import test as test_command
from fer_lightning.errors import ConfigError
from fer_lightning.files import plain_values
from fer_lightning.training.models import load_model
from tests.config.trust.foreign_runs import Malicious, changes, rebuilt, resumed, rewritten, went_on


def in_hyper_parameters(content: dict[str, Any], witness: Path) -> None:
    content["hyper_parameters"]["class_names"] = Malicious(witness)


def in_state_dict(content: dict[str, Any], witness: Path) -> None:
    content["state_dict"]["net.conv1.weight"] = Malicious(witness)


def in_what_is_not_read(content: dict[str, Any], witness: Path) -> None:
    content["callbacks"] = {"one": [Malicious(witness)]}


@pytest.mark.parametrize("hide", [in_hyper_parameters, in_state_dict, in_what_is_not_read])
def test_a_checkpoint_that_would_execute_code_does_not(
    hide: Callable[[dict[str, Any], Path], None], foreign: Path, witness: Path
) -> None:
    checkpoint = foreign / "checkpoints" / "best.ckpt"
    rewritten(checkpoint, lambda content: hide(content, witness))
    with pytest.raises(ConfigError, match=r"best\.ckpt is not a checkpoint of this program: .* which is not executed"):
        rebuilt(foreign)
    assert not witness.exists()
    torch.load(checkpoint, weights_only=False)
    assert witness.exists()


@pytest.mark.parametrize("hide", [in_hyper_parameters, in_state_dict, in_what_is_not_read])
def test_a_run_with_such_checkpoints_is_not_resumed(
    hide: Callable[[dict[str, Any], Path], None], foreign: Path, witness: Path
) -> None:
    for checkpoint in foreign.glob("checkpoints/*last.ckpt"):
        rewritten(checkpoint, lambda content: hide(content, witness))
    with pytest.raises(ConfigError, match="holds no checkpoint to go on from: last"):
        resumed(foreign)
    assert not witness.exists()


@pytest.mark.parametrize(
    "value",
    [
        {"_target_": "os.system", "command": "ls"},
        "${oc.create:${attack}}",
        [1],
        ["a", "${oc.create:${attack}}"],
        ["a", {"_target_": "os.system", "command": "ls"}],
    ],
)
@pytest.mark.parametrize("name", ["epoch", "global_step", "max_epochs", "seconds", "finished", "source", "votes"])
def test_values_of_a_checkpoint_do_not_become_nodes_of_a_config(name: str, value: object, foreign: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        of_data, of_last = content["FERDataModule"], content["callbacks"]["LastCheckpoint"]
        {**dict.fromkeys(of_data, of_data), **dict.fromkeys(of_last, of_last)}.get(name, content)[name] = value

    rewritten(foreign / "checkpoints" / "last.ckpt", change)
    with pytest.raises(
        ConfigError, match=rf"last\.ckpt is not a checkpoint of this program: .*{name} is no plain value"
    ):
        resumed(foreign)


@pytest.mark.parametrize("value", [[1], {"LastCheckpoint": 1}, {}])
def test_a_checkpoint_of_another_program_is_not_resumed(value: object, foreign: Path) -> None:
    rewritten(foreign / "checkpoints" / "last.ckpt", lambda content: content.update(callbacks=value))
    with pytest.raises(ConfigError, match=r"last\.ckpt is not a checkpoint of this program: .*callbacks"):
        resumed(foreign)


def hyper_parameter(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["hyper_parameters"].update({name: value})


def argument(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["hyper_parameters"]["arguments"].update({name: value})


def calibration(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update(calibration={"temperature": 1.5, "unsure_below": 0.5} | values)


def lists_of_lists(depth: int) -> list[Any]:
    """Two to the power of depth things, in a few hundred bytes."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            hyper_parameter("loss", {"_target_": "os.system", "command": "ls"}),
            "hyper_parameters.loss is no plain value",
        ),
        (hyper_parameter("_target_", "os.system"), r"hyper_parameters\._target_ is no plain value"),
        (hyper_parameter("_instantiator", "lightning.pytorch.cli.instantiate_module"), "_instantiator is no plain"),
        (argument("_target_", "os.system"), "_target_ is not an argument of DeepEmotion"),
        (hyper_parameter("class_names", lists_of_lists(100)), "hyper_parameters.class_names is no plain value"),
        (hyper_parameter("network", "x" * 1_000_000), "hyper_parameters.network is no plain value"),
        (argument("dropout", {"a": 1}), "hyper_parameters.arguments.dropout is no plain value"),
        (argument("dropout", 10**12), "dropout is 1000000000000, but no weight in it is as large"),
        (argument("dropout", "much"), "dropout is 'much'"),
        (lambda content: content["FERDataModule"].pop("image_size"), "has no FERDataModule.image_size"),
        (lambda content: content["FERDataModule"].update(mean="${oc.env:HOME}"), "FERDataModule.mean is no plain"),
        (lambda content: content["FERDataModule"].update(source="${oc.create:${attack}}"), "source is no plain value"),
        (lambda content: content["FERDataModule"].update(votes={"_target_": "os.system"}), "votes is no plain value"),
        (lambda content: content["FERDataModule"].update(std=(0.0,)), "FERDataModule.std is no plain value"),
        (
            lambda content: content["FERDataModule"].update(
                trained_on=torch.zeros(1, dtype=torch.int64).expand(10**12)
            ),
            "FERDataModule.trained_on is no plain value",
        ),
        (lambda content: content["FERDataModule"].update(chosen_on=torch.zeros(3)), "chosen_on is no plain value"),
        *(
            (
                lambda content, hashes=hashes: content["FERDataModule"].update(train_hashes=hashes),
                "train_hashes is no plain",
            )
            for hashes in (
                torch.zeros(1, 2, dtype=torch.int64).expand(10**12, 2),
                torch.zeros(3, 2),
                torch.zeros(3, 10**4, dtype=torch.int64),
                [[1, 2]],
            )
        ),
        (
            lambda content: content["state_dict"].update({"net.x": torch.zeros(1).expand(10**12)}),
            r"net\.x is no plain tensor",
        ),
        (lambda content: content["state_dict"].popitem(), "Missing key"),
        (calibration(temperature=0.0), r"calibration\.temperature is no plain value"),
        (calibration(temperature=1e300), r"calibration\.temperature is no plain value"),
        (calibration(temperature=float("nan")), r"calibration\.temperature is no plain value"),
        (calibration(temperature="1.5"), r"calibration\.temperature is no plain value"),
        (calibration(temperature=torch.ones(2)), r"calibration\.temperature is no plain value"),
        (calibration(unsure_below=1.1), r"calibration\.unsure_below is no plain value"),
        (calibration(unsure_below=float("nan")), r"calibration\.unsure_below is no plain value"),
        (calibration(_target_="os.system"), r"calibration\._target_ is no plain value"),
        (lambda content: content.update(calibration={"temperature": 1.5}), "has no calibration.unsure_below"),
        (lambda content: content.update(calibration=[1.5, 0.5]), "calibration is no plain value"),
    ],
)
def test_a_checkpoint_of_other_values_than_ours_is_refused(
    change: Callable[[dict[str, Any]], None], why: str, foreign: Path
) -> None:
    rewritten(foreign / "checkpoints" / "best.ckpt", change)
    with pytest.raises(ConfigError, match=r"is not a checkpoint of this program: [\s\S]*" + why):
        rebuilt(foreign)


def test_a_network_that_is_not_there_is_named(foreign: Path) -> None:
    rewritten(foreign / "checkpoints" / "best.ckpt", hyper_parameter("network", "os.system"))
    with pytest.raises(ConfigError, match=r"cannot be rebuilt: 'os\.system' is not the name of a network; there are"):
        rebuilt(foreign)


@pytest.mark.parametrize("value", [[], {"sum": []}, {"sum": torch.zeros(())}, {1: torch.zeros(1)}])
def test_sums_of_an_epoch_that_are_none_are_refused(value: object, foreign: Path) -> None:
    rewritten(foreign / "checkpoints" / "last.ckpt", lambda content: content["train_metrics"].update(loss=value))
    with pytest.raises(ConfigError, match=r"last\.ckpt is not a checkpoint of this program: train_metrics\.loss"):
        resumed(foreign)


def first_of_optimizer(value: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["optimizer_states"][0]["state"].update({0: value})


@pytest.mark.parametrize(
    "change",
    [
        first_of_optimizer("x"),
        first_of_optimizer([1]),
        lambda content: content["loops"]["fit_loop"]["epoch_progress"].update(current="x"),
        lambda content: content["loops"]["fit_loop"]["epoch_progress"]["current"].update(ready="x"),
    ],
    ids=["text", "list", "no progress", "no number"],
)
def test_a_state_that_cannot_be_used_is_refused(change: Callable[[dict[str, Any]], None], foreign: Path) -> None:
    rewritten(foreign / "checkpoints" / "last.ckpt", change)
    with pytest.raises(ConfigError, match=r"the run cannot go on from .*last\.ckpt: \w+Error: ") as refused:
        went_on(foreign, 2)
    assert len(str(refused.value)) < 600


def test_a_damaged_weight_is_noticed_by_its_checksum(foreign: Path) -> None:
    checkpoint = foreign / "checkpoints" / "best.ckpt"
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]["net.classifier.4.weight"].numpy().tobytes()
    content = checkpoint.read_bytes()
    place = content.index(weights) + 100
    checkpoint.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    torch.load(checkpoint, weights_only=True)  # which does not notice
    with pytest.raises(ValueError, match="is damaged"):
        load_model(checkpoint)


def test_a_file_that_unpacks_to_a_thousandfold_is_refused(tmp_path: Path) -> None:
    plain = io.BytesIO()
    torch.save({"weight": torch.zeros(1_000_000)}, plain)
    with zipfile.ZipFile(plain) as stored, zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as deflated:
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    assert (tmp_path / "x.pth").stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"x\.pth is damaged"):
        plain_values(tmp_path / "x.pth")


def test_a_malicious_run_ends_test_py_with_one_message(foreign: Path, witness: Path) -> None:
    rewritten(foreign / "checkpoints" / "best.ckpt", lambda content: in_hyper_parameters(content, witness))
    cfg = changes()
    cfg.run_dir = str(foreign)
    with pytest.raises(SystemExit) as stopped:  # with a text, which Python prints before it exits with status 1
        test_command.test(cfg)
    assert str(stopped.value.code).startswith(f"error: {foreign}/checkpoints/best.ckpt is not a checkpoint of this pro")
    assert "\n" not in str(stopped.value.code)
    assert not witness.exists()
