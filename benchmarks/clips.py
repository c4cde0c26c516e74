"""The pictures and videos that predicting is measured on, and how often."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (640, 480)
"""Width and height of the pictures, in pixels."""

Row = dict[str, str]


@dataclass(frozen=True)
class Amount:
    """How often things are measured, and on what."""

    repeats: int = 200  # of what takes milliseconds
    starts: int = 7  # of a command
    clip_frames: int = 1000  # of a video that is timed
    long_frames: int = 30_000  # of a video that takes memory
    early_frames: int = 1000  # of it, after which the memory should stay as it is
    faces: int | None = None  # that are put into pictures; None for all
    data: Path | None = None  # FER2013; None for drawn faces


def photograph() -> Path:
    """Returns the photograph of one face that comes with matplotlib."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"


def one_face() -> NDArray[np.uint8]:
    """Returns a picture of 640×480 with the face of that photograph in it, about 100 pixels wide."""
    picture = Image.new("RGB", SIZE, (120, 120, 120))
    with Image.open(photograph()) as opened:
        picture.paste(opened.resize((300, 351)), (160, 60))
    return np.asarray(picture)


def write_clip(file: Path, count: int) -> None:
    """Writes a video at 30 frames a second, in which the face moves to and fro."""
    still = one_face()
    with av.open(str(file), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "60"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for number in range(count):
            moved = np.roll(still, round(40 * np.sin(number / 20)), axis=1)
            container.mux(video.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(video.encode())


def percentiles(way: Callable[[], object], repeats: int, of: int = 1) -> Row:
    """Returns the median and the 95th percentile of the milliseconds that something takes, once it is warm.

    And the median of the processor's time, of all threads: that says more where other programs run at once.

    Args:
        way: what is timed.
        repeats: how often.
        of: how many things it does, for the time of one.
    """
    for _ in range(min(repeats, 5)):
        way()
    taken, computed = [], []
    for _ in range(repeats):
        started, before = time.perf_counter(), time.process_time()
        way()
        taken.append((time.perf_counter() - started) * 1e3 / of)
        computed.append((time.process_time() - before) * 1e3 / of)
    figures = {"p50": np.percentile(taken, 50), "p95": np.percentile(taken, 95), "CPU": np.percentile(computed, 50)}
    return {name: f"{value:.3g} ms" for name, value in figures.items()}
