"""train.py and test.py as a user starts them: each in a process and a folder of its own, with an output and a status.

These processes are forked from one that has imported torch and Lightning, which takes longer than most tests.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).parent.parent

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.preloaded"])


def run_in(
    folder: Path,
    script: str,
    *arguments: str,
    before: Callable[[], object] | None = None,
    drawn: bool = False,
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """Returns what `python script arguments` prints in a folder, and its exit status.

    Args:
        before: is called in its process before everything else.
        drawn: whether its charts show something. Most tests do not look at them, and they take half of the time.

    Raises:
        TimeoutError: it takes longer than that, in seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        printed = [Path(name) / stream for stream in ("stdout", "stderr")]
        process = started_in(folder, script, *arguments, printed=printed, before=before, drawn=drawn)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{script} {' '.join(arguments)} takes longer than {timeout:.0f} s")
        output, errors = (file.read_text("utf-8") for file in printed)
    return subprocess.CompletedProcess([script, *arguments], process.exitcode, output, errors)


def run_until(
    line: str, then: Callable[[int], object], folder: Path, *arguments: str, before: Callable[[], object] | None = None
) -> tuple[int, str]:
    """Returns exit status and output of train.py, to which `then`, with its process id, is done at such a line.

    Args:
        line: how the line starts.
        before: is called in its process before everything else.
    """
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "output"
        output.touch()
        process = started_in(folder, "train.py", *arguments, printed=(output, output), before=before)
        while process.exitcode is None and f"\n{line}" not in output.read_text("utf-8"):
            time.sleep(0.005)
        if process.exitcode is None and process.pid is not None:
            then(process.pid)
        process.join()
        assert process.exitcode is not None
        return process.exitcode, output.read_text("utf-8")


def run_afresh(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Does the same without the server: joblib's workers are left waiting by a process that was forked."""
    command = [sys.executable, str(REPOSITORY / script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def started_in(
    folder: Path,
    script: str,
    *arguments: str,
    printed: Sequence[Path] = (Path(os.devnull), Path(os.devnull)),
    before: Callable[[], object] | None = None,
    drawn: bool = False,
) -> ForkServerProcess:
    """Returns the process of `python script arguments`, which prints into these two files."""
    process = SERVER.Process(target=_run, args=(folder, script, arguments, dict(os.environ), printed, before, drawn))
    process.start()
    return process


def _run(
    folder: Path,
    script: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    printed: Sequence[Path],
    before: Callable[[], object] | None,
    drawn: bool,
) -> None:
    for stream, file in enumerate(printed, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if not drawn:
        _draw_nothing()
    if before is not None:
        before()
    sys.path.insert(0, str(REPOSITORY))
    sys.argv = [str(REPOSITORY / script), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _draw_nothing() -> None:
    """Makes every chart that matplotlib would draw in this process a picture of one pixel, with no axes."""
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL import Image

    undrawn: Any = _Undrawn()

    def subplots(_: Figure, rows: int = 1, columns: int = 1, squeeze: bool = True, **__: Any) -> Any:
        panels = np.empty((rows, columns), object)
        panels.fill(undrawn)
        return panels.squeeze() if squeeze else panels

    pd.Series.plot = undrawn  # type: ignore[method-assign]
    Figure.subplots = subplots  # type: ignore[method-assign, assignment]
    Figure.add_subplot = Figure.colorbar = lambda *_, **__: undrawn  # type: ignore[method-assign, assignment]
    Figure.savefig = lambda _, file, **__: Image.new("1", (1, 1)).save(file, "png")  # type: ignore[method-assign]


class _Undrawn:
    """Axes that take what is drawn on them, and forget it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self
