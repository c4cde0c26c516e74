"""Predicting from Python: Predictor().faces("photo.jpg"). Imports no torch, unless a run of one's own is given."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_lightning.transforms.pixel_format import Picture, upright
from fer_lightning.use.card import Card, Flip
from fer_lightning.use.detector import Detector, YuNet
from fer_lightning.use.faces import Answer, Face, Frame, Unreadable
from fer_lightning.use.line import answers
from fer_lightning.use.network import DEFAULT_NETWORK, Network
from fer_lightning.use.network import network as chosen
from fer_lightning.use.sources import frames
from fer_lightning.use.tables import BEFORE_CLASSES, note_of
from fer_lightning.use.tracks import tracked

if TYPE_CHECKING:
    import pandas as pd

Source = str | os.PathLike[str] | Picture
"""The path of a picture, a video or a folder of pictures; or a picture itself, see `Picture`."""


class Predictor:
    """Finds the faces in pictures and says what they show.

        from fer_lightning import Predictor
        for face in Predictor().faces("photo.jpg"):
            print(face.label, face.confidence, face.detection.box)

    Args:
        network: large, small or ferplus, which come with the package; the folder of a run, a checkpoint or an exported
            file; or a `Network`.
        tta: "flip" averages over each face and its mirror image.
        unsure: the confidence below which the label is "unsure"; 0 for never, None for the network's own.
        detector: finds the faces in a frame; None for `YuNet`.
        threads: that YuNet and the network use, a run's with all of this process's torch; None for as many as the
            machine has cores. YuNet searches a frame on each.
        device: that a run's network uses.

    Raises:
        ConfigError: there is no such network.
    """

    def __init__(
        self,
        network: str | Path | Network = DEFAULT_NETWORK,
        tta: Flip = "none",
        unsure: float | None = None,
        detector: Detector | None = None,
        threads: int | None = None,
        device: str = "auto",
    ) -> None:
        self.network: Network = (
            network if not isinstance(network, str | Path) else chosen(network, tta, threads, device)
        )
        self._detector = detector or YuNet(threads=1)
        self._at_once = 1 if detector else threads or os.cpu_count() or 1
        self._unsure = unsure

    @property
    def card(self) -> Card:
        """Returns what the network is, and its classes."""
        return self.network.card

    def faces(self, source: Source) -> list[Face]:
        """Returns the faces in a picture, from the left to the right; of a folder or a video, those of each frame.

        Raises:
            ValueError: it cannot be read.
        """
        found: list[Face] = []
        for answer in self.answers(source):
            if isinstance(answer.frame, Unreadable):
                raise ValueError(f"{answer.frame.source}: {answer.frame.reason}")
            found += answer.faces
        return found

    def answers(self, *sources: Source, recursive: bool = False) -> Iterator[Answer]:
        """Yields each frame with its faces, or why it could not be read, one by one: videos may be of any length.

        Args:
            sources: paths and pictures.
            recursive: look into the folders within a folder too.
        """
        unsure = self.card.unsure_below if self._unsure is None else self._unsure
        given = _frames(sources, recursive)
        answered = answers(given, self._detector, self.network, unsure=unsure, at_once=self._at_once)
        return tracked(answered, unsure_below=unsure)

    def table(self, sources: Sequence[Source] | str | os.PathLike[str], recursive: bool = False) -> "pd.DataFrame":
        """Returns a row for each face, and one with a note for a frame without any or a source that cannot be read.

        Its columns are those of faces.csv: source, frame, time_s, face, track, x, y, width, height, score, label,
        confidence, p_<class>…, smoothed_<class>…, note.
        """
        import pandas as pd

        given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
        classes = [f"{kind}_{name}" for kind in ("p", "smoothed") for name in self.card.class_names]
        columns = [*BEFORE_CLASSES, *classes, "note"]
        rows = [row for answer in self.answers(*given, recursive=recursive) for row in _rows(answer)]
        return pd.DataFrame(rows, columns=columns)


def _frames(sources: Iterable[Source], recursive: bool) -> Iterator[Frame | Unreadable]:
    """Yields the frames of paths, and pictures as frames whose source is their number: "picture 0", "picture 1", …"""
    pictures = 0
    for source in sources:
        if isinstance(source, str | os.PathLike):
            yield from frames([os.fspath(source)], recursive)
            continue
        pixels = np.asarray(upright(source).convert("RGB"))
        yield Frame(f"picture {pictures}", 0, None, pixels)
        pictures += 1


def _rows(answer: Answer) -> Iterator[dict[str, object]]:
    frame = answer.frame
    place: dict[str, object] = {"source": frame.source, "frame": frame.index, "time_s": frame.time_s}
    for face in answer.faces:
        yield {
            **place,
            **asdict(face.detection),
            "face": face.number,
            "track": face.track,
            "label": face.label,
            "confidence": face.confidence,
            **{f"p_{name}": value for name, value in face.probabilities.items()},
            **{f"smoothed_{name}": value for name, value in (face.smoothed or {}).items()},
            "note": note_of(face, answer),
        }
    if not answer.faces:
        yield {**place, "note": answer.note}
