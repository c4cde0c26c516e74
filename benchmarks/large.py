"""5. A set that is larger than memory: photographs of 224×224 in colour, kept as the bytes of their files."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks import ours, people
from benchmarks.side_by_side import markdown, peak_megabytes
from fer_lightning.data import FERDataModule
from fer_lightning.data.cache import cache_dir
from fer_lightning.data.drawings.demo import drawn
from fer_lightning.data.faces import EMOTIONS
from fer_lightning.data.readers.source import read_faces

SIZE = 224
"""Height and width of the photographs."""

DRAWN = 300
"""Pictures that all of them are made from, each moved and lit another way."""

COUNT = 40
"""Batches of 128 photographs that each way makes at a time."""

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

WAYS = ("fer_lightning, first read", "fer_lightning, from its cache", "ImageFolder, PIL, 2 workers")


def table(photographs: int, repeats: int = 3) -> str:
    """Returns the table of each way, a process each time; the ways take turns, and what is shown is the median."""
    folder = made(photographs)
    measured: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for turn in range(repeats):
        for way in WAYS:
            if way == WAYS[0]:
                if turn:
                    continue  # which takes minutes
                shutil.rmtree(folder / ".fer_lightning", ignore_errors=True)
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.large", way, str(folder)]
            environment = {**os.environ, "PYTHONPATH": str(ours.CONF.parent)}
            result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            measured[way].append([float(number) for number in result.stdout.split()[-5:]])
    rows = []
    for way, turns in measured.items():
        setup, first, plain, normalised, megabytes = (statistics.median(values) for values in zip(*turns, strict=True))
        rows.append(
            {
                "way": way,
                "start": f"{setup:.1f} s",
                "to the first batch": f"{first:.1f} s",
                "images/s as uint8": f"{plain:,.0f}",
                "images/s normalised": f"{normalised:,.0f}",
                "peak memory of the process": f"{megabytes:,.0f} MB",
            }
        )
    return markdown(f"{photographs:,} photographs of {SIZE}×{SIZE} in colour, fed alone, batches of 128", rows)


def made(count: int) -> Path:
    """Returns a folder of this many JPEGs in the seven classes, made when it is first asked for."""
    folder = cache_dir() / f"photographs-{count}-v1"
    if not (folder / "all").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("train", "test"):
            for name in EMOTIONS:
                (folder / part / name).mkdir(parents=True)
        pictures = list(_pictures())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda number: _write(folder, number, pictures), range(count)):
                pass
        (folder / "all").touch()
    return folder


def _pictures() -> Iterator[NDArray[np.uint8]]:
    """Yields drawn faces before a coloured background, with the noise of a camera: uint8 (256, 256, 3)."""
    rng, faces = np.random.default_rng(0), read_faces(drawn())
    for row in range(DRAWN):
        face = Image.fromarray(faces.images[row][0].numpy()).resize((256, 256), Image.Resampling.BICUBIC)
        blurred = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((256, 256))
        grey, colour = np.asarray(face, np.float32)[..., None], np.asarray(blurred, np.float32)
        yield (0.7 * grey + 0.3 * colour + rng.normal(0, 5, (256, 256, 3))).clip(0, 255).astype(np.uint8)


def _write(folder: Path, number: int, pictures: list[NDArray[np.uint8]]) -> None:
    rng = np.random.default_rng(number)
    left, top, light = rng.integers(0, 256 - SIZE), rng.integers(0, 256 - SIZE), rng.integers(-40, 40)
    cut = pictures[number % DRAWN][top : top + SIZE, left : left + SIZE].astype(np.int16) + light
    part, name = "test" if number % 10 == 9 else "train", EMOTIONS[number % len(EMOTIONS)]
    Image.fromarray(cut.clip(0, 255).astype(np.uint8)).save(folder / part / name / f"{number:07d}.jpg", quality=85)


def fed_by_us(folder: Path) -> tuple[float, ...]:
    """Returns the seconds of a start, those to the first batch, and images a second, as uint8 and normalised."""
    started = time.perf_counter()
    data = FERDataModule(folder, size=SIZE, channels=3, keep="encoded")
    data.setup()
    setup = time.perf_counter() - started
    ours.seconds_of_batches(data, 1)
    first = time.perf_counter() - started
    count = min(COUNT, len(data.train_dataloader()) - 1)
    seconds = people.seconds_of_batches(data.train_dataloader(), count), ours.seconds_of_batches(data, count)
    return setup, first, *(count * data.batch_size / taken for taken in seconds)


def fed_by_image_folder(folder: Path, workers: int = 2) -> tuple[float, ...]:
    """Returns the same of torchvision's ImageFolder and a DataLoader."""
    started = time.perf_counter()
    normalised = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    loader = people.loader(ImageFolder(str(folder / "train"), normalised), workers)
    setup = time.perf_counter() - started
    next(iter(loader))
    first = time.perf_counter() - started
    plain = people.loader(ImageFolder(str(folder / "train"), transforms.PILToTensor()), workers)
    count = min(COUNT, len(loader) - 1)
    return setup, first, *(count * 128 / people.seconds_of_batches(each, count) for each in (plain, loader))


def main(way: str, folder: Path) -> None:
    """Prints what `fed_by_us` returns, and peak memory in MB."""
    figures = fed_by_image_folder(folder) if way == WAYS[2] else fed_by_us(folder)
    print(*figures, peak_megabytes())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
