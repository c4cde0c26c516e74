"""Every choice that the config tree offers can be built."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import lightning as L
import pytest
import torch
from omegaconf import OmegaConf

from fer_lightning.config.build import build
from fer_lightning.config.parts import made_optimizer, made_schedule
from fer_lightning.errors import ConfigError
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.signature import argument_error
from fer_lightning.training.hardware import fast_precision
from tests.conftest import Compose
from tests.data.faces_files import random_images, write_image
from tests.runs import nightly
from tests.scripts import REPOSITORY

NEEDS_A_PACKAGE_OF_ITS_OWN = {("logger", "wandb"), ("logger", "mlflow")}


NEEDS_A_TEACHER = {("loss", "distillation")}  # test_distillation.py


NOT_A_CHOICE_OF_ONE = {"hydra", "experiment"}  # experiments: test_experiments.py


def choices() -> list[tuple[str, str]]:
    files = sorted((REPOSITORY / "conf").glob("*/*.yaml"))
    found = [(file.parent.name, file.stem) for file in files if file.parent.name not in NOT_A_CHOICE_OF_ONE]
    assert len(found) > 30
    return [choice for choice in found if choice not in NEEDS_A_PACKAGE_OF_ITS_OWN | NEEDS_A_TEACHER]


@pytest.mark.parametrize(("group", "name"), choices())
def test_every_choice_of_every_group_builds(group: str, name: str, composed: Compose, few_faces: Path) -> None:
    path = "data.path.faces=240" if (group, name) == ("data", "demo") else f"data.path={few_faces}"
    choice = f"{group}=[default,{name}]" if group == "callbacks" and name != "default" else f"{group}={name}"
    experiment = build(composed("model=deep_emotion", path, "trainer.accelerator=cpu", choice))
    assert experiment.model.class_names == experiment.datamodule.class_names
    assert isinstance(experiment.trainer, L.Trainer)


AT_ONCE = {"plateau": ["scheduler.patience=0", "+scheduler.threshold=10"], "step": ["scheduler.step_size=1"]}
"""What makes these two lower the learning rate within three epochs."""


OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "muon")


SCHEDULERS = ("none", "onecycle", "cosine", "plateau", "step")


PAIRS = [*zip(OPTIMIZERS, SCHEDULERS, strict=True), ("muon", "plateau")]


@pytest.mark.parametrize(
    ("optimizer", "scheduler"),
    [*PAIRS, *nightly(*(pair for pair in product(OPTIMIZERS, SCHEDULERS) if pair not in PAIRS))],
)
def test_every_optimizer_trains_with_every_scheduler(
    optimizer: str, scheduler: str, composed: Compose, few_faces: Path
) -> None:
    choices = ("model=deep_emotion", f"data.path={few_faces}", f"optimizer={optimizer}", f"scheduler={scheduler}")
    short = ("trainer.max_epochs=3", "trainer.accelerator=cpu", "callbacks=checkpoint", "logger=csv")
    cfg = composed(*choices, *short, *AT_ONCE.get(scheduler, []))
    experiment = build(cfg)
    before = experiment.model.net.state_dict()["classifier.4.weight"].clone()
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    assert not torch.equal(experiment.model.net.state_dict()["classifier.4.weight"], before)
    rate = experiment.trainer.optimizers[0].param_groups[0]["lr"]
    assert rate == cfg.optimizer.lr if scheduler == "none" else rate < cfg.optimizer.lr


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_logger_whose_package_is_missing_says_what_to_install(
    name: str, composed: Compose, few_faces: Path, tmp_path: Path
) -> None:
    cfg = composed(f"logger={name}", f"data.path={few_faces}")
    assert set(cfg.logger) == {"tensorboard", "csv", name}
    try:
        __import__(name)
    except ModuleNotFoundError:
        with pytest.raises(ConfigError, match=f"logger.{name}: .*{name}"):
            build(cfg)


def test_the_default_trains_resnet18_on_the_demo_faces(composed: Compose) -> None:
    cfg = composed("data.path.faces=240")
    experiment = build(cfg)
    assert type(experiment.model.net).__name__ == "ResNet18"
    assert cfg.data.path._target_ == "fer_lightning.data.drawings.demo.drawn"


def test_keys_that_the_help_page_names_exist(composed: Compose) -> None:
    footer = OmegaConf.load(REPOSITORY / "conf" / "hydra" / "train.yaml").help.footer
    keys = [line.split()[0] for line in footer.splitlines() if line.startswith("  ")]
    assert "optimizer.lr" in keys
    cfg = composed("data=fer2013", "loss=distillation", "loss.teacher=run")
    for key in keys:
        assert OmegaConf.select(cfg, key, throw_on_missing=True) is not None or key == "data.path"


@pytest.mark.parametrize(
    ("cpu", "cuda", "accelerator", "precision"),
    [
        ({"amx_bf16": True}, None, "cpu", "bf16-mixed"),
        ({"avx512_bf16": True}, None, "auto", "bf16-mixed"),
        ({"avx2": True}, None, "cpu", "32-true"),
        ({"amx_bf16": True}, True, "cpu", "bf16-mixed"),
        ({"avx2": True}, True, "auto", "bf16-mixed"),
        ({"amx_bf16": True}, False, "gpu", "32-true"),
    ],
)
def test_auto_precision_is_bf16_where_the_hardware_has_it(
    cpu: dict[str, bool], cuda: bool | None, accelerator: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert fast_precision(accelerator) == precision


def test_auto_precision_reaches_the_trainer(
    composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("model=deep_emotion", f"data.path={few_faces}", "trainer.accelerator=cpu")
    for cpu, precision in (({"amx_bf16": True}, "bf16-mixed"), ({}, "32-true")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda cpu=cpu: cpu, raising=False)
        assert build(composed(*options)).trainer.precision == precision


@pytest.mark.parametrize(("clipped", "fused"), [("null", True), ("1.0", None)])
def test_the_step_is_fused_unless_gradients_are_clipped(
    clipped: str, fused: bool, composed: Compose, few_faces: Path
) -> None:
    for name in ("sgd", "adam", "adamw"):
        experiment = build(
            composed(
                "model=deep_emotion",
                f"optimizer={name}",
                f"data.path={few_faces}",
                f"trainer.gradient_clip_val={clipped}",
            )
        )
        assert experiment.model.optimizer is not None
        assert experiment.model.optimizer([torch.zeros(1, requires_grad=True)]).defaults["fused"] is fused


def test_a_compiled_network_keeps_the_names_of_its_layers(composed: Compose, few_faces: Path) -> None:
    options = ("model=deep_emotion", f"data.path={few_faces}")
    plain, compiled = (build(composed(f"compile={word}", *options)).model.net for word in ("false", "true"))
    assert plain._compiled_call_impl is None
    assert compiled._compiled_call_impl is not None
    assert list(compiled.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize(
    "overrides", [(), ("callbacks=[default,early_stopping]",), ("trainer=ddp",), ("debug=lr_find",)]
)
def test_gradients_are_clipped_whatever_callbacks_are_named(overrides: tuple[str, ...], composed: Compose) -> None:
    assert composed(*overrides).trainer.gradient_clip_val == 5.0


def test_an_argument_of_the_demo_faces_is_checked_too(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"^data\.path\.faces is 'abc': it should be a valid integer"):
        build(composed("data.path.faces=abc"))
    with pytest.raises(ConfigError, match=r"^data\.path\.faces is 5; it must be at least 70 and at most 200000"):
        build(composed("data.path.faces=5"))


@pytest.mark.parametrize("name", ["Unsure", "no face", "a\x1bb"])
def test_a_class_that_predict_refuses_is_not_trained(name: str, composed: Compose, tmp_path: Path) -> None:
    for folder in ("happy", "sad", name):
        for image in range(20):
            write_image(tmp_path / folder / f"{image}.png", random_images(1, image)[0])
    data = ("model=deep_emotion", "trainer.accelerator=cpu", "data=image_folder", f"data.path={tmp_path}")
    expected = "letters that can be printed" if "\x1b" in name else "names other than unsure and no face"
    with pytest.raises(ConfigError, match=f"the trained network could not be used: class_names is .*{expected}"):
        build(composed(*data))
    assert build(composed(*data, "data.classes=[happy,sad]")).model.class_names == ("happy", "sad")


def test_arguments_are_held_against_signatures() -> None:
    assert argument_error(DeepEmotion, {"num_classes": 7, "dropout": 1}) is None
    assert argument_error(torch.optim.Adam, {"lr": 0.1, "betas": [0.9, 0.99]}) is None
    assert argument_error(DeepEmotion, {"num_classes": 7.5}) == "num_classes is 7.5: it should be a valid integer"
    assert argument_error(DeepEmotion, {"dropuot": 0.1}) == (
        "dropuot is not an argument of DeepEmotion; did you mean dropout?"
    )


@pytest.mark.parametrize("script", ["train", "test"])
def test_the_scripts_import_nothing_heavy_before_there_is_work(script: str) -> None:
    heavy = "{'torch', 'lightning', 'pandas', 'matplotlib'} & set(sys.modules)"
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import {script}; sys.exit(str({heavy} or ''))"
    assert subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True).stderr.strip() == ""


def test_a_run_of_too_few_steps_for_a_schedule_is_explained(composed: Compose) -> None:
    cfg = composed("scheduler.pct_start=0.25")
    optimizer = made_optimizer(cfg, torch.device("cpu"))
    schedule = made_schedule(cfg, optimizer)
    assert schedule is not None
    parameters = [torch.zeros(1, requires_grad=True)]
    schedule.made(optimizer(parameters), 5)
    with pytest.raises(ConfigError, match=r"^scheduler: OneCycleLR cannot divide up a run of 4 steps .*max_epochs"):
        schedule.made(optimizer(parameters), 4)
