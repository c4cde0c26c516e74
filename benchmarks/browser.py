"""How many frames of a camera the page without a server looks at in a second: python -m benchmarks.browser

In a headless Chromium, with a camera that shows a picture of 640×480 with one face in it again and again, moved a
little each time. Needs npm, which fetches what the page runs in, and Chromium.
"""

import argparse
import http.server
import os
import platform
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips import Row, one_face
from benchmarks.serve import jpeg
from benchmarks.side_by_side import markdown
from fer_lightning.use.network import packaged
from fer_lightning.use.web import write_page
from tests.devtools import Tab, chromium

FRAMES = 60
"""Pictures in the camera's loop: two seconds, then it starts again."""


def page_table(networks: tuple[str, ...], seconds: float) -> list[Row]:
    """Returns for each network how soon the first frame is answered, and how many are in a second after that."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        camera = Path(name) / "camera.mjpeg"
        shifts = [4 * abs(FRAMES // 2 - number) for number in range(FRAMES)]
        camera.write_bytes(b"".join(jpeg(np.roll(one_face(), shift, axis=1)) for shift in shifts))
        for network in networks:
            folder = Path(name) / network
            write_page(folder, network)
            serve = partial(_SilentHandler, directory=str(folder))
            with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as host:
                threading.Thread(target=host.serve_forever, daemon=True).start()
                options = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
                with chromium(*options, f"--use-file-for-fake-video-capture={camera}") as tab:
                    first, rate, speed = _watched(tab, f"http://127.0.0.1:{host.server_address[1]}/", seconds)
                host.shutdown()
            rows.append(
                {
                    "page without a server": f"640×480, one face, by {network}",
                    "from opening it to the first answer": f"{first:.1f} s",
                    "frames/s": f"{rate:.1f}",
                    "shown by the page": speed,
                }
            )
    return rows


def _watched(tab: Tab, address: str, seconds: float) -> tuple[float, float, str]:
    """Returns the seconds from opening the page to the first answer, answers a second, and the page's words."""
    opened = time.perf_counter()
    tab.open(address)
    tab.click("#camera")
    answered = "parseInt(document.querySelector('#rows').textContent)"
    tab.wait_for(f"{answered} > 0", seconds=60)
    first = time.perf_counter() - opened
    before, began = tab.value(answered), time.perf_counter()
    time.sleep(seconds)
    rate = (tab.value(answered) - before) / (time.perf_counter() - began)
    return first, rate, tab.text("#speed")


class _SilentHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=packaged(), default=["small"], help="of the package (small)")
    parser.add_argument("--seconds", type=float, default=20, help="to count for (20)")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    print(markdown("In the browser", page_table(tuple(given.networks), given.seconds)))


if __name__ == "__main__":
    main()
