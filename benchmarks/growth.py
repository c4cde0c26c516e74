"""4. How time and memory grow with the data set."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks import epoch, ours
from benchmarks.side_by_side import markdown, peak_megabytes
from fer_lightning.data.cache import save_reading
from fer_lightning.data.drawings.demo import drawn
from fer_lightning.data.faces import Faces, Reading
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.source import read_faces

SIZES = (10_000, 36_000, 150_000, 500_000)
STEPS = 40


def table() -> str:
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            csv = cached_copies(size, Path(folder))
            # A process each: what was freed stays with a process.
            command = [sys.executable, "-m", "benchmarks.growth", str(csv)]
            environment = {**os.environ, "PYTHONPATH": str(ours.CONF.parent)}
            result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        setup, step, batches, megabytes = map(float, result.stdout.split()[-4:])
        rows.append(
            {
                "faces": f"{size:,}",
                "setup (config, splits, copies, mean, network)": f"{setup:.1f} s",
                "a step of Deep_Emotion": f"{step * 1e3:.0f} ms",
                "so an epoch": f"{step * batches:.0f} s",
                "peak memory of the process": f"{megabytes:,.0f} MB",
            }
        )
    return markdown("How it grows", rows)


def cached_copies(size: int, folder: Path) -> Path:
    """A CSV of so many copies of the demo faces; only its cache has any content."""
    faces = read_faces(drawn())
    rows = torch.arange(size) % len(faces)
    many = Faces(faces.images[rows], faces.labels[rows], faces.parts[rows], rows + 1, faces.part_names)
    csv = folder / "fer2013.csv"
    csv.write_text("emotion,pixels,Usage\n")
    save_reading(Reading(many, "copies", 0, ()), csv, file_identity(csv))
    return csv


def main(csv: Path) -> None:
    """Prints seconds of setup, seconds a step of train.py, batches of an epoch, and peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = epoch.short(Path(folder), csv, "deep_emotion", STEPS)
        setup = time.perf_counter() - started
        step = epoch.seconds_a_step(run)
    print(setup, step, len(run.datamodule.train_dataloader()), peak_megabytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
