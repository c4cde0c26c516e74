"""How many pictures a server answers, and how soon: python -m benchmarks.serve [--model FILE.onnx] [--seconds 120]

Clients ask one after the other without a pause. Each answer is compared with what the picture's is: none may be lost,
or be another's.
"""

import argparse
import asyncio
import io
import math
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from benchmarks.clips import Row, one_face
from fer_lightning.use.predictor import Predictor

CLIENTS = (1, 8, 64)

PICTURES = 16
"""Different ones, each with the face in another place."""

APART = 8
"""Pixels from one picture's face to the next one's: by it, an answer to another's picture is seen."""

WARM_S = 2.0
"""Seconds before the first reading of memory."""


@dataclass
class Load:
    """What a number of clients met with."""

    taken_s: list[float] = field(default_factory=list)
    busy: int = 0
    lost: int = 0
    wrong: int = 0


def load_table(model: str, seconds: float, clients: tuple[int, ...] = CLIENTS) -> list[Row]:
    """Returns a row for each number of clients: requests a second, how long they took, and the server's memory."""
    bodies = [jpeg(np.roll(one_face(), APART * number, axis=1)) for number in range(PICTURES)]
    expected = [one_answer(Predictor(model), body) for body in bodies]
    option = ["--model" if model.endswith(".onnx") else "--network", model]
    command = [sys.executable, "-m", "fer_lightning.use.serve", "--port", "0", *option]
    rows = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as server:
        assert server.stdout
        address = server.stdout.readline().strip()
        try:
            for count in clients:
                load, memory = asyncio.run(measured(address, bodies, expected, count, seconds, server.pid))
                milliseconds = 1000 * np.array(load.taken_s)
                rows.append(
                    {
                        "serve": f"{count} client{'s' * (count > 1)}",
                        "requests/s": f"{len(load.taken_s) / seconds:.1f}",
                        "p50": f"{np.percentile(milliseconds, 50):.1f} ms",
                        "p99": f"{np.percentile(milliseconds, 99):.1f} ms",
                        "busy": str(load.busy),
                        "lost": str(load.lost),
                        "another's": str(load.wrong),
                        "memory, then": f"{memory[0]:.0f} MB, {memory[1]:.0f} MB",
                    }
                )
        finally:
            server.send_signal(signal.SIGTERM)
    return rows


async def measured(
    address: str, bodies: list[bytes], expected: list[list[float]], count: int, seconds: float, pid: int
) -> tuple[Load, tuple[float, float]]:
    """Returns what so many clients met with, and the server's memory early and at the end, in MB."""
    load = Load()
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as http:
        until = time.perf_counter() + seconds
        asking = [asyncio.create_task(ask(http, bodies, expected, number, until, load)) for number in range(count)]
        await asyncio.sleep(min(WARM_S, seconds / 2))
        early = resident_mb(pid)
        await asyncio.gather(*asking)
        return load, (early, resident_mb(pid))


async def ask(
    http: httpx.AsyncClient, bodies: list[bytes], expected: list[list[float]], number: int, until: float, load: Load
) -> None:
    """Asks until the time is over, picture after picture."""
    while (began := time.perf_counter()) < until:
        number = (number + 1) % len(bodies)
        try:
            response = await http.post("predict", content=bodies[number])
        except httpx.HTTPError:
            load.lost += 1
            continue
        if response.status_code == 503:
            load.busy += 1
            await asyncio.sleep(float(response.headers["retry-after"]))
            continue
        load.taken_s.append(time.perf_counter() - began)
        found = [face["x"] for face in response.json()["faces"]]
        load.wrong += len(found) != len(expected[number]) or not np.allclose(found, expected[number], atol=APART / 4)


def one_answer(predictor: Predictor, body: bytes) -> list[float]:
    """Returns where the faces of a picture are, in pixels from the left."""
    with Image.open(io.BytesIO(body)) as picture:
        return [face.detection.x for face in predictor.faces(picture)]


def jpeg(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def resident_mb(pid: int) -> float:
    """Returns the memory of a process that is in use; not a number where there is no /proc."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:")), math.nan)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="small", help="an exported file, or a network of the package (small)")
    parser.add_argument("--seconds", type=float, default=120, help="for each number of clients (120)")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}", flush=True)
    rows = load_table(given.model, given.seconds)
    from benchmarks.side_by_side import markdown  # which imports torch: not while a server is measured

    print(markdown("Serve", rows))


if __name__ == "__main__":
    main()
