"""A slow reader of a camera gets the newest frame, not an old one; without a camera, a row says so.

No camera is needed: the frames are made here, as a camera gives them. With a camera, this has not been tried.
"""

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_lightning.use import webcam
from fer_lightning.use.faces import Unreadable
from fer_lightning.use.sources import webcam as webcam_source
from fer_lightning.use.webcam import newest


class Camera:
    """Gives numbers, one each so many seconds, without end or until it breaks."""

    def __init__(self, seconds: float, count: int = 10**9, breaks: Exception | None = None) -> None:
        self.seconds, self.count, self.breaks = seconds, count, breaks
        self.given, self.is_closed = -1, False

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                time.sleep(self.seconds)
                self.given = number
                yield number
            if self.breaks:
                raise self.breaks
        finally:
            self.is_closed = True


def test_a_slow_reader_gets_the_newest_frame() -> None:
    camera = Camera(0.005)
    reading = newest(camera)
    behind, numbers = [], []
    for number, item in reading:
        behind.append(camera.given - item)
        numbers.append(number)
        assert number == item
        time.sleep(0.06)
        if len(numbers) == 8:
            break
    reading.close()
    assert max(behind) <= 3
    assert min(later - earlier for earlier, later in itertools.pairwise(numbers)) >= 3


def test_a_fast_reader_gets_each_frame_once() -> None:
    assert list(newest(Camera(0.02, count=6))) == [(number, number) for number in range(6)]


def test_the_camera_is_let_go_when_its_reader_stops() -> None:
    camera = Camera(0.005)
    before = threading.active_count()
    reading = newest(camera)
    next(reading)
    assert threading.active_count() == before + 1
    reading.close()
    assert camera.is_closed
    assert threading.active_count() == before


def test_a_camera_that_breaks_gives_its_last_frame_first() -> None:
    reading = newest(Camera(0.01, count=1, breaks=OSError("unplugged")))
    assert next(reading) == (0, 0)
    with pytest.raises(OSError, match="unplugged"):
        next(reading)


def test_a_camera_that_gives_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcam, "PATIENCE_S", 0.1)
    with pytest.raises(TimeoutError, match="no frame for 0 seconds"):
        next(newest(Camera(0.5, count=1)))


@pytest.mark.skipif(sys.platform != "linux" or Path("/dev/video77").exists(), reason="of Linux without so many cameras")
def test_a_camera_that_is_not_there_is_a_row() -> None:
    assert list(webcam_source("77").frames()) == [
        Unreadable(
            "webcam:77",
            "the camera cannot be read (No such file or directory): is one connected, and used by nothing else?",
        )
    ]
