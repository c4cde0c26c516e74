"""How fast predicting is, and how much memory it takes: python -m benchmarks.predict [--data FILE] [--only NAME …]

Each figure is a function that returns the rows of one table: add one to TABLES, and it is measured and printed. What is
measured of the whole line, from the command to the table, is in whole_line.py, and what finding faces costs in
found_faces.py.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks import found_faces, whole_line
from benchmarks.clips import SIZE, Amount, Row, one_face, percentiles, write_clip
from fer_lightning import Predictor
from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame
from fer_lightning.use.sources import frames, planned


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
    """Returns the resident memory of a process early in a long video and at its end: reading alone, and all of it."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "long.mp4"
        write_clip(clip, amount.long_frames)
        for what, way in (("reading", "--read"), ("the whole line", "--answer")):
            command = [sys.executable, "-m", "benchmarks.predict", way, str(clip), "--early", str(amount.early_frames)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
            count, early, late, most = done.stdout.split()
            rows.append(
                {
                    "memory": f"{what}, {int(count):,} frames of {SIZE[0]}×{SIZE[1]}",
                    f"after {amount.early_frames:,} frames": f"{float(early):.0f} MB",
                    "at the end": f"{float(late):.0f} MB",
                    "at most in between": f"{float(most):.0f} MB",
                }
            )
    return rows


TABLES: dict[str, Callable[[Amount], list[Row]]] = {
    "command": whole_line.command,
    "detect": detect,
    "classify": whole_line.classify,
    "decode": decode,
    "video": whole_line.video,
    "accuracy": found_faces.accuracy,
    "margins": found_faces.margins,
    "memory": memory,
}


def resident_megabytes() -> float:
    """Returns the memory that this process has now; Linux alone tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS"))


def watch(clip: str, early_frames: int, whole: bool) -> None:
    """Prints how many frames a video has, and this process's memory after some, at the end, and at most between.

    Args:
        clip: the video.
        early_frames: after which the memory should stay as it is.
        whole: find faces and say what they show; else the frames are read alone.
    """
    early = most = 0.0
    count = 0
    seen = Predictor().answers(clip) if whole else chain.from_iterable(one.frames() for one in planned([clip]))
    for count, _ in enumerate(seen, start=1):
        if count == early_frames:
            early = most = resident_megabytes()
        elif count > early_frames and count % 200 == 0:
            most = max(most, resident_megabytes())
    print(count, early, resident_megabytes(), most)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description="Speed and memory of predicting.")
    parser.add_argument("--data", type=Path, metavar="FILE", help="FER2013, for found faces; else drawn ones")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES), help="some of the tables")
    for way in ("--read", "--answer", "--early"):  # a process for itself, of `memory`
        parser.add_argument(way, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if clip := given.read or given.answer:
        watch(clip, int(given.early), whole=bool(given.answer))
        return
    from benchmarks.side_by_side import markdown  # which imports torch: that would count in `memory`

    print(f"{platform.processor() or platform.machine()}; Python {platform.python_version()}, av {av.__version__}")
    for name in given.only:
        print(markdown(name.capitalize(), TABLES[name](Amount(data=given.data))), flush=True)


if __name__ == "__main__":
    main()
