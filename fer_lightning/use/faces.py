"""What goes along the line from pictures to emotions: frames, the faces found in them, and what these show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

UNSURE = "unsure"
"""The label of a face whose most probable class is not probable enough."""


NO_FACE = "no face"
"""The note on a frame in which no face was found."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture, or one of a video's: upright, whatever its file says.

    Args:
        source: the path it came from, as it was given or found; "-" for standard input, "webcam:0" for a camera.
        index: its number in the source, from 0.
        time_s: when it is shown, in seconds from the start of its video; None for a picture.
        pixels: uint8 (H, W, 3), RGB.
    """

    source: str
    index: int
    time_s: float | None
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Unreadable:
    """A source, or one of its frames, that could not be read, and why."""

    source: str
    reason: str
    index: int | None = None  # of the frame; None for the whole source
    time_s: float | None = None


@dataclass(frozen=True)
class Detection:
    """A face's place in a frame: its box in pixels, and how sure the detector is of it, from 0 to 1.

    Boxes are as the detector gave them, which may be beyond the edge of the picture in part.
    """

    x: float
    y: float
    width: float
    height: float
    score: float = 1.0
    landmarks: tuple[tuple[float, float], ...] = ()  # right eye, left eye, nose, right and left corner of the mouth
    whole: bool = False  # the picture as it is is the face: nothing is cut out of it
    given_in: str = field(default="", compare=False)  # the table and the line that it was read from, if it was

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Returns left, top, right, bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True)
class Face:
    """A face that was found, and what it shows.

    Args:
        source: of its `Frame`.
        frame: the number of its frame.
        time_s: of its `Frame`.
        number: which of the frame's faces it is, from 0, from the left.
        detection: where it is.
        label: the most probable class; "unsure" where its probability is below the network's threshold.
        probabilities: of each class, in the network's order; they sum to 1.
        track: the same for the same person in successive frames; None for pictures.
        smoothed: of a video: the probabilities over the last moments of its track; None for pictures.
    """

    source: str
    frame: int
    time_s: float | None
    number: int
    detection: Detection
    label: str
    probabilities: Mapping[str, float]
    track: int | None = None
    smoothed: Mapping[str, float] | None = None

    @property
    def best(self) -> str:
        """Returns the most probable class, by the smoothed probabilities where there are any."""
        shown = self.smoothed or self.probabilities
        return max(shown, key=shown.__getitem__)

    @property
    def confidence(self) -> float:
        """Returns the probability of the best class."""
        return (self.smoothed or self.probabilities)[self.best]


@dataclass(frozen=True, eq=False)
class Answer:
    """What is said of one frame, or of a source that could not be read: its faces, or a note of why there are none."""

    frame: Frame | Unreadable
    faces: tuple[Face, ...] = ()
    note: str = ""  # "no face", or the reason of an Unreadable
