"""A signal ends the frames, and not what is done with them."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from fer_lightning.use.stopping import Stopped, StopRequests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_no_more_items_come(number: signal.Signals) -> None:
    taken = []
    before = signal.getsignal(number)
    with StopRequests() as stop:
        for item in stop.before_stopped(range(10)):
            if item == 3:
                os.kill(os.getpid(), number)
            taken.append(item)
    assert taken == [0, 1, 2, 3]
    assert stop.exit_status == 128 + number
    assert signal.getsignal(number) is before


def test_an_item_that_does_not_come_is_not_waited_for() -> None:
    def camera() -> Iterator[int]:
        yield 1
        time.sleep(60)

    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with StopRequests() as stop:
        assert [*stop.before_stopped(camera())] == [1]
    assert time.monotonic() - began < 20


def test_a_second_signal_ends_at_once() -> None:
    with StopRequests():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped) as stopped:
            os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.exit_status == 128 + signal.SIGTERM


@pytest.mark.parametrize("length", [0, 2])
def test_a_signal_at_any_moment_ends_the_items(length: int) -> None:
    tried, ended = 0, False
    while not ended:
        ended = not _stopped_at(tried, length)
        tried += 1
    assert tried > 20  # instructions


def _stopped_at(instruction: int, length: int) -> bool:
    """Returns whether there is an instruction of this number, before which a signal comes, in yielding some items."""
    passed = 0

    def traced(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal passed
        if frame.f_code is not StopRequests.before_stopped.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            passed += 1
            if passed == instruction + 1:
                os.kill(os.getpid(), signal.SIGINT)
        return traced

    before = sys.gettrace()
    with StopRequests() as stop:
        sys.settrace(traced)
        try:
            taken = [*stop.before_stopped(iter(range(length)))]
        except Stopped:
            pytest.fail(f"a signal before instruction {instruction} of before_stopped came out of it")
        finally:
            sys.settrace(before)
    assert taken == [*range(len(taken))]
    assert (stop.received is not None) == (passed > instruction)
    return passed > instruction


def test_without_a_signal_all_items_come() -> None:
    with StopRequests() as stop:
        assert [*stop.before_stopped(range(3))] == [0, 1, 2]
    assert stop.exit_status == 0
