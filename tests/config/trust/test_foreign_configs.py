"""The config of a run from elsewhere is read, and never executed."""

import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from fer_lightning.errors import ConfigError
from tests.config.trust.foreign_runs import Malicious, rebuilt, resumed


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
    "a function of this program": (
        "loss",
        {"_target_": "fer_lightning.commands.train.torch.os.system", "command": "x"},
    ),
    "in a place for another kind": ("loss", {"_target_": "lightning.Trainer"}),
    "in a place for none": ("data.splits.test", {"_target_": "fer_lightning.training.losses.CrossEntropy"}),
    "deep in a list": ("trainer.plugins", [[{"_target_": "torch.os.system", "command": "touch WITNESS"}]]),
    "in one of several sets": ("data.path", ["a", {"_target_": "torch.os.system", "command": "touch WITNESS"}]),
    "in the votes of one of several sets": (
        "data.path",
        ["a", {"path": "b", "votes": {"_target_": "torch.os.system", "command": "touch WITNESS"}}],
    ),
    "read from the environment for one of several sets": ("data.path", ["a", {"path": "${oc.env:HOME}"}]),
    "as an interpolation": ("loss", {"_target_": "${oc.env:HOME}"}),
    "made of a text": ("loss", "${oc.create:${attack}}"),
    "made of a text by a name made of others": ("loss", "${oc.${which}:${attack}}"),
    "decoded from a text": ("loss", "${oc.decode:'{_target_: os.system, command: touch WITNESS}'}"),
    "instead of training": ("action", {"_target_": "torch.os.system", "command": "touch WITNESS"}),
}


@pytest.mark.parametrize("taken", [rebuilt, resumed])
@pytest.mark.parametrize("way", CALLS)
def test_a_config_that_would_call_something_calls_nothing(
    way: str, taken: Callable[[Path], object], foreign: Path, witness: Path, tmp_path: Path
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
    with pytest.raises(ConfigError, match="is of debug=…" if (taken, key) == (resumed, "action") else said):
        taken(foreign)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: !!python/object/apply:os.system ['touch WITNESS']", "could not determine a constructor"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "holds YAML aliases"),
        ("[" * 16_000, "is nested deeper than 32 levels"),
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


@pytest.mark.parametrize("taken", [rebuilt, resumed])
def test_a_run_of_an_older_version_is_refused(taken: Callable[[Path], object], foreign: Path) -> None:
    file = foreign / ".hydra" / "config.yaml"
    cfg = OmegaConf.load(file)
    assert isinstance(cfg, DictConfig)
    del cfg["action"]
    OmegaConf.save(cfg, file)
    with pytest.raises(ConfigError, match=r"^action is no key in the config of this run: an older version"):
        taken(foreign)
