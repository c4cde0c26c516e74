"""The LightningModules learn, measure rightly and come back from their checkpoints."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from fer_lightning.augment import Augmentation
from fer_lightning.classifier import EmotionClassifier
from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.losses import CrossEntropy
from fer_lightning.models import DeepEmotionClassifier, ResNet18Classifier, TorchvisionClassifier
from fer_lightning.nets.weights import Start
from fer_lightning.optimization import Schedule, warmup_cosine


def trainer(folder: Path, **options: Any) -> L.Trainer:
    return L.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, **options},
    )


@pytest.mark.parametrize(
    ("kind", "lr", "epochs"),
    [(ResNet18Classifier, 1e-3, 20), (DeepEmotionClassifier, 2e-3, 80)],
    ids=["resnet18", "deep_emotion"],
)
def test_64_faces_can_be_learnt_by_heart(
    kind: type[Any], lr: float, epochs: int, few_faces: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    data = FERDataModule(few_faces, batch_size=32)
    data.setup()
    data.rows["train"] = data.rows["train"][:64]
    data.rows["val"] = data.rows["train"]
    model = kind(dropout=0.0, channels_last=True, optimizer=partial(torch.optim.Adam, lr=lr))
    fitting = trainer(tmp_path, max_epochs=epochs, check_val_every_n_epoch=epochs)
    fitting.fit(model, data)
    assert fitting.callback_metrics["val/accuracy"] >= 0.95


class Fixed(EmotionClassifier):
    """Its logits are its input, so that every figure can be worked out by hand."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Flatten(), ("a", "b", "c"), None, None, None, 1.0, False, False)


def test_metrics_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    true = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
    predicted = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 0, 1])
    logits = torch.nn.functional.one_hot(predicted, 3).float().view(-1, 1, 1, 3)
    model = Fixed()
    testing = trainer(tmp_path)
    testing.test(model, DataLoader(TensorDataset(logits, true), batch_size=4), verbose=False)
    figures = {name: float(value) for name, value in testing.callback_metrics.items()}
    assert model.test_confusion.compute().tolist() == [[3, 1, 0], [0, 2, 0], [1, 1, 2]]
    assert figures["test/accuracy"] == pytest.approx(7 / 10)
    assert figures["test/precision"] == pytest.approx((3 / 4 + 2 / 4 + 2 / 2) / 3)
    assert figures["test/recall"] == pytest.approx((3 / 4 + 2 / 2 + 2 / 4) / 3)
    assert figures["test/f1"] == pytest.approx((6 / 8 + 4 / 6 + 4 / 6) / 3)
    e = torch.e
    right, wrong = -torch.tensor(e / (e + 2)).log(), -torch.tensor(1 / (e + 2)).log()
    assert figures["test/loss"] == pytest.approx(float(0.7 * right + 0.3 * wrong), rel=1e-5)


def test_a_checkpoint_rebuilds_its_network_without_its_config(few_faces: Path, tmp_path: Path) -> None:
    data = FERDataModule(few_faces, batch_size=64)
    model = DeepEmotionClassifier(dropout=0.25, optimizer=partial(torch.optim.Adam, lr=1e-3))
    fitting = trainer(tmp_path, max_epochs=1, enable_checkpointing=True)
    fitting.fit(model, data)
    path = fitting.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"] == {"class_names": EMOTIONS, "dropout": 0.25, "channels_last": False}
    of_data = content["FERDataModule"]
    assert (of_data["source"], of_data["mean"], of_data["std"]) == (str(few_faces), data.mean, data.std)
    assert len(of_data["trained_on"]) == 192
    again = DeepEmotionClassifier.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    images = torch.rand(4, 1, 48, 48)
    assert torch.equal(again.eval()(images), model.eval()(images))


def test_a_checkpoint_of_pretrained_weights_no_longer_needs_their_file(few_faces: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save(ResNet18Classifier().net.state_dict(), weights)
    model = ResNet18Classifier(start=Start(weights_path=str(weights)), optimizer=partial(torch.optim.SGD, lr=0.0))
    fitting = trainer(tmp_path, max_steps=1)
    fitting.fit(model, FERDataModule(few_faces))
    fitting.save_checkpoint(tmp_path / "model.ckpt")
    weights.unlink()
    again = ResNet18Classifier.load_from_checkpoint(tmp_path / "model.ckpt", map_location="cpu", weights_only=True)
    assert torch.equal(again.net.conv1.weight, model.net.conv1.weight)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("decayed", [False, True])
def test_one_switch_keeps_weight_decay_off_norms_and_biases(decayed: bool) -> None:
    model = ResNet18Classifier(
        decay_norms_and_biases=decayed, optimizer=partial(torch.optim.SGD, lr=1.0, weight_decay=0.1)
    )
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Optimizer)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in model.net.named_parameters()}
    optimizer.step()
    for name, parameter in model.net.named_parameters():
        shrinks = parameter.ndim > 1 or decayed
        torch.testing.assert_close(parameter.detach(), before[name] * (0.9 if shrinks else 1.0))


def learning_rates(schedule: Schedule, folder: Path, data: FERDataModule, **options: Any) -> list[float]:
    """The rate that each batch is trained with, and then the rate that is left at the end."""
    rates = []

    class Witness(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    model = DeepEmotionClassifier(optimizer=partial(torch.optim.SGD, lr=0.1), schedule=schedule)
    fitting = trainer(folder, callbacks=[Witness()], limit_val_batches=0, **options)
    fitting.fit(model, data)
    return [*rates, fitting.optimizers[0].param_groups[0]["lr"]]


@pytest.mark.parametrize(
    "options",
    [
        {"max_epochs": 2},
        {"max_epochs": 3, "accumulate_grad_batches": 2},
        {"max_epochs": 5, "limit_train_batches": 2},
        {"max_epochs": 9, "max_steps": 4},
    ],
)
def test_a_cosine_reaches_zero_just_when_the_run_ends(options: dict[str, int], few_faces: Path, tmp_path: Path) -> None:
    schedule = Schedule(torch.optim.lr_scheduler.CosineAnnealingLR, interval="step", steps_as="T_max")
    rates = learning_rates(schedule, tmp_path, FERDataModule(few_faces, batch_size=64), **options)
    assert rates[0] == 0.1
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert all(rate > 1e-3 for rate in rates[:-1])


def test_a_cosine_warms_up_in_a_line(few_faces: Path, tmp_path: Path) -> None:
    schedule = Schedule(partial(warmup_cosine, warmup=0.25), interval="step", steps_as="total_steps")
    rates = learning_rates(schedule, tmp_path, FERDataModule(few_faces, batch_size=24), max_epochs=2)
    assert rates[:5] == pytest.approx([0.001, 0.02575, 0.0505, 0.07525, 0.1])
    assert rates[10] == pytest.approx(0.05)
    assert rates[16] == pytest.approx(0.0, abs=1e-9)


def test_an_epoch_schedule_steps_once_an_epoch(few_faces: Path, tmp_path: Path) -> None:
    schedule = Schedule(partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1), interval="epoch")
    rates = learning_rates(schedule, tmp_path, FERDataModule(few_faces, batch_size=96), max_epochs=2)
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


@pytest.mark.parametrize("kind", [ResNet18Classifier, DeepEmotionClassifier])
@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_bfloat16_and_channels_last_train_and_stay_finite(
    kind: type[Any], precision: str, few_faces: Path, tmp_path: Path
) -> None:
    model = kind(channels_last=True, optimizer=partial(torch.optim.SGD, lr=0.01))
    before = {name: value.clone() for name, value in model.net.named_parameters()}
    fitting = trainer(tmp_path, max_steps=3, precision=precision)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    assert torch.isfinite(fitting.callback_metrics["train/loss"])
    after = dict(model.net.named_parameters())
    kernels = next(name for name, value in after.items() if value.ndim == 4)
    assert not torch.equal(after[kernels].float(), before[kernels])
    expected = torch.float32 if precision == "bf16-mixed" else torch.bfloat16
    assert {parameter.dtype for parameter in after.values()} == {expected}


class Batches(L.Callback):
    """Keeps the images of each training batch."""

    def __init__(self) -> None:
        self.images: list[Tensor] = []

    def on_train_batch_start(self, trainer: L.Trainer, model: L.LightningModule, batch: Any, batch_idx: int) -> None:
        self.images.append(batch[0].clone())


def augmented(few_faces: Path, folder: Path, seed: int) -> list[Tensor]:
    """What two epochs of two steps are fed if all training faces are the same face."""
    data = FERDataModule(few_faces, augmentation=Augmentation(degrees=30), batch_size=96, seed=seed)
    data.setup()
    data.rows["train"] = data.rows["train"][:1].repeat(192)
    batches = Batches()
    model = DeepEmotionClassifier(optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer(folder, max_epochs=2, callbacks=[batches]).fit(model, data)
    return batches.images


def test_each_face_of_each_step_and_epoch_is_augmented_its_own_as_seed_says(few_faces: Path, tmp_path: Path) -> None:
    first = augmented(few_faces, tmp_path, seed=0)
    assert len(first) == 4
    assert len(torch.cat(first).flatten(1).unique(dim=0)) == 4 * 96
    assert all(torch.equal(a, b) for a, b in zip(first, augmented(few_faces, tmp_path, seed=0), strict=True))
    assert not torch.equal(first[0], augmented(few_faces, tmp_path, seed=1)[0])


def test_class_weights_of_the_training_split_reach_the_loss(few_faces: Path, tmp_path: Path) -> None:
    losses = {}
    for weights in ("none", "balanced"):
        torch.manual_seed(0)
        data = FERDataModule(few_faces, batch_size=192)
        loss = CrossEntropy(class_weights=weights)  # type: ignore[arg-type]
        model = DeepEmotionClassifier(dropout=0.0, loss=loss, optimizer=partial(torch.optim.SGD, lr=0.0))
        fitting = trainer(tmp_path, max_epochs=1)
        fitting.fit(model, data)
        losses[weights] = float(fitting.callback_metrics["train/loss"])
        assert torch.equal(model.class_weights, loss.weights(data.class_counts))
    assert data.class_counts.tolist() == [26, 3, 28, 48, 32, 22, 33]
    assert abs(losses["none"] - losses["balanced"]) > 1e-3


def test_the_head_has_a_learning_rate_of_its_own_under_any_schedule(few_faces: Path, tmp_path: Path) -> None:
    rates = {}

    class Witness(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, model: L.LightningModule, *_: Any) -> None:
            assert isinstance(model, EmotionClassifier)
            of_head = {id(p) for p in model.head.parameters()}
            for group in trainer.optimizers[0].param_groups:
                part = "head" if id(group["params"][0]) in of_head else "body"
                rates.setdefault(part, []).append(group["lr"])

    schedule = Schedule(
        partial(torch.optim.lr_scheduler.OneCycleLR, cycle_momentum=False), "step", None, "total_steps", "max_lr"
    )
    model = DeepEmotionClassifier(head_lr_scale=10.0, optimizer=partial(torch.optim.SGD, lr=0.01), schedule=schedule)
    assert sum(p.numel() for p in model.head.parameters()) == 50 * 7 + 7
    trainer(tmp_path, max_epochs=4, callbacks=[Witness()]).fit(model, FERDataModule(few_faces, batch_size=64))
    assert rates["head"] == pytest.approx([10 * rate for rate in rates["body"]])
    assert max(rates["head"]) == pytest.approx(0.1, rel=0.1)


def test_averaged_weights_are_what_is_kept(few_faces: Path, tmp_path: Path) -> None:
    averaging = L.pytorch.callbacks.EMAWeightAveraging(decay=0.9)
    keeping = L.pytorch.callbacks.ModelCheckpoint(tmp_path, "best", monitor="val/accuracy")
    model = DeepEmotionClassifier(optimizer=partial(torch.optim.SGD, lr=0.05))
    fitting = trainer(tmp_path, max_epochs=2, callbacks=[averaging, keeping], enable_checkpointing=True)
    data = FERDataModule(few_faces, batch_size=32)
    fitting.fit(model, data)
    content = torch.load(keeping.best_model_path, weights_only=True)
    name = "net.features.0.weight"
    assert not torch.equal(content["state_dict"][name], content["current_model_state"][name])


def test_any_torchvision_network_is_rebuilt_from_its_checkpoint(few_faces: Path, tmp_path: Path) -> None:
    torch.save(TorchvisionClassifier("mobilenet_v3_small").net.state_dict(), tmp_path / "weights.pth")
    start = Start(weights_path=str(tmp_path / "weights.pth"))
    model = TorchvisionClassifier("mobilenet_v3_small", start=start, optimizer=partial(torch.optim.SGD, lr=0.01))
    assert model.image_size == 48
    fitting = trainer(tmp_path, max_steps=1)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    fitting.save_checkpoint(tmp_path / "model.ckpt")
    again = TorchvisionClassifier.load_from_checkpoint(tmp_path / "model.ckpt", map_location="cpu", weights_only=True)
    images = torch.rand(4, 1, 48, 48)
    assert torch.equal(again.eval()(images), model.eval()(images))


@pytest.mark.parametrize(("arch", "size"), [("resnet18", 48), ("inception_v3", 299), ("alexnet", 224)])
def test_a_network_without_weights_takes_48_pixels_unless_that_is_too_small_for_it(arch: str, size: int) -> None:
    assert TorchvisionClassifier(arch).image_size == size


def test_mixed_faces_have_targets_of_two_classes_and_are_a_function_of_the_seed(
    few_faces: Path, tmp_path: Path
) -> None:
    class Targets(L.Callback):
        def __init__(self) -> None:
            self.seen: list[Tensor] = []

        def on_train_batch_start(self, trainer: L.Trainer, model: L.LightningModule, batch: Any, *_: Any) -> None:
            self.seen.append(batch[1])

    def targets(seed: int) -> Tensor:
        data = FERDataModule(few_faces, augmentation=Augmentation(mixup=0.4, cutmix=1.0), batch_size=48, seed=seed)
        witness = Targets()
        model = DeepEmotionClassifier(dropout=0.0, optimizer=partial(torch.optim.SGD, lr=0.0))
        torch.manual_seed(0)
        fitting = trainer(tmp_path, max_epochs=2, callbacks=[witness])
        fitting.fit(model, data)
        return torch.cat(witness.seen)

    first = targets(0)
    assert first.shape == (2 * 192, 7)
    torch.testing.assert_close(first.sum(1), torch.ones(len(first)))
    assert ((first > 0).sum(1) <= 2).all()
    assert ((first > 0).sum(1) == 2).float().mean() > 0.5
    assert torch.equal(first, targets(0))
    assert not torch.equal(first, targets(1))


def test_mixing_leaves_the_random_numbers_that_dropout_draws_as_they_were() -> None:
    before = torch.random.get_rng_state()
    images, labels = torch.rand(8, 1, 48, 48), torch.arange(8) % 7
    torch.random.set_rng_state(before)
    mixed, _ = Augmentation(mixup=0.4).mix(images, labels, 7, torch.Generator().manual_seed(0))
    assert not torch.equal(mixed, images)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_soft_targets_train_and_are_counted_by_their_greatest_class(few_faces: Path, tmp_path: Path) -> None:
    class Softened(FERDataModule):
        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            images, labels = super().on_after_batch_transfer(batch, dataloader_idx)
            return images, 0.7 * torch.nn.functional.one_hot(labels, 7).float() + 0.3 / 7

    hard, soft = FERDataModule(few_faces, batch_size=192), Softened(few_faces, batch_size=192)
    figures = []
    for data in (hard, soft):
        torch.manual_seed(0)
        smoothing = 0.3 if data is hard else 0.0
        model = DeepEmotionClassifier(
            dropout=0.0, loss=CrossEntropy(smoothing), optimizer=partial(torch.optim.SGD, lr=0.0)
        )
        fitting = trainer(tmp_path, max_epochs=1)
        fitting.fit(model, data)
        figures.append({name: float(value) for name, value in fitting.callback_metrics.items()})
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)
