"""Answers as the line gives them, without a detector or a network: what tests of tracks and writers begin with."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_lightning.use.faces import Answer, Detection, Face, Frame

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

Box = tuple[float, float, float, float]


def probabilities(name: str, share: float = 0.8, names: Sequence[str] = CLASSES) -> dict[str, float]:
    """One class has this share, the others have the same each."""
    rest = (1 - share) / (len(names) - 1)
    return {one: share if one == name else rest for one in names}


def face(frame: Frame, number: int, box: Box, shown: dict[str, float]) -> Face:
    """A face at left, top, width, height."""
    best = max(shown, key=shown.__getitem__)
    return Face(frame.source, frame.index, frame.time_s, number, Detection(*box, score=0.9), best, shown)


def answer(frame: Frame, *found: tuple[Box, str] | tuple[Box, dict[str, float]]) -> Answer:
    shown = [(box, probabilities(said) if isinstance(said, str) else said) for box, said in found]
    faces = tuple(face(frame, number, box, said) for number, (box, said) in enumerate(shown))
    return Answer(frame, faces, "" if faces else "no face")


def grey(height: int = 120, width: int = 160, value: int = 128) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def frame(source: str | Path = "clip.mp4", index: int = 0, time_s: float | None = None) -> Frame:
    return Frame(str(source), index, time_s, grey())


def crossing(times: Sequence[float], hidden: tuple[float, float] = (0, 0)) -> Iterator[tuple[Answer, list[str]]]:
    """Two faces that walk through each other, from the left to the right; of each frame also who they are.

    While the hidden seconds last, the one behind, who walks to the left, is not found.
    """
    for index, time in enumerate(times):
        moment = frame("walk.mp4", index, time)
        there = {"right": (20 + 100 * time, 40.0, 60.0, 70.0), "left": (320 - 100 * time, 44.0, 56.0, 66.0)}
        if hidden[0] <= time < hidden[1]:
            del there["left"]
        who = sorted(there, key=lambda name: there[name][0])
        yield answer(moment, *((there[name], "happy") for name in who)), who
