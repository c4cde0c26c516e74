"""Somebody's own parts train, test, resume, teach and predict as ours do, or are refused before the first step."""

import json
import os
import re
import sys
import warnings
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
from fer_lightning.errors import ConfigError
from fer_lightning.nets.registry import network_maker, register
from fer_lightning.nets.trusted import VARIABLE
from fer_lightning.nets.weights import InitialWeights, load_initial_weights
from fer_lightning.training.models import load_model
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
