"""A timeline shows what each track shows when, in memory that does not grow with the video."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fer_lightning.use.annotation import emotion_colours
from fer_lightning.use.faces import Answer, Frame
from fer_lightning.use.timeline import MOST_BINS, MOST_TRACKS_DRAWN, Timeline, timeline_chart
from tests.use.answers import CLASSES, answer, face, grey, probabilities

BOX = (1.0, 1.0, 9.0, 9.0)
COLOURS = emotion_colours(CLASSES)


def moments(seconds: float, rate: float, tracks: int = 1) -> Iterator[Answer]:
    """Faces that are sad in the first half, and happy in the second."""
    for index in range(round(seconds * rate)):
        frame = Frame("clip.mp4", index, index / rate, grey(4, 4))
        shown = probabilities("sad" if index < seconds * rate / 2 else "happy", 0.94)
        found = [replace(face(frame, place, BOX, shown), track=place + 1) for place in range(tracks)]
        yield Answer(frame, tuple(found))


def filled(answers: Iterator[Answer]) -> Timeline:
    timeline = Timeline(CLASSES)
    for one in answers:
        timeline.add(one)
    return timeline


@pytest.mark.parametrize(("seconds", "rate"), [(2, 30), (10, 12.5), (700, 5), (7200, 1)])
def test_steps_are_bounded_and_hold_every_frame(seconds: float, rate: float) -> None:
    timeline = filled(moments(seconds, rate))
    (track,) = timeline.longest()
    assert track.frames == round(seconds * rate)
    assert len(track.sums) <= MOST_BINS
    assert track.mean().sum() == pytest.approx(1, abs=1e-4)
    assert track.first_s == 0
    assert track.last_s == pytest.approx(seconds - 1 / rate)


@pytest.mark.parametrize(("seconds", "rate"), [(10, 25), (3000, 5)])
def test_the_chart_has_the_classes_at_their_times(seconds: float, rate: float) -> None:
    figure = timeline_chart(filled(moments(seconds, rate)), COLOURS)
    (axes,) = figure.axes
    picture = np.asarray(axes.images[0].get_array())
    middle = picture.shape[0] // 2
    width = picture.shape[1]
    for share, name in ((0.1, "sad"), (0.45, "sad"), (0.55, "happy"), (0.9, "happy")):
        assert picture[middle, int(share * width)] / 255 == pytest.approx(to_rgb(COLOURS[name]), abs=0.01)
    assert not (picture == 255).all(-1).any()  # seen all the time


def test_where_a_track_is_not_seen_the_chart_is_white() -> None:
    timeline = Timeline(CLASSES)
    for one in moments(12, 25):
        assert one.frame.time_s is not None
        timeline.add(one if not 4 <= one.frame.time_s < 8 else replace(one, faces=()))
    picture = np.asarray(timeline_chart(timeline, COLOURS).axes[0].images[0].get_array())
    white = (picture == 255).all(-1)
    steps = picture.shape[1]
    assert white[:, math.ceil(4.1 / 12 * steps) : int(7.9 / 12 * steps)].all()
    assert not white[:, : int(3.9 / 12 * steps)].any()
    assert not white[:, math.ceil(8.1 / 12 * steps) :].any()


def test_the_tracks_that_are_seen_longest_are_drawn() -> None:
    timeline = Timeline(CLASSES)
    for index in range(200):
        frame = Frame("clip.mp4", index, index / 10, grey(4, 4))
        found = [face(frame, place, BOX, probabilities("happy")) for place in range(20)]
        here = [replace(one, track=one.number + 1) for one in found if index % (one.number + 1) == 0]
        timeline.add(Answer(frame, tuple(here)))
    assert [track.number for track in timeline.longest()] == [*range(1, MOST_TRACKS_DRAWN + 1)]
    labels = [axes.get_ylabel() for axes in timeline_chart(timeline, COLOURS).axes]
    assert labels == [f"#{number}" for number in range(1, MOST_TRACKS_DRAWN + 1)]


@pytest.mark.parametrize(
    ("seconds", "unit", "labels"),
    [
        (10, "seconds", None),
        (150, "minutes:seconds", ["0:00", "0:15", "0:30"]),
        (3000, "minutes:seconds", ["0:00", "5:00", "10:00"]),
        (4000, "hours:minutes", ["0:00", "0:10", "0:20"]),
        (40_000, "hours:minutes", ["0:00", "2:00", "4:00"]),
    ],
)
def test_the_time_axis_has_round_labels(seconds: int, unit: str, labels: list[str] | None) -> None:
    axes = timeline_chart(filled(moments(seconds, 100 / seconds)), COLOURS).axes[-1]
    assert axes.get_xlabel() == unit
    if labels:
        shown = [label.get_text() for label in axes.get_xticklabels()]
        assert shown[:3] == labels
        assert len(shown) <= 11


def test_a_video_without_faces_has_an_empty_chart() -> None:
    timeline = filled(iter([answer(Frame("clip.mp4", 0, 0.0, grey()))]))
    assert timeline.longest() == []
    timeline_chart(timeline, COLOURS)
