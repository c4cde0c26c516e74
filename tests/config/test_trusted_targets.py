"""A run's config may name what conf/ names, what only computes, and what its user trusts; nothing else is imported."""

import sys
from pathlib import Path

import pytest

from fer_lightning.config.build import build
from fer_lightning.config.trust import trusted_target
from fer_lightning.errors import ConfigError
from fer_lightning.nets.trusted import VARIABLE
from tests.conftest import Compose

LION = """
import subprocess
from torch.optim import SGD
from lightning.pytorch.callbacks import Callback, Timer

class Lion(SGD):
    pass

class Note(Callback):
    pass

def half(logits, labels):
    return logits.mean() / 2
"""


@pytest.fixture
def mylion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of somebody's own that Python finds and nobody trusts yet."""
    name = f"mylion_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(LION)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    return name


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("loss", "fer_lightning.training.losses.Focal"),
        ("callbacks.mine", "lightning.pytorch.callbacks.EarlyStopping"),
        ("data.path", "fer_lightning.data.drawings.demo.drawn"),
        ("optimizer", "torch.optim.RAdam"),
        ("optimizer", "torch.optim.Adafactor"),
        ("scheduler", "torch.optim.lr_scheduler.MultiStepLR"),
        ("scheduler", "torch.optim.swa_utils.SWALR"),
        ("loss", "torch.nn.CrossEntropyLoss"),
        ("augmentation", "torchvision.transforms.v2.Compose"),
        ("augmentation.transforms.0", "torchvision.transforms.v2.RandomRotation"),
    ],
)
def test_what_conf_names_and_what_computes_is_trusted(place: str, name: str) -> None:
    assert trusted_target(place, name).__name__ == name.rpartition(".")[2]


@pytest.mark.parametrize(
    ("place", "name", "why"),
    [
        ("optimizer", "torch.nn.CrossEntropyLoss", "there a run's own config may only name Optimizer or a function"),
        ("optimizer", "torch.load", "may only name what conf/ names there"),
        ("loss", "torch.hub.load", "may only name what conf/ names there"),
        ("loss", "torch.os.system", "there a run's own config may only name"),
        ("loss", "torch.nn.Linear", "may only name what conf/ names there"),
        ("scheduler", "torch.serialization.load", "may only name what conf/ names there"),
        ("augmentation", "torchvision.datasets.FER2013", "there a run's own config may only name"),
        ("callbacks.x", "lightning.pytorch.callbacks.Timer", "FER_LIGHTNING_TRUST=lightning.pytorch.callbacks.Timer"),
        ("logger.x", "lightning.pytorch.loggers.CometLogger", "may only name what conf/ names there"),
        ("action", "torch.os.system", "there a run's own config may only name what conf/ names there"),
        ("optimizer.inner", "torch.optim.SGD", "may name something to call only at"),
        ("optimizer", "os.system", "may only name what conf/ names there"),
        ("optimizer", "${oc.env:HOME}", "may only name what conf/ names there"),
    ],
)
def test_what_is_neither_is_refused_by_its_place_and_kind(place: str, name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace(".", r"\.")) as raised:
        trusted_target(place, name)
    assert str(raised.value).startswith(name)
    nobody_should = name.rpartition(".")[2] in ("load", "system") or name.startswith("$")
    assert not (nobody_should and VARIABLE in str(raised.value))


def test_an_untrusted_module_is_not_imported(mylion: str) -> None:
    with pytest.raises(ValueError, match=rf"If you do trust {mylion}, set {VARIABLE}={mylion} in the environment"):
        trusted_target("optimizer", f"{mylion}.Lion")
    assert mylion not in sys.modules


@pytest.mark.parametrize("trusted", ["{0}", "other, {0}", "{0}.Lion"])
def test_the_variable_trusts_a_module_or_one_name(trusted: str, mylion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, trusted.format(mylion))
    assert trusted_target("optimizer", f"{mylion}.Lion").__name__ == "Lion"


def test_an_installed_package_that_declares_itself_is_trusted(mylion: str, tmp_path: Path) -> None:
    folder = tmp_path / f"{mylion}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {mylion}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[fer_lightning.trusted]\nlion = {mylion}\n")
    assert trusted_target("optimizer", f"{mylion}.Lion").__name__ == "Lion"


@pytest.mark.parametrize(
    ("place", "name", "why"),
    [
        ("loss", "subprocess.run", "comes from subprocess"),  # imported there, but no part of it
        ("callbacks.x", "Timer", r"comes from lightning\.pytorch\.callbacks\.timer"),
        ("optimizer", "Note", "may only name Optimizer"),
        ("callbacks.x", "half", "may only name Callback"),
        ("optimizer", "Lyon", "cannot be imported"),
    ],
)
def test_only_own_parts_of_a_trusted_module_are_called(
    place: str, name: str, why: str, mylion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, mylion)
    assert callable(trusted_target("loss", f"{mylion}.half"))
    with pytest.raises(ValueError, match=why):
        trusted_target(place, f"{mylion}.{name}")


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("optimizer._target_={0}.Lion", r"^optimizer\._target_ is {0}\.Lion; .*FER_LIGHTNING_TRUST={0} in the envir"),
        ("+callbacks.mine._target_={0}.Note", r"^callbacks\.mine\._target_ is {0}\.Note; .*FER_LIGHTNING_TRUST={0} "),
        ("data.path=${{oc.env:HOME}}/fer2013.csv", r"^data\.path is \${{oc\.env:HOME}}/.* refer to its own keys"),
    ],
)
def test_train_refuses_beforehand_what_test_would_refuse(
    override: str, why: str, mylion: str, composed: Compose, tmp_path: Path
) -> None:
    cfg = composed("model=deep_emotion", f"data.path={tmp_path}/not_read.csv", override.format(mylion))
    with pytest.raises(ConfigError, match=why.format(mylion)):
        build(cfg)
    assert mylion not in sys.modules
