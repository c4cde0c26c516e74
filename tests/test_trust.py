"""What comes from who knows where (a run's folder, a checkpoint, weights, a cache) is read, and never executed."""

import io
import pickle
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from fer_lightning import experiment
from fer_lightning.build import build, rebuild
from fer_lightning.command_line import ConfigError
from fer_lightning.models import load_model
from fer_lightning.plain_file import plain_values
from fer_lightning.resume import StoppedRun
from fer_lightning.run_config import run_config
from tests.conftest import REPOSITORY


class Malicious:
    """Whoever unpickles it makes a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.witness,)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, few_faces: Path) -> Path:
    """The folder of a short run: its config and its checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    overrides = ("data=fer2013", "model=deep_emotion", "callbacks=default", "logger=csv", f"data.path={few_faces}")
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        cfg = compose(
            "train", [*overrides, "trainer.max_epochs=1", "trainer.accelerator=cpu"], return_hydra_config=True
        )
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(cfg)  # which the tests below need too: test.py runs below Hydra
    with open_dict(cfg):
        del cfg["hydra"]
    (folder / ".hydra").mkdir()
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    built = build(cfg)
    built.trainer.fit(built.model, built.datamodule)
    return folder


@pytest.fixture
def foreign(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be made malicious."""
    return Path(shutil.copytree(run, tmp_path / "foreign", ignore=shutil.ignore_patterns("tensorboard", "report")))


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "executed"


def changes() -> DictConfig:
    cfg = OmegaConf.load(REPOSITORY / "conf" / "test.yaml")
    assert isinstance(cfg, DictConfig)
    return cfg


def rebuilt(folder: Path) -> None:
    """As test.py does, up to the point where it would measure."""
    rebuild(run_config(folder), changes(), folder / "checkpoints" / "best.ckpt")


def resumed(folder: Path) -> None:
    """As train.py resume=… does, up to the point where it would read the data."""
    StoppedRun.of(OmegaConf.create({"resume": str(folder)}), ["resume=x"])


def rewritten(checkpoint: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, checkpoint)


def test_a_run_that_nobody_changed_is_tested_and_resumed(foreign: Path) -> None:
    rebuilt(foreign)
    resumed(foreign)


CALLS = {  # where in the config, and what stands there: each makes the file when it is called, or runs code
    "another package": ("loss", {"_target_": "os.system", "command": "touch WITNESS"}),
    "through an allowed package": ("loss", {"_target_": "torch.os.system", "command": "touch WITNESS"}),
    "a function that unpickles": ("loss", {"_target_": "torch.load", "f": "PICKLE", "weights_only": False}),
    "a function that runs a file": (
        "loss",
        {"_target_": "torch.hub.load", "repo_or_dir": "HUB", "model": "m", "source": "local"},
    ),
    "a function of this program": ("loss", {"_target_": "fer_lightning.experiment.torch.os.system", "command": "x"}),
    "in a place for another kind": ("loss", {"_target_": "lightning.Trainer"}),
    "in a place for none": ("data.splits.test", {"_target_": "fer_lightning.losses.CrossEntropy"}),
    "deep in a list": ("trainer.plugins", [[{"_target_": "torch.os.system", "command": "touch WITNESS"}]]),
    "as an interpolation": ("loss", {"_target_": "${oc.env:HOME}"}),
    "made of a text": ("loss", "${oc.create:${attack}}"),
    "made of a text by a name made of others": ("loss", "${oc.${which}:${attack}}"),
    "decoded from a text": ("loss", "${oc.decode:'{_target_: os.system, command: touch WITNESS}'}"),
    "instead of training": ("instead", {"_target_": "torch.os.system", "command": "touch WITNESS"}),
}


@pytest.mark.parametrize("taken", [rebuilt, resumed])
@pytest.mark.parametrize("way", CALLS)
def test_a_config_that_would_call_something_is_refused_and_calls_nothing(
    way: str, taken: Callable[[Path], None], foreign: Path, witness: Path, tmp_path: Path
) -> None:
    (tmp_path / "evil.pickle").write_bytes(pickle.dumps(Malicious(witness)))
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text(f"open({str(witness)!r}, 'w')\ndef m(): pass\n")
    file = foreign / ".hydra" / "config.yaml"
    cfg = OmegaConf.load(file)
    key, value = CALLS[way]
    OmegaConf.update(cfg, "attack", f"_target_: os.system\ncommand: touch {witness}", force_add=True)
    OmegaConf.update(cfg, "which", "create", force_add=True)
    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    text = OmegaConf.to_yaml(cfg).replace("WITNESS", str(witness))
    file.write_text(text.replace("PICKLE", str(tmp_path / "evil.pickle")).replace("HUB", str(tmp_path / "hub")))
    said = rf"^{key}.* is .*; (there )?a run's own config may "
    with pytest.raises(ConfigError, match="is of debug=…" if (taken, key) == (resumed, "instead") else said):
        taken(foreign)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: !!python/object/apply:os.system ['touch WITNESS']", "could not determine a constructor"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "holds YAML aliases"),
        ("[" * 16_000, "cannot be read as the config of a run"),
        ("a: " + "x" * 20_000, "is longer than 16,384 characters"),
        ("- a", "is a list"),
        ("a: 1", "data has no keys in the config of this run"),
        ("\0", "cannot be read as the config of a run"),
    ],
)
def test_a_config_file_that_hydra_did_not_write_is_refused(text: str, why: str, foreign: Path, witness: Path) -> None:
    (foreign / ".hydra" / "config.yaml").write_text(text.replace("WITNESS", str(witness)))
    started = time.monotonic()
    with pytest.raises(ConfigError, match=why):
        rebuilt(foreign)
    assert time.monotonic() - started < 20
    assert not witness.exists()


def in_hyper_parameters(content: dict[str, Any], witness: Path) -> None:
    content["hyper_parameters"]["class_names"] = Malicious(witness)


def in_state_dict(content: dict[str, Any], witness: Path) -> None:
    content["state_dict"]["net.conv1.weight"] = Malicious(witness)


def in_what_is_not_read(content: dict[str, Any], witness: Path) -> None:
    content["callbacks"] = {"one": [Malicious(witness)]}


@pytest.mark.parametrize("hide", [in_hyper_parameters, in_state_dict, in_what_is_not_read])
def test_a_checkpoint_that_would_execute_code_is_refused_and_does_not(
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


@pytest.mark.parametrize("value", [{"_target_": "os.system", "command": "ls"}, "${oc.create:${attack}}", [1]])
@pytest.mark.parametrize("name", ["epoch", "global_step", "max_epochs", "seconds", "finished", "source", "votes"])
def test_values_that_a_resumed_run_takes_from_its_checkpoint_do_not_become_nodes_of_its_config(
    name: str, value: object, foreign: Path
) -> None:
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
        (hyper_parameter("_target_", "os.system"), "_target_ is not an argument of DeepEmotionClassifier"),
        (hyper_parameter("_instantiator", "lightning.pytorch.cli.instantiate_module"), "is not an argument of"),
        (hyper_parameter("class_names", lists_of_lists(100)), "hyper_parameters.class_names is no plain value"),
        (hyper_parameter("dropout", 10**12), "dropout is 1000000000000, but no weight in it is as large"),
        (hyper_parameter("dropout", "much"), "dropout is 'much'"),
        (lambda content: content.update(model_class="Trainer"), "model_class is 'Trainer'; it is one of"),
        (lambda content: content["FERDataModule"].pop("image_size"), "has no FERDataModule.image_size, or was made by"),
        (lambda content: content["FERDataModule"].update(mean="${oc.env:HOME}"), "FERDataModule.mean is no plain"),
        (lambda content: content["FERDataModule"].update(source="${oc.create:${attack}}"), "source is no plain value"),
        (lambda content: content["FERDataModule"].update(votes={"_target_": "os.system"}), "votes is no plain value"),
        (lambda content: content["FERDataModule"].update(std=0.0), "FERDataModule.std is no plain value"),
        (
            lambda content: content["FERDataModule"].update(
                trained_on=torch.zeros(1, dtype=torch.int64).expand(10**12)
            ),
            "FERDataModule.trained_on is no plain value",
        ),
        (lambda content: content["FERDataModule"].update(chosen_on=torch.zeros(3)), "chosen_on is no plain value"),
        (
            lambda content: content["state_dict"].update({"net.x": torch.zeros(1).expand(10**12)}),
            r"net\.x is no plain tensor",
        ),
        (lambda content: content["state_dict"].popitem(), "Missing key"),
    ],
)
def test_a_checkpoint_with_other_values_than_train_writes_is_refused(
    change: Callable[[dict[str, Any]], None], why: str, foreign: Path
) -> None:
    rewritten(foreign / "checkpoints" / "best.ckpt", change)
    with pytest.raises(ConfigError, match=r"is not a checkpoint of this program: [\s\S]*" + why):
        rebuilt(foreign)


def test_a_damaged_weight_is_noticed_by_its_checksum(foreign: Path) -> None:
    checkpoint = foreign / "checkpoints" / "best.ckpt"
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]["net.classifier.4.weight"].numpy().tobytes()
    content = checkpoint.read_bytes()
    place = content.index(weights) + 100
    checkpoint.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    torch.load(checkpoint, weights_only=True)  # which does not notice
    with pytest.raises(ValueError, match="is damaged"):
        load_model(checkpoint)


def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    plain = io.BytesIO()
    torch.save({"weight": torch.zeros(1_000_000)}, plain)
    with zipfile.ZipFile(plain) as stored, zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as deflated:
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    assert (tmp_path / "x.pth").stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"x\.pth is damaged"):
        plain_values(tmp_path / "x.pth")


def test_a_malicious_run_ends_test_py_with_one_message_and_status_1(foreign: Path, witness: Path) -> None:
    rewritten(foreign / "checkpoints" / "best.ckpt", lambda content: in_hyper_parameters(content, witness))
    cfg = changes()
    cfg.run_dir = str(foreign)
    with pytest.raises(SystemExit) as stopped:  # with a text, which Python prints before it exits with status 1
        experiment.test(cfg)
    assert str(stopped.value.code).startswith(f"error: {foreign}/checkpoints/best.ckpt is not a checkpoint of this pro")
    assert "\n" not in str(stopped.value.code)
    assert not witness.exists()
