"""What a training is fed: augmented, mixed, with soft targets."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from fer_lightning.data import FERDataModule
from fer_lightning.data.batches import seeds_of_step
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.hardware import seed_dropout
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.transforms.augment import Augmentation
from tests.conftest import trainer


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
    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer(folder, max_epochs=2, callbacks=[batches]).fit(model, data)
    return batches.images


def test_each_face_is_augmented_by_seed_step_and_epoch(few_faces: Path, tmp_path: Path) -> None:
    first = augmented(few_faces, tmp_path, seed=0)
    assert len(first) == 4
    assert len(torch.cat(first).flatten(1).unique(dim=0)) == 4 * 96
    assert all(torch.equal(a, b) for a, b in zip(first, augmented(few_faces, tmp_path, seed=0), strict=True))
    assert not torch.equal(first[0], augmented(few_faces, tmp_path, seed=1)[0])


def test_each_process_draws_its_own_random_numbers(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all devices would augment, and drop out, alike."""
    drawn = []
    for rank in (0, 1):
        monkeypatch.setenv("LOCAL_RANK", str(rank))  # as Lightning starts them
        of_rank = trainer(tmp_path, strategy="ddp", devices=2)
        assert of_rank.global_rank == rank
        drawn.append(seeds_of_step(0, of_rank))
    assert len({seed for seeds in drawn for seed in seeds}) == 4


def test_mixed_faces_have_two_classes_and_follow_the_seed(few_faces: Path, tmp_path: Path) -> None:
    class Targets(L.Callback):
        def __init__(self) -> None:
            self.seen: list[Tensor] = []

        def on_train_batch_start(self, trainer: L.Trainer, model: L.LightningModule, batch: Any, *_: Any) -> None:
            self.seen.append(batch[1])

    def targets(seed: int) -> Tensor:
        data = FERDataModule(few_faces, augmentation=Augmentation(mixup=0.4, cutmix=1.0), batch_size=48, seed=seed)
        witness = Targets()
        model = EmotionClassifier(
            "deep_emotion", arguments={"dropout": 0.0}, optimizer=partial(torch.optim.SGD, lr=0.0)
        )
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


def test_soft_targets_train_and_count_by_their_greatest_class(few_faces: Path, tmp_path: Path) -> None:
    class Softened(FERDataModule):
        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            images, labels = super().on_after_batch_transfer(batch, dataloader_idx)
            return images, 0.7 * torch.nn.functional.one_hot(labels, 7).float() + 0.3 / 7

    hard, soft = FERDataModule(few_faces, batch_size=192), Softened(few_faces, batch_size=192)
    figures = []
    for data in (hard, soft):
        torch.manual_seed(0)
        smoothing = 0.3 if data is hard else 0.0
        model = EmotionClassifier(
            "deep_emotion",
            arguments={"dropout": 0.0},
            loss=CrossEntropy(smoothing),
            optimizer=partial(torch.optim.SGD, lr=0.0),
        )
        fitting = trainer(tmp_path, max_epochs=1)
        fitting.fit(model, data)
        figures.append({name: float(value) for name, value in fitting.callback_metrics.items()})
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_training_images_grow_over_epochs_measured_ones_do_not(few_faces: Path, tmp_path: Path) -> None:
    class Sizes(L.Callback):
        def __init__(self) -> None:
            self.of_train: list[int] = []
            self.of_val: set[int] = set()

        def on_train_batch_start(self, trainer: L.Trainer, model: L.LightningModule, batch: Any, *_: Any) -> None:
            self.of_train.append(batch[0].shape[-1])

        def on_validation_batch_start(self, trainer: L.Trainer, model: L.LightningModule, batch: Any, *_: Any) -> None:
            self.of_val.add(batch[0].shape[-1])

    data = FERDataModule(
        few_faces, augmentation=Augmentation(flip=0.5), progressive_sizes=(32, 40, 48, 56), batch_size=192
    )
    sizes = Sizes()
    model = EmotionClassifier("resnet18", arguments={"width": 4}, optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer(tmp_path, max_epochs=6, callbacks=[sizes]).fit(model, data)
    assert sizes.of_train == [32, 32, 40, 48, 48, 56]
    assert sizes.of_val == {48}


def test_small_images_are_the_large_ones_averaged(few_faces: Path) -> None:
    data = FERDataModule(few_faces, image_size=24, normalize="fixed", mean=0.0, std=1.0)
    data.setup()
    pixels, labels = next(iter(data.test_dataloader()))
    images, _ = data.on_after_batch_transfer((pixels, labels), 0)
    inside = images[:, :, 4:-4, 4:-4]
    averaged = torch.nn.functional.avg_pool2d(pixels.float() / 255, 2)[:, :, 4:-4, 4:-4]
    assert (inside - averaged).abs().mean() < 0.02


def test_dropout_is_seeded_as_torch_seeds_it() -> None:
    torch.manual_seed(7)
    expected = torch.rand(4)
    seed_dropout(7, torch.device("cpu"))
    assert torch.equal(torch.rand(4), expected)
