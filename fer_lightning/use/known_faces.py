"""Faces to measure a trained network on: those of its run, found again by what its checkpoint knows; or drawn ones."""

import logging
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

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class KnownFaces:
    """Faces as a network takes them, and their labels where these are known."""

    what: str  # in words
    images: NDArray[np.uint8]  # (N, C, size, size)
    labels: NDArray[np.int64] | None  # (N,)


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
    votes = VotesOptions(state.votes, options["votes"].get("rule", "majority")) if options.get("votes") else None
    try:
        data = FERDataModule(
            path or state.source,
            votes=votes,
            size=state.size,
            channels=state.preprocessing.channels,
            fit=state.fit,
            **{key: options[key] for key in READING if options.get(key) is not None},
        )
        logging.getLogger("fer_lightning.data").setLevel(logging.ERROR)  # the run has logged it all
        data.setup("fit")
    except (ValueError, TypeError, OSError) as error:
        raise ConfigError(f"the faces of {run} cannot be read: {error}") from error
    for split in ("val", "test"):
        if not torch.equal(data.labelled[split], state.labelled.get(split, torch.empty(0, dtype=torch.int64))):
            raise ConfigError(
                f"the faces of {data.source} are no longer those that {run} was trained and measured on: its {split} "
                f"split differs"
            )
    return data


def known_faces(data: FERDataModule, split: Split) -> KnownFaces:
    """Returns the faces of one split of a run's data."""
    assert data.faces is not None
    rows = data.rows[split]
    what = f"{split} of {data.source.name} ({data.origins[split]})"
    return KnownFaces(what, data.faces.images[rows].numpy(), data.faces.labels[rows].numpy())


def drawn_faces(card: Card, count: int = DRAWN) -> KnownFaces:
    """Returns drawn faces without labels, the same each time: a network was not trained on them, but can be tried."""
    to_pixels = PixelFormat(card.size, card.channels, card.fit)
    drawings = (photo(EMOTIONS[n % len(EMOTIONS)], np.random.default_rng((0, n))) for n in range(count))
    return KnownFaces("drawn by this program", np.stack([to_pixels(drawing) for drawing in drawings]), None)


def _data_state(run: Path) -> DataState:
    checkpoints = sorted(run.glob("checkpoints/*.ckpt"))
    if not checkpoints:
        raise ConfigError(f"{run} has no checkpoints: only they know the faces of a run")
    try:
        return checkpoint_content(checkpoints[0]).data
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _options(run: Path) -> dict[str, Any]:
    """Returns the run's `data`, if it is data of this program: others have their own ways of reading."""
    config = plain_yaml(run / ".hydra" / "config.yaml")
    options = config.get("data") if isinstance(config, dict) else None
    if not isinstance(options, dict) or str(options.get("_target_")).rpartition(".")[2] != FERDataModule.__name__:
        raise ConfigError(f"{run}: its data are not those of {FERDataModule.__name__}")
    return options
