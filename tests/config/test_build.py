"""Every choice that the config tree offers can be built; what cannot be is refused by name."""

import copy
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import lightning as L
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.build import build, rebuild
from fer_lightning.data.faces import FERPLUS_EMOTIONS
from fer_lightning.errors import ConfigError
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.signature import argument_error
from fer_lightning.training.hardware import fast_precision
from tests.conftest import Compose
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


TWO = "trainer=ddp trainer.accelerator=cpu trainer.devices=2"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=abc", r"^optimizer\.lr is 'abc': it should be a valid number"),
        ("optimizer.lr=null", r"^optimizer\.lr is None: it should be a valid number"),
        ("optimizer.lr=-1", r"^optimizer\.lr is -1; it must be at least 0$"),
        ("optimizer.lr=inf", r"^optimizer\.lr is inf: it should be a finite number$"),
        ("optimizer=muon optimizer.rest_lr=inf", r"^optimizer\.rest_lr is inf: it should be a finite number$"),
        ("optimizer=sgd optimizer.momentum=inf", r"^optimizer\.momentum is inf: it should be a finite number$"),
        ("optimizer=adam optimizer.betas=[0.9,1]", r"^optimizer\.betas\[1\] is 1; it must be at least 0 and below 1$"),
        ("scheduler=step scheduler.gamma=nan", r"^scheduler\.gamma is nan: it should be a number$"),
        ("scheduler=cosine scheduler.eta_min=inf", r"^scheduler\.eta_min is inf: it should be a finite number$"),
        ("loss=focal loss.gamma=inf", r"^loss\.gamma is inf: it should be a finite number$"),
        ("trainer.gradient_clip_val=nan", r"^trainer\.gradient_clip_val is nan: it should be a number$"),
        ("model.name=''", r"^model\.name is ''; it is the name that a network is registered by"),
        (
            "optimizer=sgd optimizer.nesterov=perhaps",
            r"^optimizer\.nesterov is 'perhaps': it should be a valid boolean",
        ),
        (
            "+optimizer.momentun=0.9 optimizer=sgd",
            r"^optimizer\.momentun is not an argument of SGD; did you mean momentum",
        ),
        (
            "optimizer._target_=torch.optim.Adamm",
            r"^optimizer\._target_ is torch\.optim\.Adamm, which cannot be imported",
        ),
        ("data.val_fraction=1.5", r"^data\.val_fraction is 1\.5"),
        (f"{TWO} finetune=gradual", r"is 2 × 1: finetune\.unfreeze_at_epoch needs one device"),
        (f"{TWO} debug=lr_find", r"is 2 × 1: what is done instead of training is done on one device"),
        (f"{TWO} trainer.sync_batchnorm=true", r"^trainer\.sync_batchnorm is true, which torch can do on GPUs only"),
        (f"{TWO} trainer.strategy=ddp_spawn", r"^trainer\.strategy is DDPStrategy, started by spawn; several"),
        ("trainer=ddp trainer.accelerator=cpu trainer.devices=25", r"^data: val has 24 faces, fewer than the 25 devi"),
        ("callbacks=[early_stopping]", r"^callbacks keep no checkpoint: name default too"),
        ("compile=perhaps", r"^compile is perhaps; it is true or false"),
        ("data.progressive_sizes=[32,0]", r"^data\.progressive_sizes\[1\] is 0; it must be at least 1"),
        (
            "data.progressive_sizes=[24,48] model=deep_emotion",
            r"^data\.progressive_sizes is 24, and DeepEmotion does not run on images of 24×24: it is made for 48×48$",
        ),
        (
            "model=resnet18 data.progressive_sizes=[24,48] trainer.max_epochs=-1 trainer.max_steps=9",
            r"^data\.progressive_sizes shares",
        ),
        ("data.on_bad_rows=skip", r"^data\.on_bad_rows is 'skip': it should be 'error' or 'drop'"),
        ("data.batch_size=12.5", r"^data\.batch_size is 12\.5: it should be a valid integer"),
        ("data.splits.test=Public", r"^data\.splits\.test names Public, which the source does not have"),
        ("data.path=nowhere.csv", r"nowhere\.csv"),
        ("model.stem=smal model=resnet18", r"^model\.stem is 'smal': it should be 'imagenet', 'pooled' or 'small'"),
        ("model.dropout=2 model=resnet18", r"^model\.dropout is 2; it must be at least 0 and below 1"),
        ("augmentation.flip=2", r"^augmentation\.flip is 2"),
        ("augmentation.mixup=-1", r"^augmentation\.mixup is -1"),
        ("model=torchvision model.arch=resnet19", r"^model: arch is 'resnet19', .* did you mean .*resnet18"),
        ("model=resnet18 model.weights_path=none.pth", r"^model: weights_path none\.pth does not exist"),
        ("model=resnet18 model.pretrained=maybe", r"^model\.pretrained is 'maybe': it should be a valid boolean"),
        ("model=resnet18 model.pretrained=true model.weights_path=x", r"^model: pretrained and weights_path both name"),
        (
            "finetune=gradual finetune.unfreeze_at_epoch=9",
            r"^finetune\.unfreeze_at_epoch is 9, but trainer\.max_epochs is 9",
        ),
        ("finetune.unfreeze_at_epoch=-1", r"^finetune\.unfreeze_at_epoch is -1"),
        ("ckpt=newest", r"^ckpt is newest; it is one of best, last$"),
        ("ckpt=last callbacks.last_checkpoint=null", r"^ckpt is last, but callbacks keep no last_checkpoint"),
        ("ckpt=last ~callbacks.last_checkpoint", r"^ckpt is last, but callbacks keep no last_checkpoint"),
        ("callbacks.pictures=true", r"^callbacks\.pictures is True; it is null, or has a _target_"),
        ("scheduler=step scheduler.step_size=0", r"^scheduler\.step_size is 0; it must be at least 1$"),
        ("seed={a:1}", r"^seed is \{'a': 1\}: it should be a valid integer"),
        ("finetune.head_lr_scale=0", r"^finetune.head_lr_scale is 0"),
        ("model=deep_emotion model.transformer_lr_scale=0", r"^model.transformer_lr_scale is 0"),
        (
            "model=torchvision model.arch=vit_b_32 data.image_size=96",
            r"^data\.image_size is 96, and VisionTr.* it is made for 224×224$",
        ),
        ("loss=focal loss.gamma=-1", r"^loss\.gamma is -1"),
        ("scheduler=cosine scheduler.warmup=1", r"^scheduler\.warmup is 1"),
        ("augmentation.scale=[1.1,0.9]", r"^augmentation: scale is \[1\.1, 0\.9\]"),
        ("loss.class_weights=inverse", r"^loss\.class_weights is 'inverse': it should be 'none', 'balanced' or"),
        ("scheduler.pct_start=3", r"^scheduler\.pct_start is 3; it must be at least 0 and at most 1$"),
        ("trainer.max_epochs=many", r"^trainer\.max_epochs is 'many': it should be a valid integer"),
        ("trainer.precision=fp16", r"^trainer\.precision is 'fp16': .* or 'auto'$"),
        ("trainer.max_epochs=0", r"^trainer\.max_epochs is 0: nothing would be trained"),
        ("trainer.max_steps=0", r"^trainer\.max_steps is 0: nothing would be trained"),
        (
            "trainer.max_steps=1",
            r"^the run would end before its first validation: .*max_steps=1, where an epoch has 2 st",
        ),
        (
            "trainer.check_val_every_n_epoch=3 trainer.max_epochs=2 monitor=val/loss",
            r"^the run would end before .*_n_epoch=3\. There would be no val/loss to pick the best by: train",
        ),
        (
            "trainer.check_val_every_n_epoch=3 trainer.max_epochs=2 monitor=train/loss",
            r"^the run would end before .*best\.ckpt is picked after a validation: give ckpt=last, or validate sooner",
        ),
        ("trainer.precision=bf17", r"^trainer\.precision is 'bf17': it should be .*'bf16-mixed'"),
        ("trainer.accelerator=abacus", r"^trainer: .*abacus"),
        ("trainer.limit_val_batches=0", r"^trainer\.limit_val_batches is 0, but monitor is val/accuracy"),
        ("data.drop_copies=no", r"^data\.drop_copies is 'no': it should be a valid boolean"),
        ("data.batch_size=64.0", r"^data\.batch_size is 64\.0: it should be a valid integer"),
        ("data.folds=5", r"^data: folds is 5 and fold is None; give both"),
        ("data.folds=two data.fold=0", r"^data\.folds is 'two': it should be a valid integer"),
        ("data=ferplus data.votes.rule=plurality", r"^data\.votes\.rule is 'plurality': it should be 'majority' or"),
        ("data=ferplus data.votes.path=none.csv", r"^data\.votes\.path: there is no file none\.csv"),
        ("data=ferplus data.votes.path=7", r"^data\.votes\.path is 7: it should be "),
        ("data.split_seed=-1", r"^data\.split_seed is -1"),
        ("data.image_size=64", r"^data\.image_size is 64, and DeepEmotion does not run on"),
        ("data.path=???", r"^data\.path is missing: give data\.path="),
        ("scheduler.interval=batch", r"^scheduler\.interval is 'batch': it should be 'step' or 'epoch'"),
        ("scheduler=plateau scheduler.monitor=val/acc", r"^scheduler\.monitor is val/acc; it is one of val/loss"),
        ("callbacks.checkpoint.monitor=val/acc", r"^callbacks\.checkpoint\.monitor is val/acc"),
        ("trainer.limit_test_batches=0", r"^trainer\.limit_test_batches is 0"),
        ("seed=-1", r"^seed is -1; it must be at least 0"),
        ("seed=abc", r"^seed is 'abc': it should be a valid integer"),
        ("monitor=val/acc", r"^monitor is val/acc; it is one of val/loss, val/accuracy"),
        ("monitor=test/accuracy", r"^monitor is test/accuracy: a checkpoint picked on the test split"),
        ("callbacks.pictures.faces=0", r"^callbacks\.pictures\.faces is 0"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(override: str, message: str, composed: Compose, few_faces: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build(composed("model=deep_emotion", f"data.path={few_faces}", *override.split()))


def test_changing_accumulation_is_refused_where_steps_count(
    composed: Compose, few_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = "lightning.pytorch.callbacks.GradientAccumulationScheduler"
    monkeypatch.setenv("FER_LIGHTNING_TRUST", scheduler)
    more = f"+callbacks.more={{_target_:{scheduler},scheduling:{{1:2}}}}"
    with pytest.raises(
        ConfigError, match=r"^callbacks: a GradientAccumulationScheduler changes .* give trainer\.accumul"
    ):
        build(composed("model=deep_emotion", f"data.path={few_faces}", more))


@pytest.mark.parametrize(
    "overrides",
    [
        "trainer.max_steps=2",
        "trainer.max_steps=1 data.batch_size=64 trainer=ddp trainer.devices=3",
        "trainer.max_steps=1 monitor=train/loss",
        "trainer.max_steps=1 debug=one_batch",
        "trainer.max_epochs=2 trainer.check_val_every_n_epoch=3 monitor=train/loss ckpt=last",
        "trainer.max_epochs=2 debug=lr_find",
    ],
)
def test_a_run_whose_checkpoint_can_be_picked_is_not_refused(
    overrides: str, composed: Compose, few_faces: Path
) -> None:
    options = ("model=deep_emotion", f"data.path={few_faces}", "trainer.accelerator=cpu")
    assert build(composed(*options, *overrides.split())).trainer.max_steps in (-1, 1, 2)


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


def test_arguments_are_held_against_signatures() -> None:
    assert argument_error(DeepEmotion, {"num_classes": 7, "dropout": 1}) is None
    assert argument_error(torch.optim.Adam, {"lr": 0.1, "betas": [0.9, 0.99]}) is None
    assert argument_error(DeepEmotion, {"num_classes": 7.5}) == "num_classes is 7.5: it should be a valid integer"
    assert argument_error(DeepEmotion, {"dropuot": 0.1}) == (
        "dropuot is not an argument of DeepEmotion; did you mean dropout?"
    )


@pytest.fixture
def ferplus_run(composed: Compose, few_faces: Path, tmp_path: Path) -> tuple[DictConfig, Path]:
    """The config of a short run on FER+ votes that lie apart from the pixels, and its checkpoint."""
    votes = shutil.copy(few_faces.with_name("fer2013new.csv"), tmp_path / "votes.csv")
    choices = ("data=ferplus", "model=deep_emotion", f"data.path={few_faces}", f"data.votes.path={votes}")
    cfg = composed(*choices, "trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv", "callbacks=checkpoint")
    experiment = build(cfg)
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    return cfg, Path(experiment.trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]


def changes(**data: object) -> DictConfig:
    """conf/test.yaml with these values below data."""
    cfg = OmegaConf.load(REPOSITORY / "conf" / "test.yaml")
    assert isinstance(cfg, DictConfig)
    cfg.data.merge_with(data)
    return cfg


def test_a_ferplus_run_is_tested_on_its_faces_and_on_others(
    ferplus_run: tuple[DictConfig, Path], few_faces: Path, tmp_path: Path
) -> None:
    cfg, checkpoint = ferplus_run
    own = rebuild(copy.deepcopy(cfg), changes(), checkpoint)
    assert own.model.class_names == FERPLUS_EMOTIONS
    assert len(own.datamodule.rows["test"]) == 24
    lines = few_faces.read_text().splitlines()
    voted = few_faces.with_name("fer2013new.csv").read_text().splitlines()
    for folder, name in (("beside", "fer2013new.csv"), ("apart", "other_votes.csv")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fer2013.csv").write_text("\n".join(lines[:1] + lines[-10:]))
        (tmp_path / folder / name).write_text("\n".join(voted[:1] + voted[-10:]))
    beside = rebuild(copy.deepcopy(cfg), changes(path=str(tmp_path / "beside")), checkpoint)
    assert len(beside.datamodule.rows["test"]) == 10
    path, votes = tmp_path / "apart", {"path": str(tmp_path / "apart" / "other_votes.csv")}
    apart = rebuild(copy.deepcopy(cfg), changes(path=str(path), votes=votes), checkpoint)
    assert len(apart.datamodule.rows["test"]) == 10
    with pytest.raises(ConfigError, match=r"no fer2013new\.csv in .*apart\. "):
        rebuild(copy.deepcopy(cfg), changes(path=str(path)), checkpoint)


def test_votes_for_a_run_not_trained_on_votes_are_refused(composed: Compose, few_faces: Path, tmp_path: Path) -> None:
    cfg = composed("data=fer2013", f"data.path={few_faces}", "model=deep_emotion")
    data: dict[str, object] = {
        "source": str(few_faces),
        "votes": None,
        "mean": (0.5,),
        "std": (0.2,),
        "image_size": 48,
        "size": 48,
        "fit": "crop",
    }
    data |= {"labelled": {}, **dict.fromkeys(("trained_on", "chosen_on"), torch.zeros(1, dtype=torch.int64))}
    network = {"network": "deep_emotion", "class_names": [], "arguments": {}, "channels_last": False}
    network["in_channels"] = 1
    content = {"format_version": 2, "FERDataModule": data, "hyper_parameters": network, "state_dict": {}}
    torch.save(content, tmp_path / "best.ckpt")
    with pytest.raises(ConfigError, match=r"data\.votes\.path is given, but the run has no data\.votes"):
        rebuild(cfg, changes(votes={"path": "votes.csv"}), tmp_path / "best.ckpt")


@pytest.mark.parametrize("key", ["model._target_", "callbacks.progress_bar._target_", "data.extra.0._target_"])
def test_a_run_whose_config_names_anything_else_is_refused(
    key: str, composed: Compose, few_faces: Path, tmp_path: Path
) -> None:
    cfg = composed(f"data.path={few_faces}")
    for target in ("os.system", "builtins.exec", "torchish.load", "${oc.env:HOME}"):
        OmegaConf.update(cfg, "data.extra", [{}], force_add=True)
        OmegaConf.update(cfg, key, target, force_add=True)
        rule = "(a run's own config may (only name what conf/ names|name something to call only)|a network has no)"
        with pytest.raises(ConfigError, match=rf"^{re.escape(key)} is .*; {rule}"):
            rebuild(cfg, changes(), tmp_path / "best.ckpt")


def test_a_run_of_an_older_version_is_refused(composed: Compose, few_faces: Path, tmp_path: Path) -> None:
    torch.save({"FERDataModule": {"source": str(few_faces)}}, tmp_path / "best.ckpt")
    cfg = composed(f"data.path={few_faces}")
    with pytest.raises(ConfigError, match=r"best\.ckpt is not a checkpoint .* made by an older version .*Train again"):
        rebuild(cfg, changes(), tmp_path / "best.ckpt")
    OmegaConf.update(cfg, "model._target_", "fer_lightning.models.ResNet18Classifier", force_add=True)
    with pytest.raises(ConfigError, match=r"made by version 0\.1 of fer_lightning, whose runs are not read"):
        rebuild(cfg, changes(), tmp_path / "best.ckpt")


@pytest.mark.parametrize("script", ["train", "test"])
def test_the_scripts_import_nothing_heavy_before_there_is_work(script: str) -> None:
    heavy = "{'torch', 'lightning', 'pandas', 'matplotlib'} & set(sys.modules)"
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import {script}; sys.exit(str({heavy} or ''))"
    assert subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True).stderr.strip() == ""
