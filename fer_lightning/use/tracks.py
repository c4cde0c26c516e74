"""Follows faces through a video by their boxes alone, and smooths what they show over the last moments.

Nobody is recognised: a track is a box that moves on from frame to frame. It outlives a short time without its face.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fer_lightning.use.faces import UNSURE, Answer, Detection, Face

SMOOTHED_OVER_S = 0.5
"""Time constant of smoothing, in seconds: what lies so far back counts e times less than what is new."""

LOST_AFTER_S = 1.0
"""Seconds without its face after which a track ends; whoever comes then is somebody new."""

LEAST_OVERLAP = 0.2
"""Intersection over union that a face has at least with the place where its track is expected."""

FARTHEST = 0.8
"""Distance of a face at most, in widths, from that place: where it moves fast or frames are few, nothing overlaps."""

LARGEST_CHANGE = 1.8
"""Ratio of two widths at most that are taken for one face's."""

VELOCITY_OVER_S = 0.2
"""Seconds over which a velocity is averaged."""

COASTS_OVER_S = 1.0
"""Time constant in which a track slows down while its face is hidden."""

LEAST_PROBABILITY = 1e-6
"""What smaller probabilities count as, so that one frame's zero is not for ever."""


def tracked(answers: Iterable[Answer], seconds: float = SMOOTHED_OVER_S, unsure_below: float = 0.0) -> Iterator[Answer]:
    """Yields answers whose faces have a track, smoothed probabilities and the label of these; pictures pass unchanged.

    Args:
        answers: of any sources; each video has tracks 1, 2, … of its own.
        seconds: time constant of the smoothing; 0 smooths nothing.
        unsure_below: the confidence below which a label is "unsure".
    """
    tracks, before = Tracks(seconds), None
    for answer in answers:
        frame = answer.frame
        if frame.time_s is None or frame.index is None:
            yield answer
            continue
        if before is None or frame.source != before[0] or frame.index <= before[1]:
            tracks = Tracks(seconds)
        before = frame.source, frame.index
        faces = tracks.followed(answer.faces, frame.time_s)
        yield replace(answer, faces=tuple(_relabelled(face, unsure_below) for face in faces))


@dataclass
class _Track:
    number: int
    centre: NDArray[np.float64]  # x, y
    size: NDArray[np.float64]  # width, height
    seen_s: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))  # pixels a second
    known_for_s: float = 0.0
    weighted: NDArray[np.float64] | None = None  # sum of log-probabilities by weight
    weight: float | None = None  # sum of weights; None after a single frame

    def expected(self, time_s: float) -> NDArray[np.float64]:
        """Returns where its centre should be at a time: it slows down while nobody sees it."""
        hidden_s = time_s - self.seen_s
        return self.centre + self.velocity * COASTS_OVER_S * -math.expm1(-hidden_s / COASTS_OVER_S)

    def move(self, centre: NDArray[np.float64], size: NDArray[np.float64], time_s: float) -> None:
        passed_s = time_s - self.seen_s
        if passed_s > 0:
            # A mean over what is known so far: the first step alone is the best guess of a velocity that there is.
            self.known_for_s = min(self.known_for_s + passed_s, VELOCITY_OVER_S)
            share = min(passed_s / self.known_for_s, 1.0)
            self.velocity += share * ((centre - self.centre) / passed_s - self.velocity)
        self.centre, self.size, self.seen_s = centre, size, time_s

    def smooth(self, probabilities: NDArray[np.float64], passed_s: float, seconds: float) -> NDArray[np.float64]:
        """Returns the exponential mean of log-probabilities, as probabilities.

        A frame weighs as much as the time since the one before, so the mean does not depend on the frame rate; the
        first one is taken to stand for as much time as the second.
        """
        logs = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
        share = -math.expm1(-passed_s / seconds) if seconds > 0 else 1.0
        if self.weighted is None:
            self.weighted, mean = logs, logs
        else:
            before, weight = (self.weighted * share, share) if self.weight is None else (self.weighted, self.weight)
            if share:
                self.weighted = before * (1 - share) + logs * share
                self.weight = weight * (1 - share) + share
            mean = self.weighted / (self.weight or 1)
        powers = np.exp(mean - mean.max())
        smoothed: NDArray[np.float64] = powers / powers.sum()
        return smoothed


class Tracks:
    """The tracks of one video that have not ended.

    Args:
        seconds: time constant of the smoothing.
    """

    def __init__(self, seconds: float = SMOOTHED_OVER_S) -> None:
        self.seconds = seconds
        self._alive: list[_Track] = []
        self._begun = 0

    def followed(self, faces: Sequence[Face], time_s: float) -> list[Face]:
        """Returns the faces of a frame with track and smoothed probabilities; frames come in the order of time."""
        self._alive = [track for track in self._alive if time_s - track.seen_s <= LOST_AFTER_S]
        matches = _matched(self._alive, [face.detection for face in faces], time_s)
        followed = []
        for place, face in enumerate(faces):
            track = matches.get(place) or self._new(face.detection, time_s)
            passed_s = time_s - track.seen_s
            track.move(*_place(face.detection), time_s)
            values = track.smooth(np.array([*face.probabilities.values()], np.float64), passed_s, self.seconds)
            smoothed = dict(zip(face.probabilities, values.tolist(), strict=True))
            followed.append(replace(face, track=track.number, smoothed=smoothed))
        return followed

    def _new(self, detection: Detection, time_s: float) -> _Track:
        self._begun += 1
        track = _Track(self._begun, *_place(detection), time_s)
        self._alive.append(track)
        return track


def _matched(tracks: Sequence[_Track], detections: Sequence[Detection], time_s: float) -> dict[int, _Track]:
    """Returns the track of each detection that has one, by its place: those that fit best find each other first.

    What overlaps comes before what is only near.
    """
    if not tracks or not detections:
        return {}
    expected = np.array([track.expected(time_s) for track in tracks])[:, None]  # (T, 1, 2)
    sizes = np.array([track.size for track in tracks])[:, None]
    found, found_sizes = (np.array(values)[None] for values in zip(*map(_place, detections), strict=True))  # (1, D, 2)
    low = np.maximum(expected - sizes / 2, found - found_sizes / 2)
    high = np.minimum(expected + sizes / 2, found + found_sizes / 2)
    shared = np.clip(high - low, 0, None).prod(-1)
    overlap = shared / np.maximum(sizes.prod(-1) + found_sizes.prod(-1) - shared, 1e-9)  # (T, D)
    widths = np.maximum(sizes[..., 0], 1e-9), np.maximum(found_sizes[..., 0], 1e-9)
    distance = np.linalg.norm(expected - found, axis=-1) / np.sqrt(widths[0] * widths[1])
    change = np.maximum(widths[0] / widths[1], widths[1] / widths[0])
    score = np.where(overlap >= LEAST_OVERLAP, 1 + overlap, 1 - distance / FARTHEST)
    score[change > LARGEST_CHANGE] = -1
    matches: dict[int, _Track] = {}
    taken: set[int] = set()
    for flat in np.argsort(-score, axis=None, kind="stable"):
        track, place = divmod(int(flat), len(detections))
        if score[track, place] < 0:
            break
        if track not in taken and place not in matches:
            matches[place] = tracks[track]
            taken.add(track)
    return matches


def _place(detection: Detection) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns centre and size of a box."""
    size = np.array([detection.width, detection.height], np.float64)
    return np.array([detection.x, detection.y], np.float64) + size / 2, size


def _relabelled(face: Face, unsure_below: float) -> Face:
    return replace(face, label=UNSURE if face.confidence < unsure_below else face.best)
