"""Collects what each track of a video shows over time, in bounded memory, and draws it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_lightning.use.annotation import short_class
from fer_lightning.use.faces import Answer, Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BINS = 2048
"""Steps of time that are told apart at most: when a video needs more, two become one."""

FIRST_BIN_S = 1 / 64
"""Seconds of a step to begin with: shorter than a frame."""

MOST_TRACKS_DRAWN = 12
"""Those that are seen longest."""

HEIGHT = 64
"""Rows of pixels of a track's picture: shares are drawn to 1/64."""

ROUND_STEPS_S, MOST_LABELS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600), 10
"""Seconds between two labels of a time axis, and how many labels it has at most."""

LONGEST_GAP_S = 0.5
"""Seconds between two frames at most that belong together: what is not seen for longer is a gap in the picture."""


@dataclass
class TrackHistory:
    """What one track shows: per step of time the sum of its smoothed probabilities, and the number of its frames."""

    number: int
    sums: dict[int, NDArray[np.float32]] = field(default_factory=dict)  # by step; of the classes, then frames
    first_s: float = 0.0
    last_s: float = 0.0

    @property
    def frames(self) -> int:
        return round(float(sum(values[-1] for values in self.sums.values())))

    def mean(self) -> NDArray[np.float32]:
        """Returns the mean probabilities of all its frames, float (C,)."""
        total = np.sum([*self.sums.values()], 0)
        mean: NDArray[np.float32] = total[:-1] / total[-1]
        return mean


class Timeline:
    """The tracks of one video.

    Args:
        class_names: in the order of the probabilities.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = class_names
        self.tracks: dict[int, TrackHistory] = {}
        self.step_s = FIRST_BIN_S
        self.end_s = 0.0

    def add(self, answer: Answer) -> None:
        frame = answer.frame
        if not isinstance(frame, Frame) or frame.time_s is None:
            return
        self.end_s = max(self.end_s, frame.time_s)
        while self.end_s >= MOST_BINS * self.step_s:
            self._halve()
        for face in answer.faces:
            if face.track is None:
                continue
            track = self.tracks.setdefault(face.track, TrackHistory(face.track, first_s=frame.time_s))
            track.last_s = frame.time_s
            shown = face.smoothed or face.probabilities
            values = np.array([*(shown.get(name, 0.0) for name in self.class_names), 1], np.float32)
            step = int(frame.time_s / self.step_s)
            track.sums[step] = track.sums[step] + values if step in track.sums else values

    def longest(self, count: int = MOST_TRACKS_DRAWN) -> list[TrackHistory]:
        """Returns the tracks of most frames, in the order in which they came."""
        chosen = sorted(self.tracks.values(), key=lambda track: -track.frames)[:count]
        return sorted(chosen, key=lambda track: track.number)

    def shares(self, track: TrackHistory, steps: int) -> NDArray[np.float32]:
        """Returns a track's mean probabilities over time, float (steps, C), NaN where it is not seen.

        Between two frames that are near to each other, the earlier one is shown.
        """
        shares = np.full((steps, len(self.class_names)), np.nan, np.float32)
        known = sorted(track.sums)
        for step, following in zip(known, [*known[1:], known[-1] + 1], strict=True):
            end = following if (following - step) * self.step_s <= LONGEST_GAP_S else step + 1
            shares[step:end] = track.sums[step][:-1] / track.sums[step][-1]
        return shares

    def _halve(self) -> None:
        self.step_s *= 2
        for track in self.tracks.values():
            merged: dict[int, NDArray[np.float32]] = {}
            for step, values in track.sums.items():
                merged[step // 2] = merged[step // 2] + values if step // 2 in merged else values
            track.sums = merged


def timeline_chart(timeline: Timeline, colours: Mapping[str, str]) -> "Figure":
    """Draws a row for each track: how its probabilities share the height, over time."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    tracks = timeline.longest()
    steps = int(timeline.end_s / timeline.step_s) + 1
    row = 0.95 if len(tracks) <= 4 else 0.6  # inches
    columns = min(len(timeline.class_names), 8)
    legend_rows = -(-len(timeline.class_names) // columns)
    figure = Figure(figsize=(9.5, max(row * len(tracks), 1.2) + 0.8 + 0.28 * legend_rows), layout="constrained")
    panels = figure.subplots(max(len(tracks), 1), sharex=True, squeeze=False)[:, 0]
    for axes, track in zip(panels, tracks, strict=False):
        picture = _stacked(timeline.shares(track, steps), [colours[name] for name in timeline.class_names])
        # The first row of the picture is at the top.
        axes.imshow(picture, extent=(0, steps * timeline.step_s, 0, 1), aspect="auto", interpolation="nearest")
        axes.set_ylabel(f"#{track.number}", rotation=0, ha="right", va="center", fontsize=11)
        axes.set_yticks([0, 0.5, 1] if row > 0.7 else [])
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    last = panels[-1]
    last.set_xlim(0, max(timeline.end_s, timeline.step_s))
    unit, labels = _time_axis(timeline.end_s)
    last.set_xlabel(unit)
    if labels:
        last.set_xticks([*labels], [*labels.values()])
    figure.legend(
        handles=[Patch(color=colours[name], label=short_class(name)) for name in timeline.class_names],
        loc="outside upper center", ncols=columns, frameon=False, fontsize=10,
    )  # fmt: skip
    return figure


def _stacked(shares: NDArray[np.float32], colours: Sequence[str]) -> NDArray[np.uint8]:
    """Returns shares of classes, (T, C), as a picture, uint8 (HEIGHT, T, 3): the first class at the bottom."""
    from matplotlib.colors import to_rgb

    palette = np.array([*map(to_rgb, colours), (1, 1, 1)]) * 255
    ends = np.nan_to_num(shares.cumsum(1), nan=-1)  # (T, C)
    heights = (np.arange(HEIGHT)[::-1, None, None] + 0.5) / HEIGHT
    classes = (heights >= ends[None]).sum(-1)  # (HEIGHT, T): the first whose end lies above
    unseen = np.isnan(shares).any(1)
    classes = np.minimum(classes, len(colours) - 1)
    classes[:, unseen] = len(colours)
    picture: NDArray[np.uint8] = palette[classes].astype(np.uint8)
    return picture


def _time_axis(end_s: float) -> tuple[str, dict[float, str]]:
    """Returns what a time axis is labelled with, and its labels at round times; none for matplotlib's own."""
    if end_s < 120:
        return "seconds", {}
    step = next((step for step in ROUND_STEPS_S if end_s / step <= MOST_LABELS), math.ceil(end_s / 36_000) * 3600)
    unit, large, small = ("minutes:seconds", 60, 1) if end_s < 3600 else ("hours:minutes", 3600, 60)
    times = range(0, int(end_s) + 1, step)
    return unit, {time: f"{time // large}:{time % large // small:02}" for time in times}
