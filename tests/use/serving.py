"""What tests of serving share: a server as people start it, pictures as files, and bodies of requests."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.scripts import REPOSITORY


class Served:
    """A server that runs.

    Args:
        process: that serves.
        address: of its page, as it was printed.
    """

    def __init__(self, process: "subprocess.Popen[str]", address: str) -> None:
        self.process = process
        self.printed = address
        self.address, _, self.fragment = address.partition("#")
        self.port = int(self.address.rstrip("/").rpartition(":")[2])

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stream"

    def predict(self, content: bytes, **options: Any) -> httpx.Response:
        return httpx.post(f"{self.address}predict", content=content, timeout=60, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"{self.address}{path}", timeout=60, **options)


@contextmanager
def served(model: Path, *options: str) -> Iterator[Served]:
    """Yields a server with a network at a free port; it must end by itself when it is asked to."""
    command = [sys.executable, "-m", "fer_lightning.use.serve", "--port", "0", "--model", str(model), "--threads", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *options], cwd=REPOSITORY, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            assert address.startswith("http"), process.communicate()
            yield Served(process, address)
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=60)
        assert errors == "", errors  # pytest shows no values of asserts in here
        if os.name != "nt":  # where nothing can ask a process to end
            assert process.returncode == 0


def encoded(pixels: NDArray[np.uint8] | Image.Image, form: str = "PNG") -> bytes:
    """Returns a picture as the content of a file."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


def predicted(file: Path, model: Path) -> dict[str, Any]:
    """Returns what predict.py says of a picture."""
    command = [sys.executable, "predict.py", str(file), "--model", str(model), "--json"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(result.stdout.splitlines()[1]))
