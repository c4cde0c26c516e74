"""From the command to the first step and to the help page, and from the last epoch to the prompt."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.side_by_side import markdown, medians

TRAIN = Path(__file__).parent.parent / "train.py"


def table(repeats: int = 3) -> str:
    one_step = ("trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "trainer.max_epochs=1")
    ways = {
        "python train.py --help": lambda: _seconds("--help"),
        "python train.py --cfg job": lambda: _seconds("--cfg", "job"),
        "python train.py, to the line after an epoch of one step": lambda: _seconds(*one_step, until="epoch "),
        "python train.py, from its last epoch to the prompt": lambda: _seconds(*one_step, since="epoch "),
    }
    return markdown(
        "Starting", [{"command": way, "seconds": f"{value:.1f}"} for way, value in medians(ways, repeats).items()]
    )


def _seconds(*arguments: str, since: str = "", until: str = "") -> float:
    """Measures from the command or a line that starts so, to another or the end."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        command = [sys.executable, str(TRAIN), *arguments]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            assert run.stdout is not None
            for line in run.stdout:
                if since and line.startswith(since):
                    started = time.perf_counter()
                if until and line.startswith(until):
                    seconds = time.perf_counter() - started
                    run.kill()
                    return seconds
        if until or run.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with status {run.returncode} before it printed {until!r}")
        return time.perf_counter() - started
