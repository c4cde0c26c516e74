"""A network learns what its teacher says, and nothing that the teacher must not know."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.build import build, rebuild
from fer_lightning.config.teacher import with_teacher_checkpoint
from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.distillation import Distillation
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.training.models import load_model
from tests.conftest import Compose, trainer
from tests.scripts import REPOSITORY


@pytest.fixture
def teacher(composed: Compose, few_faces: Path, tmp_path: Path) -> Path:
    """The folder of a run of one step, on the faces that the convention trains on."""
    model = EmotionClassifier("resnet18", arguments={"width": 8}, optimizer=partial(torch.optim.SGD, lr=0.1))
    data = FERDataModule(few_faces, batch_size=64, image_size=48, normalize="fixed", mean=0.4, std=0.2)
    fitting = trainer(tmp_path / "fitted", max_steps=1)
    fitting.fit(model, data)
    fitting.save_checkpoint(tmp_path / "teacher/checkpoints/best.ckpt")
    (tmp_path / "teacher/.hydra").mkdir()
    OmegaConf.save(composed(), tmp_path / "teacher/.hydra/config.yaml")
    return tmp_path / "teacher"


def checkpoint_in(run: Path) -> str:
    return str(run / "checkpoints" / "best.ckpt")


def data_of(path: Path, **options: Any) -> FERDataModule:
    data = FERDataModule(path, batch_size=32, image_size=48, **options)
    data.setup()
    return data


def faces_of(data: FERDataModule) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of test, normalised as data does it."""
    return data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)


def test_the_loss_is_that_of_its_paper(few_faces: Path, teacher: Path) -> None:
    loss, data, weights = (
        Distillation(checkpoint_in(teacher), weight=0.6, temperature=3.0),
        data_of(few_faces),
        torch.ones(7),
    )
    loss.prepare(data)
    images, labels = faces_of(data)
    logits = torch.randn(len(images), 7, requires_grad=True)
    told = (loss.teacher(images * data.std[0] / 0.2 + (data.mean[0] - 0.4) / 0.2).detach() / 3).softmax(1)
    kl = (told * (told.log() - (logits / 3).log_softmax(1))).sum(1).mean()
    of_batch = loss.training_loss(logits, labels, weights, images)
    torch.testing.assert_close(of_batch, 0.4 * F.cross_entropy(logits, labels) + 0.6 * 9 * kl)
    assert float(loss(logits, labels, weights).detach()) == pytest.approx(
        float(F.cross_entropy(logits, labels).detach())
    )
    of_batch.backward()
    assert all(parameter.grad is None for parameter in loss.teacher.parameters())


def test_a_teacher_sees_faces_normalised_as_it_learnt_them(few_faces: Path, teacher: Path) -> None:
    as_it_learnt = data_of(few_faces, normalize="fixed", mean=0.4, std=0.2)
    loss, data = Distillation(checkpoint_in(teacher), weight=1.0, temperature=1.0), data_of(few_faces)
    loss.prepare(data)
    logits = load_model(teacher / "checkpoints/best.ckpt")(faces_of(as_it_learnt)[0]).detach()
    images, labels = faces_of(data)
    assert float(loss.training_loss(logits, labels, torch.ones(7), images).detach()) == pytest.approx(0, abs=1e-5)


def test_a_network_comes_to_say_what_its_teacher_says(few_faces: Path, teacher: Path, tmp_path: Path) -> None:
    data = data_of(few_faces)
    loss = Distillation(checkpoint_in(teacher), weight=1.0)
    loss.prepare(data)
    model = EmotionClassifier(
        "deep_emotion", arguments={"dropout": 0}, loss=loss, optimizer=partial(torch.optim.Adam, lr=0.003)
    )
    images, labels = faces_of(data)

    def apart() -> float:
        with torch.no_grad():
            return float(loss.training_loss(model.eval()(images), labels, torch.ones(7), images))

    before = apart()
    trainer(tmp_path, max_epochs=5, limit_val_batches=0).fit(model, data)
    assert apart() < 0.5 * before
    assert not any("teacher" in name for name in model.state_dict())


def test_the_teacher_is_the_checkpoint_that_its_run_tested(few_faces: Path, teacher: Path, composed: Compose) -> None:
    (teacher / "checkpoints/best.ckpt").rename(teacher / "checkpoints/last.ckpt")
    OmegaConf.save(composed("ckpt=last"), teacher / ".hydra/config.yaml")
    loss = composed("loss=distillation", f"loss.teacher={teacher}").loss
    Distillation(with_teacher_checkpoint(loss).teacher).prepare(data_of(few_faces))
    OmegaConf.save(composed("ckpt=best"), teacher / ".hydra/config.yaml")
    with pytest.raises(ValueError, match=r"checkpoints/best\.ckpt does not exist: give the folder of a finished run"):
        Distillation(with_teacher_checkpoint(loss).teacher).prepare(data_of(few_faces))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ("model=resnet18", "data.image_size=40"),
            r"^loss: teacher .* takes images of 48×48, and data\.image_size is 40: give the same$",
        ),
        (
            ("data.splits.train=PublicTest", "data.splits.test=Training"),
            r"^loss: teacher .* has learnt 192 faces of test, which is Training, and would pass on what they are",
        ),
        (
            ("data.splits.train=PublicTest", "data.splits.val=Training", "data.splits.test=PrivateTest"),
            r"^loss: teacher .* has learnt 192 faces of val, which is Training, and would pass on what they are",
        ),
        (
            ("data.splits.train=PublicTest", "data.splits.val=Training", "data.splits.test=Training"),
            r"192 faces of val, which is Training, and 192 faces of test, which is Training, which is val too, ",
        ),
        (("loss.teacher=nowhere",), r"^loss: teacher nowhere does not exist: give the folder of a finished run"),
        (("loss.weight=0",), r"^loss\.weight is 0; it must be above 0 and at most 1$"),
        (("loss.temperature=0",), r"^loss\.temperature is 0; it must be above 0$"),
        (
            ("loss.teacher=???",),
            r"^loss\.teacher is missing: give loss\.teacher=…, the folder of a finished run",
        ),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(
    options: tuple[str, ...], says: str, composed: Compose, few_faces: Path, teacher: Path
) -> None:
    given = ("model=deep_emotion", "data=fer2013", f"data.path={few_faces}", "loss=distillation")
    with pytest.raises(ConfigError, match=says):
        build(composed(*given, f"loss.teacher={teacher}", *options))


def test_copies_that_a_set_has_itself_are_no_leak_of_the_teacher(
    few_faces: Path, teacher: Path, tmp_path: Path
) -> None:
    head, *rows = few_faces.read_text().splitlines()
    learnt = [row for row in rows if row.endswith("Training")]
    copies = [row.replace("Training", part) for row, part in zip(learnt, ("PublicTest", "PrivateTest"), strict=False)]
    (tmp_path / "fer2013.csv").write_text("\n".join([head, *rows, *copies]))
    data = data_of(tmp_path / "fer2013.csv")
    assert [int(data.also_in_train[split].sum()) for split in ("val", "test")] == [1, 1]
    loss = Distillation(checkpoint_in(teacher))
    loss.prepare(data)
    assert loss.teacher.class_names == data.class_names


def test_a_teacher_of_other_faces_is_warned_of(
    composed: Compose, teacher: Path, caplog: pytest.LogCaptureFixture
) -> None:
    others = ("data=demo", "data.path.faces=240", "data.path.seed=2", "data.image_size=48")
    with caplog.at_level("WARNING"):
        build(composed("model=deep_emotion", *others, "loss=distillation", f"loss.teacher={teacher}"))
    assert f"teacher {checkpoint_in(teacher)} has learnt none of these faces, but those of " in caplog.text


def test_a_teacher_that_takes_no_smaller_images_is_refused(few_faces: Path, teacher: Path) -> None:
    model, data = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.1)), data_of(few_faces)
    fitting = trainer(teacher / "fitted", max_steps=1)
    fitting.fit(model, data)
    fitting.save_checkpoint(teacher / "checkpoints/best.ckpt")
    data.progressive_sizes = (36, 48)
    with pytest.raises(ValueError, match=r"^teacher .* does not run on images of 36×36: data\.progressive_sizes$"):
        Distillation(checkpoint_in(teacher)).prepare(data)


def test_teachers_of_other_classes_are_refused(few_faces: Path, teacher: Path) -> None:
    loss, data = Distillation(checkpoint_in(teacher)), data_of(few_faces)
    assert data.faces is not None
    object.__setattr__(data.faces, "class_names", ("no", "yes"))
    with pytest.raises(ValueError, match=r"knows the classes angry, .*; the data has no, yes$"):
        loss.prepare(data)


def test_a_network_is_measured_without_its_teacher(composed: Compose, few_faces: Path, teacher: Path) -> None:
    given = ("model=deep_emotion", "data=fer2013", f"data.path={few_faces}", "trainer.accelerator=cpu")
    cfg = composed(*given, "loss=distillation", f"loss.teacher={teacher}", "trainer.max_steps=1", "data.batch_size=192")
    experiment = build(cfg)
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    checkpoint = Path(cfg.callbacks.last_checkpoint.dirpath) / "last.ckpt"
    (teacher / "checkpoints/best.ckpt").unlink()
    changes = OmegaConf.load(REPOSITORY / "conf/test.yaml")
    assert isinstance(changes, DictConfig)
    again = rebuild(cfg, changes, checkpoint)
    again.trainer.test(again.model, again.datamodule, verbose=False)
    labels, logits = torch.tensor([0, 1]), torch.zeros(2, 7)
    assert again.trainer.callback_metrics["test/loss"] > 0
    assert again.model.loss(logits, labels, torch.ones(7)) == CrossEntropy()(logits, labels, torch.ones(7))
