"""Somebody's own parts train, test, resume, teach and predict as ours do."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from fer_lightning.commands.resume import StoppedRun
from fer_lightning.config.build import build, rebuild
from fer_lightning.config.parts import made
from fer_lightning.config.run_config import run_config
from fer_lightning.errors import ConfigError
from fer_lightning.nets.trusted import VARIABLE
from fer_lightning.training.models import load_model
from tests.conftest import Command, Compose
from tests.runs import SHORT, changes, run_of
from tests.scripts import REPOSITORY, SERVER
from tests.stopped_runs import BASE, fitted, resuming, run_folder

ONE_EPOCH = (*BASE, "trainer.max_epochs=1")


def files_of_contributing(folder: Path) -> str:
    """Writes what docs/extend.md says to write; returns the command that it gives."""
    text = (REPOSITORY / "docs" / "extend.md").read_text()
    blocks = re.findall(r"`([\w./]+\.(?:py|yaml))`:\n\n```\w+\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in blocks] == [
        "mynets.py", "myconf/model/tiny.yaml", "myconf/augmentation/blur.yaml", "myconf/callbacks/weight_norm.yaml",
    ]  # fmt: skip
    for name, content in blocks:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    command = re.search(r"^    (\S+=\S+ fer-train .*)$", text, re.MULTILINE)
    assert command
    return command[1]


WEIGHT_NORM = """
from lightning.pytorch.callbacks import Callback

class WeightNorm(Callback):
    def __init__(self, every: int) -> None:
        self.every = every
"""


def test_other_parts_by_the_page_are_chosen_by_their_names(
    composed: Compose, tmp_path: Path, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files_of_contributing(tmp_path)
    (tmp_path / "mycallbacks.py").write_text(WEIGHT_NORM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, "mycallbacks")
    where = (f"hydra.searchpath=[file://{tmp_path / 'myconf'}]", f"data.path={few_faces}")
    experiment = build(composed(*BASE, *where, "augmentation=blur", "callbacks=[default,weight_norm]"))
    assert experiment.datamodule.augmentation.name == "GaussianBlur"  # type: ignore[union-attr]
    (callback,) = [one for one in experiment.trainer.callbacks if type(one).__name__ == "WeightNorm"]  # type: ignore[attr-defined]
    assert callback.every == 50


def _loads(checkpoint: Path, path: list[str]) -> None:
    """In a process that has not imported the network before: without trust, and with it."""
    sys.path[:] = path
    os.environ.pop(VARIABLE, None)
    with pytest.raises(ValueError, match=rf"'tiny' is not the name of a network; .*{VARIABLE}=mynets"):
        load_model(checkpoint)
    assert "mynets" not in sys.modules
    os.environ[VARIABLE] = "mynets"
    assert load_model(checkpoint)(torch.zeros(2, 1, 48, 48)).shape == (2, 7)


def test_a_network_by_contributing_does_all_that_ours_do(
    run_command: Command, composed: Compose, tmp_path: Path, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, *words = files_of_contributing(tmp_path).split()
    monkeypatch.syspath_prepend(tmp_path)
    chosen = (f"hydra.searchpath=[file://{tmp_path / 'myconf'}]", "model=tiny", f"data.path={few_faces}")
    with pytest.raises(ConfigError, match=rf"^model\.name: 'tiny' is not .* set {variable} in the env"):
        build(composed(*BASE[2:], *chosen))
    monkeypatch.setenv(*variable.split("="))
    run = run_of(
        run_command("train.py", *words[1:], *SHORT[1:], "trainer.max_epochs=1", f"data.path={few_faces}"), tmp_path
    )
    best = run / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    assert content["hyper_parameters"]["network"] == "tiny"
    assert content["hyper_parameters"]["arguments"] == {"width": 16}
    process = SERVER.Process(target=_loads, args=(best, sys.path))
    process.start()
    process.join(240)
    assert process.exitcode == 0
    again = rebuild(run_config(run), changes(), best)
    again.trainer.test(again.model, again.datamodule, verbose=False)
    printed = json.loads((run / "report" / "metrics.json").read_text())["test/accuracy"]
    assert float(again.trainer.callback_metrics["test/accuracy"]) == pytest.approx(printed)
    assert steps_after_another_epoch(composed(*BASE[2:], *chosen), run) == 2 * content["global_step"]
    teaching = build(composed(*BASE, f"data.path={few_faces}", "loss=distillation", f"loss.teacher={run}"))
    assert type(teaching.model.loss.teacher.net).__name__ == "Tiny"  # type: ignore[attr-defined]


def steps_after_another_epoch(cfg: DictConfig, run: Path) -> int:
    """Resumes a run of one epoch as train.py resume=… trainer.max_epochs=2 does."""
    cfg = resuming(cfg, run)
    cfg.trainer.max_epochs = 2
    stopped = StoppedRun.of(cfg, ["resume=x", "trainer.max_epochs=2"])
    longer = build(stopped.config)
    stopped.take_up(longer)
    longer.trainer.fit(longer.model, longer.datamodule, ckpt_path=stopped.checkpoint, weights_only=True)
    return longer.trainer.global_step


OWN = """
import torch
from lightning.pytorch.callbacks import Callback
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import MultiStepLR

class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    mean = state.setdefault("mean", torch.zeros_like(parameter))
                    mean.lerp_(parameter.grad, 1 - group["betas"][1])
                    parameter.sub_(mean.sign(), alpha=group["lr"])
        return loss

class Note(Callback):
    def __init__(self, notes):
        self.notes = notes

    def state_dict(self):
        return {"notes": self.notes}

    def load_state_dict(self, state_dict):
        assert state_dict["notes"] == self.notes

def stairs(optimizer, milestones):
    return MultiStepLR(optimizer, milestones)

def sharp(logits, labels, powers):
    return sum(cross_entropy(logits * power, labels) for power in powers) / len(powers)

def dimmed(face, factors):
    return face * factors[int(torch.randint(len(factors), ()))]
"""

YAMLS = {
    "optimizer": "_target_: {0}.Lion\n_partial_: true\nlr: 0.001\nbetas: [0.9, 0.98]",
    "scheduler": "_target_: {0}.stairs\n_partial_: true\ninterval: epoch\nmilestones: [1, 2]",
    "loss": "_target_: {0}.sharp\n_partial_: true\npowers: [0.5, 1.0]",
    "augmentation": "_target_: {0}.dimmed\nfactors: [1.0, 0.9]",
    "callbacks": "note:\n  _target_: {0}.Note\n  notes: [1, [2, 3]]",
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a trusted module of somebody's own, whose yamls are in tmp_path."""
    name = f"own_{re.sub(r'[^a-z0-9]', '_', tmp_path.name)}"
    (tmp_path / f"{name}.py").write_text(OWN)
    for group, text in YAMLS.items():
        (tmp_path / "myconf" / group).mkdir(parents=True)
        (tmp_path / "myconf" / group / "mine.yaml").write_text(text.format(name))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, name)
    return name


def test_own_parts_of_every_group_train_test_and_resume(
    own: str, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    chosen = [f"{group}=mine" for group in YAMLS if group != "callbacks"] + ["callbacks=[default,mine]"]
    where = f"hydra.searchpath=[file://{tmp_path / 'myconf'}]"
    cfg = run_folder(composed, tmp_path, "run", *ONE_EPOCH, where, *chosen, f"data.path={few_faces}")
    fitted(cfg)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    assert content["optimizer_states"][0]["param_groups"][0]["betas"] == [0.9, 0.98]
    assert content["callbacks"]["Note"] == {"notes": [1, [2, 3]]}
    again = rebuild(run_config(tmp_path / "run"), changes(), last.with_name("best.ckpt"))
    again.trainer.test(again.model, again.datamodule, verbose=False)
    assert steps_after_another_epoch(cfg, tmp_path / "run") == 2 * content["global_step"]


def test_radam_with_a_list_trains_tests_and_resumes(composed: Compose, tmp_path: Path, few_faces: Path) -> None:
    (tmp_path / "myconf" / "optimizer").mkdir(parents=True)
    text = "_target_: torch.optim.RAdam\n_partial_: true\nlr: 0.001\nbetas: [0.9, 0.99]\nfused: auto\n"
    (tmp_path / "myconf" / "optimizer" / "radam.yaml").write_text(text)
    where = (f"hydra.searchpath=[file://{tmp_path / 'myconf'}]", "optimizer=radam", f"data.path={few_faces}")
    fitted(cfg := run_folder(composed, tmp_path, "run", *ONE_EPOCH, *where))
    content = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["optimizer_states"][0]["param_groups"][0]["betas"] == [0.9, 0.99]
    rebuild(run_config(tmp_path / "run"), changes(), tmp_path / "run" / "checkpoints" / "best.ckpt")
    fitted(resuming(cfg, tmp_path / "run"))


@pytest.mark.parametrize("convert", ["", "_convert_: none"])
def test_what_a_config_holds_becomes_plain_python(convert: str) -> None:
    node = OmegaConf.create(f"_target_: builtins.dict\na: [1, [2]]\nb: {{c: [3]}}\nd: ${{a}}\n{convert}")
    assert isinstance(node, DictConfig)
    assert repr(made("x", node)) == "{'a': [1, [2]], 'b': {'c': [3]}, 'd': [1, [2]]}"


def test_keys_that_another_target_does_not_take_are_named(composed: Compose, few_faces: Path) -> None:
    cfg = composed("model=deep_emotion", "optimizer._target_=torch.optim.RAdam", f"data.path={few_faces}")
    with pytest.raises(
        ConfigError, match=r"momentum is not an argument of RAdam\. .*: ~optimizer\.momentum ~optimizer\."
    ):
        build(cfg)
