"""1. Reading fer2013.csv: this project, cold and warm, against torchvision's FER2013, pandas and np.fromstring."""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from torchvision.datasets import FER2013

from benchmarks.ours import CONF
from benchmarks.side_by_side import markdown, medians, peak_megabytes, timed
from fer_lightning.data.readers.source import read_faces


def table(file: Path, repeats: int = 3) -> str:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "fer2013").mkdir()
        copy = Path(name) / "fer2013" / "fer2013.csv"
        shutil.copy(file, copy)
        ways = {what: timed(partial(read, copy)) for what, read in READERS.items()}
        seconds = medians(ways, repeats, warm_up=0)
        reference = seconds["torchvision.datasets.FER2013"]
        rows = [
            {
                "reader": what,
                "seconds": f"{seconds[what]:.2f}",
                "times torchvision's speed": f"{reference / seconds[what]:.1f}",
                "peak memory added": f"{_megabytes(what, copy):,.0f} MB",
            }
            for what in READERS
        ]
    return markdown(f"Reading {file.stat().st_size / 1e6:,.0f} MB of CSV", rows)


def cold(file: Path) -> object:
    shutil.rmtree(file.parent / ".fer_lightning", ignore_errors=True)
    return read_faces(file)


def warm(file: Path) -> object:
    return int(read_faces(file).images[::16].sum())  # touched, not only mapped


def by_torchvision(file: Path) -> object:
    """Of its Training rows alone; whatever copy of the data it is, so without its MD5 sum."""
    with patch("torchvision.datasets.fer2013.check_integrity", return_value=True):
        return FER2013(file.parent.parent, split="train")


def by_pandas(file: Path) -> object:
    table = pd.read_csv(file)
    return np.stack([np.array(text.split(" "), dtype=np.uint8) for text in table["pixels"]])


def by_numpy(file: Path) -> object:
    with file.open(newline="") as stream:
        return np.stack([np.fromstring(row["pixels"], dtype=np.uint8, sep=" ") for row in csv.DictReader(stream)])


READERS: dict[str, Callable[[Path], object]] = {
    "fer_lightning, first read": cold,
    "fer_lightning, from its cache": warm,
    "torchvision.datasets.FER2013": by_torchvision,
    "pandas and str.split": by_pandas,
    "csv and np.fromstring a row": by_numpy,
}


def _megabytes(what: str, file: Path) -> float:
    """What a process of its own needs at most for this, beyond what it had before."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.reading", what, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(CONF.parent)}
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


if __name__ == "__main__":
    before = peak_megabytes()
    READERS[sys.argv[1]](Path(sys.argv[2]))
    print(peak_megabytes() - before)
