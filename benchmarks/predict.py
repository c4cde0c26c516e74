"""How fast predicting is, and how much memory it takes: python -m benchmarks.predict [--only NAME …]

Each figure is a function that returns the rows of one table: add one to TABLES, and it is measured and printed.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame
from fer_lightning.use.sources import frames, planned

SIZE = (640, 480)
"""Width and height of the pictures, in pixels."""

Row = dict[str, str]


@dataclass(frozen=True)
class Amount:
    """How often things are measured."""

    repeats: int = 200  # of what takes milliseconds
    clip_frames: int = 1000  # of a video that is timed
    long_frames: int = 30_000  # of a video that takes memory


def detect(amount: Amount) -> list[Row]:
    """Returns how long finding the faces in a picture takes: a picture with one face, and one without, seen twice."""
    pictures = {"one face": one_face(), "no face": np.full((*SIZE[::-1], 3), 120, np.uint8)}
    rows = []
    for threads in (1, 2):
        yunet = YuNet(threads=threads)
        for name, pixels in pictures.items():
            taken = percentiles(partial(yunet, Frame("a", 0, None, pixels)), amount.repeats)
            rows.append({"detect": f"{SIZE[0]}×{SIZE[1]}, {name}", "threads": str(threads)} | taken)
    return rows


def decode(amount: Amount) -> list[Row]:
    """Returns how many frames of a video are read in a second, as RGB, and how many of a folder's photographs."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, amount.clip_frames)
        started = time.perf_counter()
        count = sum(1 for _ in frames([str(clip)]))
        video = count / (time.perf_counter() - started)
        photographs = Path(folder) / "photographs"
        photographs.mkdir()
        for number in range(20):
            Image.fromarray(one_face()).save(photographs / f"{number}.jpg")
        started = time.perf_counter()
        images = sum(1 for _ in frames([folder + "/photographs"])) / (time.perf_counter() - started)
    form = f"{SIZE[0]}×{SIZE[1]}"
    return [
        {"decode": f"H.264, {form}, one face", "frames/s": f"{video:.0f}"},
        {"decode": f"JPEG, {form}", "frames/s": f"{images:.0f}"},
    ]


def memory(amount: Amount) -> list[Row]:
    """Returns the resident memory of a process after the first 1,000 frames of a long video and at its end."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "long.mp4"
        write_clip(clip, amount.long_frames)
        command = [sys.executable, "-m", "benchmarks.predict", "--read", str(clip)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    count, early, late, most = done.stdout.split()
    return [
        {
            "memory": f"reading {int(count):,} frames of {SIZE[0]}×{SIZE[1]}",
            "after 1,000 frames": f"{float(early):.0f} MB",
            "at the end": f"{float(late):.0f} MB",
            "at most after 1,000": f"{float(most):.0f} MB",
        }
    ]


TABLES: dict[str, Callable[[Amount], list[Row]]] = {"detect": detect, "decode": decode, "memory": memory}


def one_face() -> NDArray[np.uint8]:
    """Returns a picture of 640×480 with the face of matplotlib's photograph in it, about 100 pixels wide."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    picture = Image.new("RGB", SIZE, (120, 120, 120))
    with Image.open(Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg") as photograph:
        picture.paste(photograph.resize((300, 351)), (160, 60))
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


def percentiles(way: Callable[[], object], repeats: int) -> Row:
    """Returns the median and the 95th percentile of the milliseconds that something takes, once it is warm.

    And the median of the processor's time, of all threads: that says more where other programs run at once.
    """
    for _ in range(5):
        way()
    taken, computed = [], []
    for _ in range(repeats):
        started, before = time.perf_counter(), time.process_time()
        way()
        taken.append((time.perf_counter() - started) * 1e3)
        computed.append((time.process_time() - before) * 1e3)
    figures = {"p50": np.percentile(taken, 50), "p95": np.percentile(taken, 95), "CPU": np.percentile(computed, 50)}
    return {name: f"{value:.1f} ms" for name, value in figures.items()}


def resident_megabytes() -> float:
    """Returns the memory that this process has now; Linux alone tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS"))


def read(clip: str) -> None:
    """Prints how many frames a video has, and this process's memory after 1,000, at the end, and at most between."""
    early = most = 0.0
    count = 0
    (source,) = planned([clip])
    for count, _ in enumerate(source.frames(), start=1):
        if count == 1000:
            early = most = resident_megabytes()
        elif count > 1000 and count % 200 == 0:
            most = max(most, resident_megabytes())
    print(count, early, resident_megabytes(), most)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description="Speed and memory of predicting.")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES), help="some of the tables")
    parser.add_argument("--read", metavar="CLIP", help=argparse.SUPPRESS)  # a process for itself, of `memory`
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    from benchmarks.side_by_side import markdown  # which imports torch: that would count in `memory`

    print(f"{platform.processor() or platform.machine()}; Python {platform.python_version()}, av {av.__version__}")
    for name in given.only:
        print(markdown(name.capitalize(), TABLES[name](Amount())), flush=True)


if __name__ == "__main__":
    main()
