"""What tests of predict.py share: how it is typed, what it wrote, and a face that walks."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd

from tests.scripts import REPOSITORY
from tests.use.sound_videos import walking

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


Predict = Callable[..., subprocess.CompletedProcess[str]]


def words(*arguments: str) -> list[str]:
    has_network = {"--network", "--run", "--model", "--help"} & {*arguments}
    network = [] if has_network else ["--model", "n.onnx"]
    return [sys.executable, str(REPOSITORY / "predict.py"), *arguments, *network]


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "faces.csv", dtype=str, keep_default_na=False)


def walking_video(file: Path, frames: int, rate: int = 25, size: tuple[int, int] = (400, 300)) -> Path:
    """Writes a video in which the photograph's face walks through the picture, with a tone."""
    return walking(file, PHOTOGRAPH, frames, rate, size)


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
