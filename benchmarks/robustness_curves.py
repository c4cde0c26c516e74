"""Which faces a network is right about, as they are and disturbed: what benchmarks.robustness makes a table of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.disturbances import DISTURBANCES, Disturbance
from fer_lightning.data import FERDataModule
from fer_lightning.data.classes import matched
from fer_lightning.data.emotions import canonical
from fer_lightning.data.faces import SIDE, Faces, rows_of
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import ConfigError
from fer_lightning.report.intervals import wilson_interval
from fer_lightning.use.card import Card
from fer_lightning.use.known_faces import KnownFaces
from fer_lightning.use.measured import measured, paired_difference
from fer_lightning.use.network import Network

PART = "PublicTest"
"""The part of FER2013 that is measured unless another is named."""

Right = NDArray[np.bool_]
"""Of N faces, those that a network is right about."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Which faces a network is right about.

    Args:
        name: of the network.
        faces: in words, and whose labels they have.
        clean: of the faces as they are, (N,).
        disturbed: by the name of a disturbance and a strength, each (N,).
    """

    name: str
    faces: str
    clean: Right
    disturbed: dict[tuple[str, float], Right]

    def at(self, disturbance: Disturbance, strength: float) -> Right:
        """Returns those at a strength, which may be the one that changes nothing."""
        return self.clean if strength == disturbance.none else self.disturbed[disturbance.name, strength]

    def interval(self, disturbance: Disturbance, strength: float) -> tuple[float, float]:
        """Returns the 95% interval of the accuracy at a strength."""
        right = self.at(disturbance, strength)
        return wilson_interval(int(right.sum()), len(right))

    def lost(self, disturbance: Disturbance, strength: float) -> tuple[float, float, float]:
        """Returns by how much accuracy is less at a strength, and the ends of the 95% interval of that."""
        return paired_difference(self.clean, self.at(disturbance, strength))


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Faces of 48×48 to measure networks on, and in words which they are and whose labels they have."""

    faces: Faces
    what: str

    @property
    def classes(self) -> set[str]:
        return {*map(canonical, self.faces.class_names)}

    def for_network(self, card: Card) -> tuple[KnownFaces, list[int]]:
        """Returns the faces of those classes that a network has, with labels by its own; and which these can be.

        Raises:
            ConfigError: no class is the same.
        """
        try:
            faces = matched(self.faces, card.class_names, self.what)
        except ValueError as error:
            raise ConfigError(f"{card.name} cannot be measured on {error}") from error
        images = faces.images[torch.arange(len(faces))].numpy()
        places = [place for place, name in enumerate(card.class_names) if canonical(name) in self.classes]
        return KnownFaces(f"{len(faces):,} faces of {self.what}", images, faces.labels.numpy()), places


def labelled_faces(
    path: Path, part: str | None = None, votes: Path | None = None, count: int | None = None
) -> LabelledFaces:
    """Returns the faces of a part of a source, or of its test split.

    Args:
        path: as data.path.
        part: its name; None for PublicTest, and for the test split of a source without one.
        votes: FER+'s votes, of which labels are made by majority; None for the source's own labels.
        count: of faces, from all over the part; None for all.

    Raises:
        DataError: they cannot be read, or there is no such part.
    """
    if part is None and PART in read_faces(path, pixels=PixelOptions(SIDE)).part_names:
        part = PART
    options = VotesOptions(votes) if votes else None
    data = FERDataModule(path, splits={"test": part} if part else {}, votes=options, size=SIDE)
    data.setup("test")
    assert data.faces is not None
    rows = data.rows["test"]
    if count is not None and count < len(rows):
        rows = rows[torch.linspace(0, len(rows) - 1, count).long()]
    labels = "labels by FER+'s votes" if votes else "its own labels"
    return LabelledFaces(rows_of(data.faces, rows), f"{data.origins['test']} of {path.name}, {labels}")


def curves(one: Network, name: str, sources: Sequence[LabelledFaces]) -> Curves:
    """Returns what a network is right about, clean and disturbed.

    Args:
        one: the network.
        name: in tables.
        sources: the one with its own classes is taken, otherwise the first; of that, without the faces of classes that
            it does not have. An answer is the most probable of the classes that both have.

    Raises:
        ConfigError: there is no such class.
    """
    own = {*map(canonical, one.card.class_names)}
    source = next((source for source in sources if source.classes == own), sources[0])
    faces, places = source.for_network(one.card)

    def right(images: NDArray[np.uint8]) -> Right:
        answers = measured(one, replace(faces, images=images))
        found: Right = np.array(places)[answers.probabilities[:, places].argmax(1)] == answers.labels
        return found

    levels = [(kind, strength) for kind in DISTURBANCES for strength in kind.strengths]
    progress = tqdm(levels, desc=name, disable=None)
    disturbed = {(kind.name, at): right(kind.disturbed(faces.images, at)) for kind, at in progress}
    return Curves(name, faces.what, right(faces.images), disturbed)
