"""One run of W&B for each job, and one message where there is no login.

By a stand-in for the package, which has what Lightning's WandbLogger asks for and refuses as W&B does without a key.
"""

import sys
from pathlib import Path

import lightning as L
import pytest
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers import wandb as lightnings

from fer_lightning.commands.wandb_runs import begin_wandb_run, ends_its_wandb_run
from fer_lightning.errors import ConfigError

STAND_IN = {
    "__init__.py": """
import os
from wandb import errors
run, ended = None, []
def init(**options):
    global run
    if not os.environ.get("WANDB_API_KEY"):
        raise errors.UsageError("No API key configured. Use `wandb login` to log in.")
    run = type("Run", (), {"name": None, "id": len(ended), "config": {}})()
    return run
def finish(exit_code=0):
    global run
    ended.append((run.id, exit_code))
    run = None
""",
    "errors.py": "class Error(Exception): pass\nclass UsageError(Error): pass\n",
    "wandb_run.py": "class Run: pass\n",
    "sdk/__init__.py": "",
    "sdk/lib/__init__.py": "class RunDisabled: pass\n",
}


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in STAND_IN.items():
        file = tmp_path / "packages" / "wandb" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    for module in ("wandb", "wandb.errors", "wandb.wandb_run", "wandb.sdk", "wandb.sdk.lib"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(lightnings, "_WANDB_AVAILABLE", True)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


def trainer(folder: Path) -> L.Trainer:
    return L.Trainer(logger=WandbLogger(save_dir=folder), accelerator="cpu", default_root_dir=folder)


@pytest.mark.usefixtures("stand_in")
def test_without_a_login_the_run_is_refused_with_what_to_do(tmp_path: Path) -> None:
    told = r"^logger=wandb: No API key configured.* logger\.wandb\.offline=true"
    with pytest.raises(ConfigError, match=told):
        begin_wandb_run(trainer(tmp_path))


@pytest.mark.usefixtures("stand_in")
def test_each_job_has_a_run_of_its_own_that_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    import wandb

    for number in range(2):
        with ends_its_wandb_run():
            begin_wandb_run(trainer(tmp_path))
            assert wandb.run.id == number

    def failing_job() -> None:
        with ends_its_wandb_run():
            begin_wandb_run(trainer(tmp_path))
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        failing_job()
    assert wandb.ended == [(0, 0), (1, 0), (2, 1)]
    with ends_its_wandb_run():  # without such a logger
        pass
    assert len(wandb.ended) == 3


def test_without_the_package_nothing_happens() -> None:
    with ends_its_wandb_run():
        begin_wandb_run(L.Trainer(logger=False, accelerator="cpu"))
