"""What cannot be built is refused by the name of its key."""

from pathlib import Path

import pytest

from fer_lightning.config.build import build
from fer_lightning.errors import ConfigError
from tests.conftest import Compose

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
