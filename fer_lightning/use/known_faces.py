"""Faces to measure a trained network on: those of its run, found again by what its checkpoint knows; or drawn ones."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.data.drawings.photo import photo
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.errors import ConfigError
from fer_lightning.report.run_yaml import plain_yaml
from fer_lightning.training.checkpoint_content import DataState, checkpoint_content
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.card import Card

DRAWN = 256
"""Faces that are drawn where there are no others."""

READING = (
    *("splits", "val_fraction", "test_fraction", "split_seed", "folds", "fold", "drop_copies"),
    *("numbering", "classes", "columns", "labels_from", "angles", "keep", "on_bad_rows"),
)
"""Keys of a run's `data` that say how its source is read and split; its checkpoint says the rest."""

PUBLISHED = ("PublicTest", "PrivateTest")
"""The parts of FER2013 that figures are published on."""

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class KnownFaces:
    """Faces as a network takes them, and their labels where these are known."""

    what: str  # in words
    images: NDArray[np.uint8]  # (N, C, size, size)
    labels: NDArray[np.int64] | None  # (N,)
    is_val: bool = False  # some of them chose the run's epoch


@dataclass(frozen=True)
class TrainingFaces:
    """The faces that a run has learnt from.

    count: without the copies that augmentation makes.
    what: they are, in words.
    is_fer2013: of the set that has these parts, by its own labels or others' votes.
    """

    count: int
    what: str
    is_fer2013: bool


def run_seed(run: Path) -> int | None:
    """Returns the seed of a run, as its config has it; None if it has none."""
    config = plain_yaml(run / ".hydra" / "config.yaml")
    seed = config.get("seed") if isinstance(config, dict) else None
    return seed if type(seed) is int else None


def run_data(run: Path, path: Path | None = None) -> FERDataModule:
    """Returns the data of a run, read and split again.

    Args:
        run: its folder.
        path: where its faces are now; None for where they were.

    Raises:
        ConfigError: they are not there, or they are no longer the same faces in the same splits.
    """
    state = _data_state(run)
    options = _options(run)
    voted = options.get("votes")
    try:
        votes = None
        if isinstance(voted, dict) and not isinstance(state.votes, list):
            votes = VotesOptions(state.votes, voted["rule"])
        data = FERDataModule(
            path or _sources(state, options),
            votes=votes,
            size=state.size,
            channels=state.preprocessing.channels,
            fit=state.fit,
            **{key: options[key] for key in READING if options.get(key) is not None},
        )
        with _quiet(logging.getLogger("fer_lightning.data")):  # the run has logged it all
            data.setup("fit")
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigError(f"the faces of {run} cannot be read: {error}") from error
    for split in ("val", "test"):
        if not torch.equal(data.labelled[split], state.labelled.get(split, torch.empty(0, dtype=torch.int64))):
            raise ConfigError(
                f"the faces of {data.source} are no longer those that {run} was trained and measured on: its {split} "
                f"split differs"
            )
    return data


def training_faces(data: FERDataModule) -> TrainingFaces:
    """Returns what a run has learnt from."""
    assert data.faces is not None
    what = f"train of {_file_names(data)} ({data.origins['train']})"
    return TrainingFaces(len(data.rows["train"]), what, {*PUBLISHED} <= {*data.faces.part_names})


def known_faces(data: FERDataModule, split: Split) -> KnownFaces:
    """Returns the faces of one split of a run's data."""
    assert data.faces is not None
    rows = data.rows[split]
    what = f"{split} of {_file_names(data)} ({data.origins[split]})"
    return KnownFaces(what, data.faces.images[rows].numpy(), data.faces.labels[rows].numpy(), split == "val")


def measured_parts(data: FERDataModule) -> list[KnownFaces]:
    """Returns FER2013's PublicTest and PrivateTest, in this order, as far as a run has not trained on them.

    Of a source that has neither, the test and the val split.
    """
    assert data.faces is not None
    faces, found = data.faces, []
    for part in PUBLISHED:
        if part in faces.part_names:
            rows = (faces.parts == faces.part_names.index(part)).nonzero().flatten()
            in_split = {split: bool(torch.isin(rows, of_split).any()) for split, of_split in data.rows.items()}
            if len(rows) and not in_split["train"]:
                roles = [split for split, is_in in in_split.items() if is_in]
                what = f"{part} of {_file_names(data)} ({' and '.join(roles) or 'neither val nor test'} of the run)"
                images, labels = faces.images[rows].numpy(), faces.labels[rows].numpy()
                found.append(KnownFaces(what, images, labels, in_split["val"]))
    return found or [known_faces(data, "test"), known_faces(data, "val")]


def drawn_faces(card: Card, count: int = DRAWN) -> KnownFaces:
    """Returns drawn faces without labels, the same each time: a network was not trained on them, but can be tried."""
    to_pixels = PixelFormat(card.size, card.channels, card.fit)
    drawings = (photo(EMOTIONS[n % len(EMOTIONS)], np.random.default_rng((0, n))) for n in range(count))
    return KnownFaces("drawn by this program", np.stack([to_pixels(drawing) for drawing in drawings]), None)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _file_names(data: FERDataModule) -> str:
    return ", ".join(path.name for path in data.sources)


def _data_state(run: Path) -> DataState:
    checkpoints = sorted(run.glob("checkpoints/*.ckpt"))
    if not checkpoints:
        raise ConfigError(f"{run} has no checkpoints: only they know the faces of a run")
    try:
        return checkpoint_content(checkpoints[0]).data
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _sources(state: DataState, options: dict[str, Any]) -> str | list[str | dict[str, Any]]:
    """Returns where a run's faces were read; of several sets with how each is, as its config says."""
    if isinstance(state.source, str):
        return state.source
    entries = options["path"] if isinstance(options.get("path"), list) else []
    if len(entries) != len(state.source):
        raise ConfigError(f"data.path is {entries}, but its checkpoint is of {len(state.source)} sets")
    pairs = zip(entries, state.source, strict=True)
    return [{**entry, "path": path} if isinstance(entry, dict) else path for entry, path in pairs]


def _options(run: Path) -> dict[str, Any]:
    """Returns the run's `data`, if it is data of this program: others have their own ways of reading."""
    config = plain_yaml(run / ".hydra" / "config.yaml")
    options = config.get("data") if isinstance(config, dict) else None
    if not isinstance(options, dict) or str(options.get("_target_")).rpartition(".")[2] != FERDataModule.__name__:
        raise ConfigError(f"{run}: its data are not those of {FERDataModule.__name__}")
    return options
