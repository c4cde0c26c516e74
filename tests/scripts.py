"""train.py and test.py as a user starts them: each in a process and a folder of its own, with an output and a status.

These processes are forked from one that has imported torch and Lightning, which takes longer than most tests.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["fer_lightning.commands.train", "fer_lightning.commands.test", "torch._dynamo"])


def run_in(folder: Path, script: str, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """What `python script arguments` prints in a folder, and its exit status.

    Raises:
        TimeoutError: it takes longer than so many seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        printed = [Path(name) / stream for stream in ("stdout", "stderr")]
        process = SERVER.Process(target=_run, args=(folder, script, arguments, dict(os.environ), printed))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{script} {' '.join(arguments)} takes longer than {timeout:.0f} s")
        output, errors = (file.read_text("utf-8") for file in printed)
    return subprocess.CompletedProcess([script, *arguments], process.exitcode, output, errors)


def run_afresh(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same without the server: for a command that shares out threads, which torch has counted by then."""
    command = [sys.executable, str(REPOSITORY / script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def run_until(
    line: str, then: Callable[[int], object], folder: Path, *arguments: str, before: Callable[[], object] | None = None
) -> tuple[int, str]:
    """Exit status and output of train.py, to which `then`, with its process id, is done at the line that starts so.

    Started afresh; `before` is called in its process before all else.
    """
    command = [sys.executable, str(REPOSITORY / "train.py"), *arguments]
    printed = ""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=before
    ) as process:
        assert process.stdout is not None
        for one in process.stdout:
            printed += one
            if one.startswith(line):
                then(process.pid)
    return process.returncode, printed


def _run(
    folder: Path, script: str, arguments: tuple[str, ...], environment: dict[str, str], printed: list[Path]
) -> None:
    for stream, file in enumerate(printed, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(REPOSITORY))
    sys.argv = [str(REPOSITORY / script), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")
