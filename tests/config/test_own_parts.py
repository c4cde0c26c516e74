"""Somebody's own parts train, test, resume, teach and predict as ours do, or are refused before the first step."""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf
from torch import nn

from fer_lightning.commands.resume import StoppedRun
from fer_lightning.config.build import build, rebuild
from fer_lightning.config.parts import made
from fer_lightning.config.run_config import run_config
from fer_lightning.config.trial import tried_optimizer
from fer_lightning.config.trust import VARIABLE
from fer_lightning.data import EMOTIONS
from fer_lightning.errors import ConfigError
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.models import load_model, model_kind
from fer_lightning.training.savable import unsavable
from tests.config.test_build import changes
from tests.conftest import Command, Compose
from tests.runs import SHORT, run_of
from tests.scripts import REPOSITORY, SERVER
from tests.stopped_runs import BASE, fitted, resuming, run_folder

ONE_EPOCH = (*BASE, "trainer.max_epochs=1")


def files_of_contributing(folder: Path) -> str:
    """Writes what docs/extend.md says to write; returns the command that it gives."""
    text = (REPOSITORY / "docs" / "extend.md").read_text()
    blocks = re.findall(r"`([\w./]+\.(?:py|yaml))`:\n\n```\w+\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in blocks] == ["mynets.py", "myconf/model/tiny.yaml"]
    for name, content in blocks:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    command = re.search(r"^    (\S+=\S+ python train\.py .*)$", text, re.MULTILINE)
    assert command
    return command[1]


def _loads(checkpoint: Path, path: list[str]) -> None:
    """In a process that has not imported the network before: without trust, and with it."""
    sys.path[:] = path
    os.environ.pop(VARIABLE, None)
    with pytest.raises(ValueError, match=rf"model_class is mynets\.TinyClassifier; .*{VARIABLE}=mynets"):
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
    with pytest.raises(ConfigError, match=rf"^model\._target_ is mynets\.TinyClassifier; .* set {variable} in the env"):
        build(composed(*BASE[2:], *chosen))
    monkeypatch.setenv(*variable.split("="))
    run = run_of(
        run_command("train.py", *words[2:], *SHORT[1:], "trainer.max_epochs=1", f"data.path={few_faces}"), tmp_path
    )
    best = run / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    assert content["model_class"] == "mynets.TinyClassifier"
    assert content["hyper_parameters"]["width"] == 16
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
    assert type(teaching.model.loss.teacher).__name__ == "TinyClassifier"  # type: ignore[attr-defined]


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


def test_of_what_replaced_another_target_the_foreign_keys_are_named(composed: Compose, few_faces: Path) -> None:
    cfg = composed("model=deep_emotion", "optimizer._target_=torch.optim.RAdam", f"data.path={few_faces}")
    with pytest.raises(
        ConfigError, match=r"momentum is not an argument of RAdam\. .*: ~optimizer\.momentum ~optimizer\."
    ):
        build(cfg)


class Kept(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        self.param_groups[0]["seen"] = self.seen()
        return loss

    def seen(self) -> Any:
        return np.float64(0.5)


class Failing(Kept):
    def seen(self) -> Any:
        raise KeyError("seen")


class Rateless(torch.optim.SGD):
    def __init__(self, params: Any) -> None:
        super().__init__(params)
        for group in self.param_groups:
            group["lr"] = None


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kept, r"^Kept could not be resumed: its state\.param_groups\.0\.seen is a numpy\.float64"),
        (Failing, "^a step of Failing fails: KeyError"),
        (Rateless, "^Rateless has no lr"),
        (torch.optim.LBFGS, "per-parameter options"),
        (torch.optim.SparseAdam, "^a step of SparseAdam fails: .*dense gradients"),
    ],
)
def test_an_optimizer_that_fails_late_is_refused_at_once(kind: type[Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tried_optimizer(kind, torch.device("cpu"))


def test_what_a_checkpoint_would_not_give_back_is_named() -> None:
    fine = {"a": [1, (2.5, None)], "b": {"c": torch.ones(3), 4: "x"}, "d": torch.float32, "e": {1, 2}}
    assert unsavable(fine) is None
    for value, kind in [
        (np.float64(1), "numpy.float64"),
        (OmegaConf.create([1]), "omegaconf.listconfig.ListConfig"),
        (Path("x"), "pathlib"),
        (lambda: 1, "builtins.function"),
    ]:
        problem = unsavable({**fine, "f": [0, {"g": value}]}, "state")
        assert problem is not None
        assert problem.startswith(f"state.f.1.g is a {kind}")


class Counting(Callback):
    """Its state is plain, until it is not."""

    def __init__(self, plain_saves: int) -> None:
        self.plain_saves, self.steps = plain_saves, 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        self.plain_saves -= 1
        return {"best": None if self.plain_saves >= 0 else np.float64(0.5)}


@pytest.mark.parametrize(("plain_saves", "epochs"), [(0, 0), (1, 1)])
def test_a_checkpoint_that_could_not_be_read_is_not_written(
    plain_saves: int, epochs: int, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    counting = Counting(plain_saves)
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    with pytest.raises(ConfigError, match=r"is not written: checkpoint\.callbacks\.Counting\.best is a numpy\.float64"):
        fitted(cfg, counting)
    assert (counting.steps > 0) == (epochs > 0)  # at once, if it can be seen at once
    left = list((tmp_path / "run" / "checkpoints").glob("*.ckpt"))
    assert [torch.load(path, weights_only=True)["epoch"] for path in left] == [0] * epochs


class Base(EmotionClassifier):
    def __init__(self, class_names: tuple[str, ...], width: int = 4, slope: float = 0.1, **parts: Any) -> None:
        layers = nn.Conv2d(1, width, 9, stride=8), nn.LeakyReLU(slope), nn.Flatten(), nn.Linear(width * 25, 7)
        super().__init__(nn.Sequential(*layers), class_names, **parts)


class Unsaved(Base):
    pass


class HalfSaved(Base):
    def __init__(self, class_names: tuple[str, ...], slope: float = 0.1) -> None:
        super().__init__(class_names, slope=slope)
        self.save_hyperparameters("class_names")


class SavesTooMuch(Base):
    def __init__(self, class_names: tuple[str, ...], activation: Callable[..., Any] = torch.tanh) -> None:
        super().__init__(class_names)
        self.save_hyperparameters()


class SavesNested(Base):
    def __init__(self, class_names: tuple[str, ...], sizes: Any = ([1, 2], [3])) -> None:
        super().__init__(class_names)
        self.save_hyperparameters()


class OtherOutputs(Base):
    def __init__(self, class_names: tuple[str, ...]) -> None:
        super().__init__(class_names)
        assert isinstance(self.net, nn.Sequential)
        self.net[3] = nn.Linear(100, 10)
        self.save_hyperparameters()


class Headless(EmotionClassifier):
    def __init__(self, class_names: tuple[str, ...]) -> None:
        super().__init__(nn.Sequential(nn.Flatten(), nn.Bilinear(1, 1, 7)), class_names)
        self.save_hyperparameters()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :7]


class OtherClasses(Base):
    def __init__(self) -> None:
        super().__init__(("a", "b"))
        self.save_hyperparameters()


class Unquestioned(Base):
    def __init__(self) -> None:
        super().__init__(EMOTIONS)


class Sound(Base):
    """With a list of numbers, and weights_path as an argument of its own."""

    def __init__(self, class_names: tuple[str, ...], sizes: list[int] | None = None, weights_path: str = "") -> None:
        super().__init__(class_names)
        self.save_hyperparameters()


@pytest.mark.parametrize(
    ("kind", "overrides", "why"),
    [
        (
            Unsaved,
            [],
            r"Unsaved could not be rebuilt from its checkpoint: .*class_names.* self\.save_hyperparameters\(",
        ),
        (HalfSaved, ["+model.slope=0.9"], "HalfSaved comes back from its checkpoint as another function"),
        (SavesTooMuch, [], r"^model: hyper_parameters\.activation is a builtins\.builtin_function_or_method, which"),
        (SavesNested, [], r"SavesNested could not be rebuilt .*hyper_parameters\.sizes is no plain value"),
        (OtherOutputs, [], r"OtherOutputs gives \(2, 10\) for two faces; expected are logits, \(2, 7\)"),
        (Headless, [], r"Headless has no nn\.Linear or nn\.Conv2d, the last of which is its head: override head"),
        (OtherClasses, [], "^model: OtherClasses knows the classes a, b; the data has angry"),
    ],
)
def test_a_network_that_cannot_come_back_is_refused_at_once(
    kind: type[Any], overrides: list[str], why: str, composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, __name__.partition(".")[0])
    with pytest.raises(ConfigError, match=why):
        build(composed(*networks_own(kind), *overrides, f"data.path={few_faces}"))


def networks_own(kind: type[Any]) -> tuple[str, ...]:
    """Overrides for a network without the keys of conf/model/deep_emotion.yaml."""
    keys = ("dropout", "transformer_lr_scale", "channels_last", "decay_norms_and_biases")
    return (
        *ONE_EPOCH[2:],
        "model=deep_emotion",
        f"model._target_={__name__}.{kind.__name__}",
        *(f"~model.{k}" for k in keys),
    )


def test_a_network_that_takes_nothing_has_nothing_to_save(
    composed: Compose, few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, __name__.partition(".")[0])
    experiment = build(composed(*networks_own(Unquestioned), f"data.path={few_faces}"))
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    experiment.trainer.save_checkpoint(tmp_path / "run" / "model.ckpt")
    again = load_model(tmp_path / "run" / "model.ckpt")
    assert torch.equal(again.net[0].weight, experiment.model.net[0].weight)  # type: ignore[index]


def test_a_sound_network_takes_what_it_likes_and_is_tested(
    composed: Compose, few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, __name__.partition(".")[0])
    own = ("+model.sizes=[1,2]", "+model.weights_path=its_own", "finetune.head_lr_scale=3")
    cfg = run_folder(composed, tmp_path, "run", *networks_own(Sound), *own, f"data.path={few_faces}")
    fitted(cfg)
    again = rebuild(run_config(tmp_path / "run"), changes(), tmp_path / "run" / "checkpoints" / "best.ckpt").model
    assert dict(again.hparams)["sizes"] == [1, 2]
    assert again.hparams["weights_path"] == "its_own"
    assert build(cfg).model.lr_scales[0][1] == 3


def test_ours_are_found_by_the_names_of_older_checkpoints() -> None:
    for name in (
        "ResNet18Classifier",
        "fer_lightning.training.models.ResNet18Classifier",
        "fer_lightning.old.ResNet18Classifier",
    ):
        assert model_kind(name).__name__ == "ResNet18Classifier"
    for name in ("Trainer", "fer_lightning.training.models.nn.Linear"):
        with pytest.raises(ValueError, match=r"it is one of .*DeepEmotionClassifier"):
            model_kind(name)
    with pytest.raises(ValueError, match=r"^model_class is os\.system; a run's own config may only name"):
        model_kind("os.system")
