"""FERDataModule: from files to batches that a network takes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import lightning as L
import torch
from pydantic import Field, NonNegativeInt
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
from fer_lightning.data.classes import ClassOptions, Known, matched
from fer_lightning.data.cuts import Folds
from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.image_list import PixelOptions
from fer_lightning.data.readers.source import find_fer2013, read_faces
from fer_lightning.data.split_faces import faces_to_test, split_faces
from fer_lightning.data.splits import SplitOptions
from fer_lightning.errors import DataError
from fer_lightning.signature import Fraction, checked
from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.pixels import mean_and_std, resized
from fer_lightning.transforms.preprocessing import (
    SIDE,
    Channels,
    Deviation,
    Fit,
    Mean,
    Preprocessing,
    Side,
    per_channel,
    scaled,
)

log = logging.getLogger(__name__)


class FERDataModule(L.LightningDataModule):
    """Facial-emotion data in any of its forms, as batches of normalised images.

    The faces stay in memory as uint8; what makes them float is done to whole batches on the device they train on.
    Of several devices, each has its own share of the faces, as long as the trainer does not share them out again: give
    it `use_distributed_sampler=False`. A training epoch repeats some first faces where it does not divide evenly; val
    and test have each face once.

    The arguments `splits` to `fold` are those of `splits.SplitOptions`, `numbering` and `classes` those of
    `classes.ClassOptions`, `size`, `channels` and `fit` those of `readers.image_list.PixelOptions`.

    Args:
        path: a pixel CSV, an archive of one, or an image folder; None looks in $FER2013 and then in data/.
        augmentation: applied to training batches only.
        votes: FER+'s votes on these faces, which become their labels.
        drop_copies: leave out of training what is byte-identical with a face of val or test.
        on_bad_rows: refuse a source with rows that cannot be read ("error"), or leave these rows out ("drop").
        normalize: by the mean and deviation of the training split's own pixels ("dataset"), or by `mean` and `std`.
        mean: of pixel / 255, for normalize="fixed"; one number, or one for each channel.
        std: likewise.
        image_size: height and width that batches are resized to, in pixels; "auto" is what the network does best with,
            where one is trained by train.py, and otherwise the faces' own.
        progressive_sizes: height and width of training batches instead of image_size, each for an equal share of the
            run's epochs: a network learns most from small images, which cost less, before it sees the large ones.
        batch_size: faces in a training batch, on each device.
        seed: decides the order of the faces in each epoch and what augmentation draws for them.

    Raises:
        ValueError: an argument outside its range.
        DataError: from `setup`: a source that cannot be read, or a split that is empty.
    """

    @checked
    def __init__(
        self,
        path: str | Path | None = None,
        augmentation: Augmentation | None = None,
        votes: VotesOptions | None = None,
        splits: Mapping[str, str | Sequence[str]] | None = None,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        split_seed: NonNegativeInt = 0,
        folds: Folds | None = None,
        fold: NonNegativeInt | None = None,
        drop_copies: bool = False,
        numbering: Known | Sequence[str] | None = None,
        classes: Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
        size: Side | Literal["auto"] = "auto",
        channels: Channels = 1,
        fit: Fit = "crop",
        on_bad_rows: Literal["error", "drop"] = "error",
        normalize: Literal["dataset", "fixed"] = "dataset",
        mean: Mean | Sequence[Mean] = 0.508,
        std: Deviation | Sequence[Deviation] = 0.255,
        image_size: Side | Literal["auto"] = "auto",
        progressive_sizes: Sequence[Side] = (),
        batch_size: Annotated[int, Field(ge=1, le=1 << 18)] = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.path, self.augmentation, self.votes = path, augmentation, votes
        self.splits = SplitOptions(splits or {}, val_fraction, test_fraction, split_seed, folds, fold)
        self.class_options = ClassOptions(numbering, classes)
        self.pixel_options = PixelOptions(size, channels, fit)
        self.drop_copies, self.on_bad_rows = drop_copies, on_bad_rows
        self.normalize = normalize
        self.mean, self.std = per_channel("mean", mean, channels), per_channel("std", std, channels)
        self.known_classes: tuple[str, ...] = ()  # of a network that is only measured: the data is matched with them
        self.size = SIDE  # that the faces are kept in
        self.image_size: int | Literal["auto"] = image_size
        self.progressive_sizes, self.batch_size, self.seed = tuple(progressive_sizes), batch_size, seed
        self.source = Path()  # where the faces were read
        self.trained_on = self.chosen_on = torch.empty(0, dtype=torch.int64)  # digests of train's faces, and of val's
        self.labelled: dict[str, Tensor] = {}  # of each split: digests of its faces together with their labels
        self.origins: dict[str, str] = {}  # of each split: the part of the source that it is, in words
        self.faces: Faces | None = None
        self.rows: dict[str, Tensor] = {}
        self.also_in_train: dict[str, Tensor] = {}  # of val and test: which faces have a byte-identical one
        self.notes: tuple[str, ...] = ()  # sentences on persons that are in several splits

    def setup(self, stage: str | None = None) -> None:
        """Reads and splits the source, once, and logs what is in each split.

        With stage "test" only the test split is needed: the source need not have anything to train on, normalisation
        stays as it was loaded, and copies are those of the faces that the loaded network was trained on.
        """
        if self.faces is not None:
            return
        faces = self.source_faces()
        self.size = faces.images.shape[-1]
        if stage == "test":
            split = faces_to_test(faces, self.splits, self.trained_on, self.chosen_on)
        else:
            split = split_faces(faces, self.splits, self.drop_copies)
            if self.normalize == "dataset":
                self.mean, self.std = mean_and_std(faces.images, split.rows["train"])
        self.faces, self.rows, self.origins, self.also_in_train = faces, split.rows, split.origins, split.also_in_train
        self.trained_on, self.chosen_on, self.labelled = split.trained_on, split.chosen_on, split.labelled
        self.notes = split.notes

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
        images = scaled(pixels)
        if not (self.trainer and self.trainer.training):
            return self.preprocessing.normalized(images), targets
        preprocessing = self.preprocessing
        if self.progressive_sizes:
            preprocessing = replace(preprocessing, image_size=size_of_epoch(self.progressive_sizes, self.trainer))
        if self.augmentation is None:
            return preprocessing.normalized(images), targets
        if preprocessing.image_size < images.shape[-1]:  # to augment fewer pixels
            images = resized(images, preprocessing.image_size)
        generator = Generator().manual_seed(seeds_of_step(self.seed, self.trainer)[0])
        images = preprocessing.normalized(self.augmentation(images, generator))
        return self.augmentation.mix(images, targets, len(self.class_names), generator)

    def source_rows(self, batch: int) -> Tensor:
        """Rows of the source, int64 (B,), that a batch of the running epoch has, counted from 0."""
        assert self.trainer is not None
        sampler = getattr(self.trainer.train_dataloader, "sampler", None)
        assert isinstance(sampler, ResumableShuffleSampler)
        positions = sampler.order()[batch * self.batch_size : (batch + 1) * self.batch_size]
        return self._read().numbers[self.rows["train"][positions]]

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint saves of its data, for measuring its network later, perhaps on other data."""
        votes = self.votes and self.votes.path and str(Path(self.votes.path).expanduser().absolute())
        return {
            "source": str(self.source),
            "votes": votes or None,
            "mean": self.mean,
            "std": self.std,
            "image_size": self.preprocessing.image_size,
            "size": self.size,
            "fit": self.pixel_options.fit,
            "trained_on": self.trained_on,
            "chosen_on": self.chosen_on,
            "labelled": self.labelled,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean, self.std, self.image_size = state_dict["mean"], state_dict["std"], state_dict["image_size"]
        channels: Channels = 1 if len(self.mean) == 1 else 3
        self.pixel_options = PixelOptions(state_dict["size"], channels, state_dict["fit"])
        self.trained_on, self.chosen_on = state_dict["trained_on"], state_dict["chosen_on"]

    def source_faces(self) -> Faces:
        """Reads the whole source; for a network that is only measured, by its classes."""
        self.source = Path(find_fer2013() if self.path is None else self.path).expanduser().absolute()
        may_lack = bool(self.known_classes)
        faces = read_faces(
            self.source, self.on_bad_rows, self.votes, self.pixel_options, self.class_options, may_lack=may_lack
        )
        return matched(faces, self.known_classes, self.source) if self.known_classes else faces

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
