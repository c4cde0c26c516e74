"""4. How time and memory grow with the data set."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lightning as L
import torch

from benchmarks.side_by_side import markdown
from fer_lightning.data import FERDataModule
from fer_lightning.data.cache import keep
from fer_lightning.data.demo import drawn
from fer_lightning.data.faces import Faces, Reading
from fer_lightning.data.source import read_faces
from fer_lightning.models import DeepEmotionClassifier

SIZES = (10_000, 36_000, 150_000, 500_000)
STEPS = 50


def table() -> str:
    rows = []
    for size in SIZES:
        # A process each: what was freed stays with a process.
        result = subprocess.run(
            [sys.executable, "-m", "benchmarks.growth", str(size)], capture_output=True, text=True, check=True
        )
        setup, step, megabytes = map(float, result.stdout.split()[-3:])
        rows.append(
            {
                "faces": f"{size:,}",
                "setup (splits, copies, mean)": f"{setup:.1f} s",
                f"a step of Deep_Emotion, of {STEPS}": f"{step * 1e3:.0f} ms",
                "so an epoch": f"{step * size / 128:.0f} s",
                "peak memory": f"{megabytes:,.0f} MB",
            }
        )
    return markdown("How it grows", rows)


def measured(size: int) -> tuple[float, float, float]:
    """Seconds of setup, seconds a step, peak memory in MB, for so many copies of the demo faces."""
    faces = read_faces(drawn())
    rows = torch.arange(size) % len(faces)
    many = Faces(faces.images[rows], faces.labels[rows], faces.parts[rows], rows + 1, faces.part_names)
    with tempfile.TemporaryDirectory() as name:
        csv = Path(name) / "fer2013.csv"
        csv.write_text("emotion,pixels,Usage\n")
        stat = csv.stat()
        keep(Reading(many, "copies", 0, ()), csv, f"{stat.st_size} bytes, changed {stat.st_mtime_ns}")
        del many
        started = time.perf_counter()
        data = FERDataModule(csv)
        data.setup()
        setup = time.perf_counter() - started
        model = DeepEmotionClassifier(channels_last=True, optimizer=lambda p: torch.optim.SGD(p, 0.01))
        options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = L.Trainer(
            max_steps=STEPS, accelerator="cpu", limit_val_batches=0, enable_model_summary=False, **options
        )
        started = time.perf_counter()
        trainer.fit(model, data)
        step = (time.perf_counter() - started) / STEPS
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return setup, step, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    print(*measured(int(sys.argv[1])))
