"""A webcam as frames: always the newest one, so that nothing lags behind. No camera has been tried with it yet."""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.paths import reason_of

PATIENCE_S = 10.0
"""How long a camera may take for a frame, in seconds."""

Item = TypeVar("Item")


class CameraForm(NamedTuple):
    """FFmpeg's form of camera on a system, its name for a device, and its options."""

    name: str
    device: Callable[[str], str]
    options: dict[str, str]


FORMS = {
    "linux": CameraForm("v4l2", lambda device: f"/dev/video{device}" if device.isdecimal() else device, {}),
    # Its own default, 29.97 frames a second, is refused by most cameras.
    "darwin": CameraForm("avfoundation", lambda device: f"{device}:none", {"framerate": "30"}),
    "win32": CameraForm("dshow", lambda device: f"video={device}", {}),  # by name: Windows has no numbers for cameras
}


def webcam_frames(source: str, device: str) -> Iterator[Frame | Unreadable]:
    """Yields the newest frame of a camera, whenever the next is asked for, until the iterator is closed.

    A frame's number counts all that the camera gave, also those that nobody asked for.

    Args:
        source: the name that the frames get.
        device: its number, as in /dev/video0; or the system's name for it.
    """
    reformatter = VideoReformatter()
    start: float | None = None
    number = None
    try:
        if sys.platform not in FORMS:
            raise ValueError(f"cameras are not known on {sys.platform}")
        for number, (taken, frame) in newest(_camera_frames(FORMS[sys.platform], device)):
            start = taken if start is None else start
            pixels = np.asarray(reformatter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
            yield Frame(source, number, taken - start, pixels)
    except (av.FFmpegError, OSError, ValueError) as error:
        why = f"the camera cannot be read ({reason_of(error)}): is one connected, and used by nothing else?"
        yield Unreadable(source, why, None if number is None else number + 1)


def newest(items: Iterable[Item]) -> Generator[tuple[int, Item], None, None]:
    """Yields, whenever the next is asked for, the newest item with its number, each once; waits if it was given.

    A thread goes through the items as fast as they come, and holds none but the last. Closing this iterator ends it.

    Raises:
        TimeoutError: none comes for ten seconds.
        Exception: what the items raise, once the last of them was given.
    """
    reader = _Reader(items)
    reader.start()
    try:
        while (item := reader.latest()) is not None:
            yield item
    finally:
        reader.stopped = True
        reader.join(PATIENCE_S)


class _Reader(threading.Thread, Generic[Item]):
    def __init__(self, items: Iterable[Item]) -> None:
        super().__init__(daemon=True)  # a camera that hangs does not keep the process
        self.items, self.stopped, self.ended = items, False, False
        self.failure: Exception | None = None
        self._latest: tuple[int, Item] | None = None
        self._changed = threading.Condition()

    def run(self) -> None:
        items = iter(self.items)
        try:
            for numbered in enumerate(items):
                with self._changed:
                    self._latest = numbered
                    self._changed.notify()
                if self.stopped:
                    break
        except Exception as error:
            self.failure = error
        finally:
            if hasattr(items, "close"):
                items.close()
            with self._changed:
                self.ended = True
                self._changed.notify()

    def latest(self) -> tuple[int, Item] | None:
        """Returns the newest item, once; None when there are no more."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._latest is not None or self.ended, PATIENCE_S):
                raise TimeoutError(f"no frame for {PATIENCE_S:.0f} seconds")
            item, self._latest = self._latest, None
        if item is None and self.failure is not None:
            raise self.failure
        return item


def _camera_frames(form: CameraForm, device: str) -> Iterator[tuple[float, VideoFrame]]:
    """Yields what a camera gives, and when, in seconds of the system's clock; a damaged frame is passed over."""
    with av.open(form.device(device), format=form.name, options=form.options) as camera:
        while True:
            try:
                for packet in camera.demux(video=0):
                    try:
                        decoded = packet.decode()
                    except av.InvalidDataError:
                        continue
                    for frame in decoded:
                        if isinstance(frame, VideoFrame):
                            yield time.monotonic(), frame
                return
            except av.BlockingIOError:  # of macOS: no new frame yet
                time.sleep(0.005)
