"""A command begins without searching its imports for garbage, and ends without searching what is left."""

import contextlib
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from fer_lightning.commands.console import imports_uncollected
from tests.scripts import REPOSITORY

ENDING = """
import atexit, logging.handlers, threading, time
from fer_lightning.processes import end_quickly
atexit.register(print, "registered")
file = logging.handlers.MemoryHandler(10, target=logging.FileHandler({log!r}))
logging.getLogger().addHandler(file)
logging.warning("kept until the end")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
{end}
"""


@pytest.mark.parametrize(("end", "status"), [("end_quickly()", 0), ("raise SystemExit(3)", 3)])
def test_what_was_begun_is_done_before_the_end(end: str, status: int, tmp_path: Path) -> None:
    program = ENDING.format(log=str(tmp_path / "log"), end=end)
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (status, ["thread", "registered"], "")
    assert (tmp_path / "log").read_text() == "kept until the end\n"


def test_what_is_left_in_memory_is_not_searched() -> None:
    program = "from fer_lightning.processes import end_quickly\n"
    program += "class Left:\n    def __del__(self): print('searched')\nleft = Left()\nleft.itself = left\n"
    outputs = [
        subprocess.run([sys.executable, "-c", program + end], cwd=REPOSITORY, capture_output=True, text=True).stdout
        for end in ("", "end_quickly()")
    ]
    assert outputs == ["searched\n", ""]


def test_garbage_is_collected_again_after_the_imports() -> None:
    with contextlib.suppress(ImportError), imports_uncollected():
        collecting = gc.isenabled()
        raise ImportError
    assert (collecting, gc.isenabled()) == (False, True)
