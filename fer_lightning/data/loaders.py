"""The way from faces to batches that a network takes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import lightning as L
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from fer_lightning.data.batches import (
    Batch,
    FacesDataset,
    ResumableShuffleSampler,
    evaluation_batches,
    evaluation_loader,
    seeds_of_step,
    size_of_epoch,
    training_loader,
)
from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.errors import DataError
from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.pixels import resized
from fer_lightning.transforms.preprocessing import Preprocessing, scaled


class FaceLoaders(L.LightningDataModule):
    """Batches of the faces of each split: shuffled and augmented ones to train on, the others in their order.

    What derives from it says how each of these is got.
    """

    faces: Faces | None
    source: str
    """Where the faces were read, in words."""

    rows: dict[str, Tensor]
    """Rows of each split, int64."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    """Height and width that the faces are kept in."""

    pixel_options: PixelOptions
    image_size: int | Literal["auto"]
    progressive_sizes: Sequence[int]
    augmentation: Augmentation | None
    batch_size: int
    seed: int

    @property
    def preprocessing(self) -> Preprocessing:
        """Returns how faces, and any pictures, become what the network takes outside of training."""
        image_size = self.size if self.image_size == "auto" else self.image_size
        return Preprocessing(image_size, self.mean, self.std, self.size, self.pixel_options.fit)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._read().class_names

    @property
    def class_counts(self) -> Tensor:
        """Returns the number of training faces of each class: int64 (C,)."""
        faces = self._read()
        return torch.bincount(faces.labels[self.rows["train"]], minlength=len(faces.class_names))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of images and labels int64 (B,), or soft labels float32 (B, C) where the faces have them."""
        faces = self._read()
        targets = faces.labels if faces.soft_labels is None else faces.soft_labels
        dataset = FacesDataset(faces.images, targets, self.rows["train"])
        done = 0
        if self.trainer and self.trainer.fit_loop.restarting:  # within an epoch: Lightning says how far it had come
            done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        sampler = ResumableShuffleSampler(dataset, *self._processes, self.seed, skip=done * self.batch_size)
        return training_loader(dataset, self.batch_size, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._evaluated("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._evaluated("test")

    def measured(self, split: str) -> list[Tensor]:
        """Returns the faces of val or test that this process measures, as positions in the split, batch by batch."""
        return evaluation_batches(len(self.rows[split]), self.batch_size, *self._processes)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augments (in training), resizes, normalises and mixes (in training): uint8 (B, C, H, W) → float (B, C, S, S).

        Targets are labels, int64 (B,), or the share of each class, float (B, C), where faces are mixed.
        """
        pixels, targets = batch
        if not (self.trainer and self.trainer.training):
            return self.preprocessing.of_pixels(pixels), targets
        preprocessing = self.preprocessing
        if self.progressive_sizes:
            preprocessing = replace(preprocessing, image_size=size_of_epoch(self.progressive_sizes, self.trainer))
        if self.augmentation is None:
            return preprocessing.of_pixels(pixels), targets
        images = scaled(pixels)
        if preprocessing.image_size < images.shape[-1]:  # to augment fewer pixels
            images = resized(images, preprocessing.image_size)
        generator = Generator().manual_seed(seeds_of_step(self.seed, self.trainer)[0])
        images = preprocessing.normalized(self.augmentation(images, generator))
        return self.augmentation.mix(images, targets, len(self.class_names), generator)

    def batch_in_words(self, batch: int) -> str:
        """Returns which rows of which set a batch of the running epoch has, counted from 0."""
        assert self.trainer is not None
        sampler = getattr(self.trainer.train_dataloader, "sampler", None)
        assert isinstance(sampler, ResumableShuffleSampler)
        positions = sampler.order()[batch * self.batch_size : (batch + 1) * self.batch_size]
        faces, rows = self._read(), self.rows["train"][positions]
        if faces.sets is None:
            return f"the rows {_listed(faces.numbers[rows])} of {self.source}"
        of_sets = [(name, faces.numbers[rows[faces.sets[rows] == i]]) for i, name in enumerate(faces.set_names)]
        return ", and ".join(f"the rows {_listed(numbers)} of {name}" for name, numbers in of_sets if len(numbers))

    @property
    def _processes(self) -> tuple[int, int]:
        """Returns the number of processes that train together, and the number of this one."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    def _evaluated(self, split: str) -> DataLoader[Batch]:
        faces = self._read()
        return evaluation_loader(FacesDataset(faces.images, faces.labels, self.rows[split]), self.measured(split))

    def _read(self) -> Faces:
        if self.faces is None:
            raise DataError("FERDataModule has not read its data yet: call setup() first")
        return self.faces


def _listed(numbers: Tensor) -> str:
    return ", ".join(map(str, numbers.tolist()))
