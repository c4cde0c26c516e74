"""A face keeps its number through a video, and what it shows is smoothed over seconds, whatever the frame rate."""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from fer_lightning.use.faces import UNSURE, Answer, Unreadable
from fer_lightning.use.tracks import LOST_AFTER_S, SMOOTHED_OVER_S, Tracks, tracked
from tests.use.answers import answer, crossing, frame, probabilities

BOX = (10.0, 10.0, 40.0, 50.0)


def showing(*names: str) -> list[Answer]:
    """A face that stays where it is, ten frames a second, and what it shows in each."""
    return [answer(frame(index=index, time_s=index / 10), (BOX, name)) for index, name in enumerate(names)]


def numbers(answers: Iterable[Answer]) -> list[list[int | None]]:
    return [[face.track for face in one.faces] for one in tracked(answers)]


def step(times: Sequence[float], at: float) -> list[float]:
    """The smoothed probability of happy of a face that is sad before a moment, and happy from it on."""
    answers = [
        answer(frame(index=index, time_s=time), (BOX, "happy" if time >= at else "sad"))
        for index, time in enumerate(times)
    ]
    return [(one.faces[0].smoothed or {})["happy"] for one in tracked(answers, 0.5)]


@pytest.mark.parametrize("rate", [5, 10, 30, 60])
@pytest.mark.parametrize("hidden", [(0, 0), (1.2, 1.8)])
def test_faces_that_cross_keep_their_numbers(rate: int, hidden: tuple[float, float]) -> None:
    moments = [*crossing([place / rate for place in range(3 * rate)], hidden)]
    who_by_number = {
        (track, name)
        for one, (_, who) in zip(numbers(moment for moment, _ in moments), moments, strict=True)
        for track, name in zip(one, who, strict=True)
    }
    assert who_by_number == {(1, "right"), (2, "left")}


def test_a_face_that_jitters_stays_one() -> None:
    random = np.random.default_rng(1)
    moments = [
        answer(frame(index=index, time_s=index / 25), ((*(10 + random.normal(0, 2, 2)), 40, 50), "happy"))
        for index in range(250)
    ]
    assert set(itertools.chain(*numbers(moments))) == {1}


def test_who_comes_after_another_left_is_somebody_new() -> None:
    early = showing(*["happy"] * 10)
    elsewhere = answer(frame(index=10, time_s=1.0), ((110, 60, 40, 50), "happy"))
    late = answer(frame(index=11, time_s=1.0 + LOST_AFTER_S), (BOX, "happy"))
    assert numbers([*early, elsewhere, late]) == [[1]] * 10 + [[2], [3]]


def test_a_box_of_another_size_is_another_face() -> None:
    moments = [
        answer(frame(index=0, time_s=0), (BOX, "happy")),
        answer(frame(index=1, time_s=0.04), ((0, 0, 90, 99), "sad")),
    ]
    assert numbers(moments) == [[1], [2]]


def test_each_source_has_numbers_of_its_own() -> None:
    one, other = (answer(frame(name, 0, 0.0), (BOX, "happy"), ((90, 10, 40, 50), "sad")) for name in ("a.mp4", "b.mp4"))
    assert numbers([one, other, other]) == [[1, 2]] * 3  # the same file twice


def test_pictures_are_neither_numbered_nor_smoothed() -> None:
    moments = [answer(frame("a.jpg"), (BOX, "happy")), Answer(Unreadable("b.jpg", "damaged"), (), "damaged")]
    assert [*tracked(moments)] == moments


def test_a_damaged_frame_does_not_end_a_track() -> None:
    first, last = (answer(frame(index=index, time_s=index / 10), (BOX, "happy")) for index in (0, 2))
    damaged = Answer(Unreadable("clip.mp4", "damaged", 1, 0.1), (), "damaged")
    assert numbers([first, damaged, last]) == [[1], [], [1]]


@pytest.mark.parametrize("rate", [10, 25, 60])
def test_smoothing_takes_seconds_whatever_the_frame_rate(rate: int) -> None:
    times = [place / rate for place in range(3 * rate)]
    happy = step(times, 2.0)
    assert happy[2 * rate - 1] == pytest.approx(probabilities("sad")["happy"])
    # Both are as probable where what is new weighs a half: after 0.5 s · ln 2.
    even = math.sqrt(0.8 * 0.2 / 6) / (2 * math.sqrt(0.8 * 0.2 / 6) + 5 * 0.2 / 6)
    crossed = next(time for time, share in zip(times, happy, strict=True) if time >= 2 and share > even)
    assert crossed == pytest.approx(2.0 + 0.5 * np.log(2), abs=1.5 / rate)


def test_uneven_frames_are_smoothed_by_their_times() -> None:
    even = [place / 50 for place in range(151)]
    uneven = [time for place, time in enumerate(even) if time < 2 or place % 5 == 0]
    assert step(uneven, 2.0)[-1] == pytest.approx(step(even, 2.0)[-1], abs=0.01)


def test_smoothing_begins_anew_after_a_gap() -> None:
    sad = showing(*["sad"] * 20)
    happy = answer(frame(index=20, time_s=1.9 + LOST_AFTER_S + 0.01), (BOX, "happy"))
    (last,) = [*tracked([*sad, happy])][-1].faces
    assert last.smoothed == pytest.approx(last.probabilities)
    assert last.track == 2


def test_probabilities_stay_raw_beside_smoothed_ones() -> None:
    moments = [
        answer(frame(index=index, time_s=index / 10), (BOX, name)) for index, name in enumerate(("sad", "happy"))
    ]
    (last,) = [*tracked(moments)][-1].faces
    assert last.probabilities == probabilities("happy")
    assert last.smoothed is not None
    assert sum(last.smoothed.values()) == pytest.approx(1)
    faded = math.exp(-0.1 / SMOOTHED_OVER_S)  # what the first frame weighs beside the second
    ratio = (1 - faded) / (1 + faded) * math.log(0.8 / (0.2 / 6))
    assert math.log(last.smoothed["happy"] / last.smoothed["sad"]) == pytest.approx(ratio)


def test_without_seconds_nothing_is_smoothed() -> None:
    moments = [
        answer(frame(index=index, time_s=index / 10), (BOX, name)) for index, name in enumerate(("sad", "happy"))
    ]
    (last,) = [*tracked(moments, 0)][-1].faces
    assert last.smoothed == pytest.approx(last.probabilities)


def test_the_label_is_that_of_the_smoothed_probabilities() -> None:
    times = [place / 10 for place in range(21)]
    moments = [
        answer(frame(index=index, time_s=time), (BOX, "happy" if time == 2 else "sad"))
        for index, time in enumerate(times)
    ]
    assert [*tracked(moments)][-1].faces[0].label == "sad"
    (unsure,) = [*tracked(moments, unsure_below=0.79)][-1].faces
    assert unsure.label == UNSURE
    assert unsure.best == "sad"


def test_a_probability_of_zero_is_forgotten() -> None:
    certain = {name: float(name == "sad") for name in probabilities("sad")}
    moments = [answer(frame(index=0, time_s=0), (BOX, certain)), *showing(*["happy"] * 40)[1:]]
    (last,) = [*tracked(moments)][-1].faces
    assert last.best == "happy"


def test_memory_does_not_grow_with_the_faces_seen() -> None:
    tracks = Tracks()
    for index in range(2000):
        moment = answer(frame(index=index, time_s=index / 5), ((float(index * 97 % 2000), 10, 40, 50), "happy"))
        assert moment.frame.time_s is not None
        tracks.followed(moment.faces, moment.frame.time_s)
    assert len(tracks._alive) <= LOST_AFTER_S * 5 + 1
