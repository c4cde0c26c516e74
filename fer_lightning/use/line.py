"""The middle of the line: frames in, and for each what its faces show. Imports no torch."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.card import Card
from fer_lightning.use.detector import Detector
from fer_lightning.use.faces import NO_FACE, UNSURE, Answer, Detection, Face, Frame, Unreadable
from fer_lightning.use.network import Network

MOST_BYTES = 200_000_000
"""Pixels of frames that wait for a batch to fill, and again of those that wait for the detector: some two hundred of
640×480, eight of a large photograph."""


@dataclass(eq=False)
class _Waiting:
    """A frame that waits for its faces' batch to fill."""

    frame: Frame | Unreadable
    faces: list[tuple[int, Detection]] = field(default_factory=list)  # each with its number
    note: str = ""

    @property
    def size(self) -> int:
        return self.frame.pixels.nbytes if isinstance(self.frame, Frame) else 0


def answers(
    frames: Iterable[Frame | Unreadable],
    detector: Detector,
    network: Network,
    batch: int = 64,
    unsure: float | None = None,
    max_wait: int = 64,
    at_once: int = 1,
) -> Iterator[Answer]:
    """Yields what is to be said of each frame, in order. Faces of several frames go into one call of the network.

    Args:
        frames: pictures and frames of videos, or why they could not be read.
        detector: finds the faces in a frame, from the left to the right.
        network: says what they show.
        batch: faces in one call, at most; 1 answers each frame at once, for a camera.
        unsure: the confidence below which the label is "unsure"; None for the network's own.
        max_wait: frames that wait for a batch to fill, at most.
        at_once: frames that the detector searches at the same time, on a thread each. Up to twice as many wait for
            that, fewer where they are large.
    """
    threshold = network.card.unsure_below if unsure is None else unsure
    waiting: list[_Waiting] = []
    cut: list[NDArray[np.uint8]] = []  # the faces of those that wait
    for one, faces in _all_cut(frames, detector, network.card, at_once):
        waiting.append(one)
        cut += faces
        if not cut or len(cut) >= batch or len(waiting) >= max_wait or sum(w.size for w in waiting) > MOST_BYTES:
            yield from _answered(waiting, cut, network, batch, threshold)
            waiting, cut = [], []
    yield from _answered(waiting, cut, network, batch, threshold)


def _all_cut(
    frames: Iterable[Frame | Unreadable], detector: Detector, card: Card, at_once: int
) -> Iterator[tuple[_Waiting, list[NDArray[np.uint8]]]]:
    """Yields what `_cut` returns, in the order of the frames."""
    if at_once == 1:
        yield from (_cut(frame, detector, card) for frame in frames)
        return
    begun: deque[tuple[int, Future[tuple[_Waiting, list[NDArray[np.uint8]]]]]] = deque()  # each with its frame's bytes
    pool = ThreadPoolExecutor(at_once, "find faces")
    try:
        for frame in frames:
            size = frame.pixels.nbytes if isinstance(frame, Frame) else 0
            begun.append((size, pool.submit(_cut, frame, detector, card)))
            while len(begun) > 2 * at_once or sum(size for size, _ in begun) > MOST_BYTES:
                yield begun.popleft()[1].result()
        while begun:
            yield begun.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)


def _cut(frame: Frame | Unreadable, detector: Detector, card: Card) -> tuple[_Waiting, list[NDArray[np.uint8]]]:
    """Finds the faces in a frame and returns them as the network takes them, uint8 (C, size, size) each."""
    if isinstance(frame, Unreadable):
        return _Waiting(frame, note=frame.reason), []
    to_pixels = PixelFormat(card.size, card.channels, card.fit)
    picture = Image.fromarray(frame.pixels)
    one, cut, why = _Waiting(frame), [], ""
    detections = detector(frame)
    for number, detection in enumerate(detections):
        try:
            cut.append(to_pixels(picture if detection.whole else face_square(picture, detection.box, card.margin)))
        except ValueError as error:  # a box that is not in the picture, as one that was given may be
            why = why or (f"{detection.given_in}: {error}" if detection.given_in else str(error))
        else:
            one.faces.append((number, detection))
    if not detections:
        one.note = NO_FACE
    elif why:
        one.note = f"{len(detections) - len(cut)} of {len(detections)} faces could not be cut out: {why}"
    return one, cut


def _answered(
    waiting: Sequence[_Waiting], cut: Sequence[NDArray[np.uint8]], network: Network, batch: int, threshold: float
) -> Iterator[Answer]:
    rows = [
        row
        for start in range(0, len(cut), batch)
        for row in network.probabilities(np.stack(cut[start : start + batch])).tolist()
    ]
    names, place = network.card.class_names, 0
    for one in waiting:
        faces = []
        for number, detection in one.faces:
            assert isinstance(one.frame, Frame)
            shown = dict(zip(names, rows[place], strict=True))
            faces.append(_face(one.frame, number, detection, shown, threshold))
            place += 1
        yield Answer(one.frame, tuple(faces), one.note)


def _face(frame: Frame, number: int, detection: Detection, shown: dict[str, float], threshold: float) -> Face:
    best = max(shown, key=shown.__getitem__)
    label = best if shown[best] >= threshold else UNSURE
    return Face(frame.source, frame.index, frame.time_s, number, detection, label, shown)
