"""Trains again and again in one process and looks whether anything grows: python -m tests.soak [MINUTES]

What it prints goes into docs/reliability.md.
"""

import gc
import os
import shutil
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import torch

from benchmarks.ours import composed
from fer_lightning.data.drawings.demo import drawn
from tests.stopped_runs import BASE, fitted, run_folder

WARM_UP = 10
"""Trainings before the first look: caches fill, allocators settle."""


def main(minutes: float) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["FER_LIGHTNING_CACHE"] = name
        options = (*BASE, f"data.path={drawn(faces=240, seed=1)}", "trainer.max_epochs=1")
        end, trainings = time.monotonic() + 60 * minutes, 0
        print("trainings  resident MB  open files  threads  child processes  files in the temporary folder", flush=True)
        while time.monotonic() < end or trainings <= WARM_UP:
            fitted(run_folder(partial(composed, "train", folder / "run"), folder, "soak", *options))
            shutil.rmtree(folder / "soak")
            trainings += 1
            if trainings == WARM_UP or trainings % 50 == 0:
                print(line(trainings, folder), flush=True)
        print(line(trainings, folder))


def line(trainings: int, folder: Path) -> str:
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    files = sum(len(names) for _, _, names in os.walk(folder))
    open_files = len(os.listdir("/proc/self/fd"))
    children = sum(len(file.read_text().split()) for file in Path("/proc/self/task").glob("*/children"))
    return f"{trainings:9}  {resident:11.0f}  {open_files:10}  {threading.active_count():7}  {children:15}  {files:29}"


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20)
