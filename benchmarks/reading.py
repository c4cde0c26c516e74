"""1. Reading fer2013.csv: this project, cold and warm, against torchvision's FER2013, pandas and np.fromstring."""

import csv
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torchvision.datasets.fer2013
from torchvision.datasets import FER2013

from benchmarks.side_by_side import markdown, medians, timed
from fer_lightning.data.source import read_faces


def table(file: Path, repeats: int = 3) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fer2013").mkdir()
        copy = folder / "fer2013" / "fer2013.csv"
        shutil.copy(file, copy)
        os.environ["FER_LIGHTNING_CACHE"] = str(folder / "cache")
        cache = copy.parent / ".fer_lightning"

        def cold() -> object:
            shutil.rmtree(cache, ignore_errors=True)
            return read_faces(copy)

        def warm() -> object:
            return int(read_faces(copy).images[::16].sum())  # touched, not only mapped

        ways: dict[str, Callable[[], object]] = {
            "fer_lightning, first read": cold,
            "fer_lightning, from its cache": warm,
            "torchvision.datasets.FER2013": lambda: by_torchvision(folder),
            "pandas and str.split": lambda: by_pandas(copy),
            "csv and np.fromstring a row": lambda: by_numpy(copy),
        }
        seconds = medians({name: timed(way) for name, way in ways.items()}, repeats, warm_up=0)
        reference = seconds["torchvision.datasets.FER2013"]
        rows = [
            {
                "reader": way,
                "seconds": f"{seconds[way]:.2f}",
                "times torchvision's speed": f"{reference / seconds[way]:.1f}",
                "peak memory added": f"{peak_megabytes(ways[way]):,.0f} MB",
            }
            for way in ways
        ]
    return markdown(f"Reading {file.stat().st_size / 1e6:,.0f} MB of CSV", rows)


def by_torchvision(root: Path) -> object:
    """Of its Training rows alone; whatever copy of the data it is, so without its MD5 sum."""
    torchvision.datasets.fer2013.check_integrity = lambda *_, **__: True
    return FER2013(root, split="train")


def by_pandas(file: Path) -> object:
    table = pd.read_csv(file)
    return np.stack([np.array(text.split(" "), dtype=np.uint8) for text in table["pixels"]])


def by_numpy(file: Path) -> object:
    with file.open(newline="") as stream:
        return np.stack([np.fromstring(row["pixels"], dtype=np.uint8, sep=" ") for row in csv.DictReader(stream)])


def peak_megabytes(way: Callable[[], object]) -> float:
    """What a process of its own needs at most for this, beyond what it had before."""
    if sys.platform == "win32":
        return float("nan")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=_measured, args=(way, results))
    process.start()
    peak = float(results.get())
    process.join()
    return peak


def _measured(way: Callable[[], object], results: "multiprocessing.queues.SimpleQueue[float]") -> None:
    unit = 1e6 if sys.platform == "darwin" else 1e3
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    way()
    results.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit)
