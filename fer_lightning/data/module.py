"""FERDataModule: from files to batches that a network takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeInt
from torch import Tensor

from fer_lightning.data.classes import ClassOptions, Known, matched
from fer_lightning.data.cuts import Folds
from fer_lightning.data.faces import Faces
from fer_lightning.data.joined_sets import joined, log_classes, refuse_empty_sets, refuse_sets_apart
from fer_lightning.data.loaders import FaceLoaders
from fer_lightning.data.other_sets import MeasuredRun, sets_to_test
from fer_lightning.data.perceptual_hash import perceptual_hashes
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.image_choice import Angle, ImageChoice, LabelsFrom
from fer_lightning.data.readers.pixel_options import Keep, PixelOptions
from fer_lightning.data.readers.several import read_sets
from fer_lightning.data.readers.source import find_fer2013, read_faces
from fer_lightning.data.readers.table_columns import given_columns
from fer_lightning.data.set_options import OnBadRows, SetOptions, SetPath, set_names, set_options
from fer_lightning.data.set_splits import splitting_of
from fer_lightning.data.split_faces import SplitFaces, faces_to_test, split_faces
from fer_lightning.data.splits import SplitOptions
from fer_lightning.signature import Fraction, checked
from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.pixel_format import SIDE, Channels, Fit, Side
from fer_lightning.transforms.pixels import mean_and_std
from fer_lightning.transforms.preprocessing import Deviation, Mean, per_channel


class FERDataModule(FaceLoaders):
    """Facial-emotion data in any of its forms, as batches of normalised images.

    The faces stay in memory as uint8, or encoded in a file where they do not fit; what makes them float is done to
    whole batches on the device they train on. Of several devices, each has its own share of the faces, as long as the
    trainer does not share them out again: give it `use_distributed_sampler=False`. A training epoch repeats some first
    faces where it does not divide evenly; val and test have each face once.

    The arguments `splits` to `fold` are those of `splits.SplitOptions`, `numbering` and `classes` those of
    `classes.ClassOptions`, `labels_from` and `angles` those of `readers.image_choice.ImageChoice`, `size`, `channels`,
    `fit` and `keep` those of `readers.pixel_options.PixelOptions`.

    Args:
        path: a pixel CSV, an archive of one, or an image folder; None looks in $FER2013 and then in data/. A list of
            them trains on several sets: each a path, or a mapping with the fields of `set_options.SetEntry`, which are
            for that set alone. Their faces are joined as `joined_sets.joined` says, and split as `set_splits` does.
        augmentation: applied to training batches only.
        votes: FER+'s votes on these faces, which become their labels.
        columns: of a table of images, for each of image, label, split and person; None looks for the usual names.
        drop_copies: leave out of training what is byte-identical with a face of val or test; of several sets, that is
            always left out.
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
        path: SetPath = None,
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
        columns: Mapping[str, str | None] | None = None,
        labels_from: LabelsFrom | None = None,
        angles: Sequence[Angle] | None = None,
        size: Side | Literal["auto"] = "auto",
        channels: Channels = 1,
        fit: Fit = "crop",
        keep: Keep = "auto",
        on_bad_rows: OnBadRows = "error",
        normalize: Literal["dataset", "fixed"] = "dataset",
        mean: Mean | Sequence[Mean] = 0.508,
        std: Deviation | Sequence[Deviation] = 0.255,
        image_size: Side | Literal["auto"] = "auto",
        progressive_sizes: Sequence[Side] = (),
        batch_size: Annotated[int, Field(ge=1, le=1 << 18)] = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.augmentation, self.drop_copies = augmentation, drop_copies
        self.class_options = ClassOptions(numbering, classes)
        self.pixel_options = PixelOptions(size, channels, fit, keep)
        self.sets = set_options(
            path,
            SetOptions(
                *(None, numbering, given_columns(columns), ImageChoice(labels_from, angles), votes, on_bad_rows),
                SplitOptions(splits or {}, val_fraction, test_fraction, split_seed, folds, fold),
            ),
        )
        self.normalize = normalize
        self.mean, self.std = per_channel("mean", mean, channels), per_channel("std", std, channels)
        self.known_classes: tuple[str, ...] = ()  # of a network that is only measured: the data is matched with them
        self.measured_run: MeasuredRun | None = None  # that is measured on other sets than its config names
        self.size = SIDE  # that the faces are kept in
        self.image_size: int | Literal["auto"] = image_size
        self.progressive_sizes, self.batch_size, self.seed = tuple(progressive_sizes), batch_size, seed
        self.sources: tuple[Path, ...] = ()  # where the faces were read, for each set
        self.source = ""  # the same in words
        self.trained_on = self.chosen_on = torch.empty(0, dtype=torch.int64)  # digests of train's faces, and of val's
        self._train_hashes: Tensor | None = None
        self._split: SplitFaces | None = None
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
            sets = self.sets
            if self.measured_run is not None:
                seen = torch.cat([self.trained_on, self.chosen_on])
                sets = sets_to_test(sets, self.sources, faces, self.measured_run, seen)
            split = faces_to_test(faces, splitting_of(sets, faces), self.trained_on, self.chosen_on)
        else:
            split = split_faces(faces, splitting_of(self.sets, faces), self.drop_copies)
            if self.normalize == "dataset":
                self.mean, self.std = mean_and_std(faces.images, split.rows["train"])
        self.faces, self.rows, self.origins, self.also_in_train = faces, split.rows, split.origins, split.also_in_train
        self.trained_on, self.chosen_on, self.notes = split.trained_on, split.chosen_on, split.notes
        self._split = split

    @property
    def labelled(self) -> dict[str, Tensor]:
        """Returns, of each split, digests of its faces together with their labels."""
        return {} if self._split is None else self._split.labelled

    @property
    def train_hashes(self) -> Tensor | None:
        """Hashes of train's faces, see `perceptual_hashes`; None if they are not known.

        They are made when they are first asked for, by the first checkpoint: not every start waits for them.
        """
        if self._train_hashes is None and self.faces is not None and "train" in self.rows:
            self._train_hashes = perceptual_hashes(self.faces.images, self.rows["train"])
        return self._train_hashes

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint saves of its data, for measuring its network later, perhaps on other data."""
        votes = [
            str(Path(one.votes.path).expanduser().absolute()) if one.votes and one.votes.path else None
            for one in self.sets
        ]
        sources = [str(source) for source in self.sources]
        several = len(self.sets) > 1
        return {
            "source": sources if several else "".join(sources),
            "votes": votes if several else votes[0],
            "mean": self.mean,
            "std": self.std,
            "image_size": self.preprocessing.image_size,
            "size": self.size,
            "fit": self.pixel_options.fit,
            "trained_on": self.trained_on,
            "chosen_on": self.chosen_on,
            "train_hashes": self.train_hashes,
            "labelled": self.labelled,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean, self.std, self.image_size = state_dict["mean"], state_dict["std"], state_dict["image_size"]
        channels: Channels = 1 if len(self.mean) == 1 else 3
        self.pixel_options = PixelOptions(state_dict["size"], channels, state_dict["fit"], self.pixel_options.keep)
        self.trained_on, self.chosen_on = state_dict["trained_on"], state_dict["chosen_on"]
        self._train_hashes = state_dict.get("train_hashes")  # which older checkpoints do not have

    def source_faces(self) -> Faces:
        """Reads all sets; for a network that is only measured, by its classes."""
        paths = [Path(find_fer2013() if one.path is None else one.path) for one in self.sets]
        self.sources = tuple(path.expanduser().absolute() for path in paths)
        self.source = ", ".join(map(str, self.sources))
        may_lack = bool(self.known_classes)
        if len(self.sets) > 1:
            return self._joined_faces(may_lack)
        (own,), (source,) = self.sets, self.sources
        classes = replace(self.class_options, numbering=own.numbering)
        faces = read_faces(
            *(source, own.on_bad_rows, own.votes, self.pixel_options, classes, own.columns),
            may_lack=may_lack,
            choice=own.choice,
        )
        return matched(faces, self.known_classes, source) if self.known_classes else faces

    def _joined_faces(self, may_lack: bool) -> Faces:
        names = set_names(self.sources)
        faces = joined(read_sets(self.sets, self.sources, names, self.pixel_options), names)
        log_classes(faces)
        together = ", ".join(names)
        if self.class_options.classes is not None:
            faces = self.class_options.chosen(faces, together, may_lack)
        elif not self.known_classes:
            refuse_sets_apart(faces)
        if self.known_classes:
            faces = matched(faces, self.known_classes, together)
        refuse_empty_sets(faces)
        return faces
