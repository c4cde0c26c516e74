"""Pictures of several people share one call of the network, and each gets its own answer."""

import asyncio
import sys
import threading
from concurrent.futures import CancelledError
from typing import Any

import httpx
import numpy as np
import pytest

from fer_lightning.use.batched_line import BatchedLine
from fer_lightning.use.detector import WholePicture, YuNet
from fer_lightning.use.faces import Detection, Frame
from fer_lightning.use.server import Limits, Server
from tests.use.conftest import Darkness
from tests.use.photograph import HOPPER
from tests.use.serving import encoded


class Held:
    """A detector that waits until it is let go."""

    def __init__(self) -> None:
        self.go, self.began = threading.Event(), threading.Event()

    def __call__(self, frame: Frame) -> list[Detection]:
        self.began.set()
        assert self.go.wait(30)
        return WholePicture()(frame)


def grey(value: int) -> bytes:
    return encoded(np.full((48, 48, 3), value, np.uint8))


def test_what_waits_goes_into_one_call() -> None:
    detector, network = Held(), Darkness()
    line = BatchedLine(detector, network)
    values = [0, 51, 102, 153, 204, 255]
    first = line.submit(grey(values[0]), "a")
    assert detector.began.wait(30)  # the others come while it is looked at
    others = [line.submit(grey(value), str(value), value, 1.5) for value in values[1:]]
    detector.go.set()
    answers = [job.result(30) for job in (first, *others)]
    assert [len(faces) for faces in network.given] == [1, 5]
    assert [answer.faces[0].probabilities["light"] for answer in answers] == pytest.approx([v / 255 for v in values])
    frame = answers[1].frame
    assert (frame.source, frame.index, frame.time_s) == ("51", 51, 1.5)
    line.close()


def test_what_nobody_waits_for_costs_nothing() -> None:
    detector, network = Held(), Darkness()
    line = BatchedLine(detector, network)
    first = line.submit(grey(0), "a")
    assert detector.began.wait(30)
    gone, there = line.submit(grey(50), "b"), line.submit(grey(100), "c")
    assert gone.cancel()
    detector.go.set()
    assert there.result(30).frame.source == "c"
    assert first.result(30).frame.source == "a"
    assert sum(len(faces) for faces in network.given) == 2
    with pytest.raises(CancelledError):
        gone.result(1)
    line.close()


def test_what_waits_is_answered_before_the_end() -> None:
    detector = Held()
    line = BatchedLine(detector, Darkness())
    jobs = [line.submit(grey(value), str(value)) for value in range(40)]
    detector.go.set()
    line.close()
    assert [job.result(0).frame.source for job in jobs] == [str(value) for value in range(40)]


def test_one_that_fails_does_not_end_the_line() -> None:
    class Failing(Darkness):
        def probabilities(self, faces: Any) -> Any:
            if not self.given:
                self.given.append(faces)
                raise RuntimeError("out of memory")
            return super().probabilities(faces)

    line = BatchedLine(WholePicture(), Failing())
    with pytest.raises(RuntimeError, match="out of memory"):
        line.submit(grey(0), "a").result(30)
    assert line.submit(grey(255), "b").result(30).faces[0].label == "light"
    line.close()


def test_no_file_is_opened_for_a_request() -> None:
    opened: list[object] = []
    watching = threading.Event()

    def hear(event: str, values: tuple[object, ...]) -> None:
        if watching.is_set() and event in ("open", "socket.connect", "subprocess.Popen", "urllib.Request"):
            opened.append(values[0])

    sys.addaudithook(hear)  # for as long as the process lives, and heard only here
    app = Server(BatchedLine(YuNet(threads=1), Darkness()), Limits()).app(None, None)
    large = encoded(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8))  # 3 MB

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            await client.post("/predict", content=HOPPER.read_bytes())  # what is imported at the first one
            await client.post("/predict", files={"file": ("a", HOPPER.read_bytes())})
            hopper = HOPPER.read_bytes()
            watching.set()
            for name in (str(HOPPER), "/etc/passwd", "http://localhost/a.jpg", "..\\a"):
                assert (await client.post("/predict", files={"file": (name, hopper)})).status_code == 200
                assert (await client.post("/predict", files={"file": (name, large)})).status_code == 200
                assert (await client.post("/predict", content=name.encode())).status_code == 415
                assert (await client.post("/predict", params={"path": name}, content=large)).status_code == 200
                assert (await client.get("/nothing", params={"path": name})).status_code == 404
            watching.clear()

    asyncio.run(ask())
    assert opened == []
