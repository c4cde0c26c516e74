"""Videos as frames, by PyAV: upright, each at its time, one after the other."""

import heapq
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fer_lightning.transforms.image_file import MOST_PIXELS
from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.paths import reason_of

DEMUXERS = "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,mxf,dv,ivf,yuv4mpegpipe,nut"
"""FFmpeg's forms of video that are read: others, like playlists, name further files and addresses."""

MISSING_S = 0.5
"""Seconds at the end of a video that may lack before it counts as cut short."""


def video_length(stream: IO[bytes]) -> tuple[int | None, float | None]:
    """Returns how many frames a video says it has, and seconds; None for what it does not say.

    Raises:
        ValueError: it is no video.
    """
    with _opened(stream) as (container, video):
        seconds = container.duration / av.time_base if container.duration else None
        frames = video.frames if container.format.name.startswith("mov") else None  # AVI counts its gaps as frames
        return frames or None, _duration_s(video) or seconds


def video_frames(source: str, stream: IO[bytes]) -> Iterator[Frame | Unreadable]:
    """Yields the frames of a video in the order in which they are shown, and an `Unreadable` for each that is lost.

    Args:
        source: the name that the frames get.
        stream: the video; can be sought in.
    """
    number = itertools.count()
    time_s = 0.0
    try:
        with _opened(stream) as (container, video):
            as_shown = _AsShown()
            for frame, time_s in _timed(container, video):
                if frame is None:
                    yield Unreadable(source, "this frame is damaged", next(number), time_s)
                else:
                    yield Frame(source, next(number), time_s, as_shown(frame))
    except (av.FFmpegError, ValueError) as error:
        at = next(number)
        why = f"the video cannot be read{' from here on' if at else ''}: {reason_of(error)}"
        yield Unreadable(source, why, *((at, time_s) if at else (None, None)))
        return
    if next(number) == 0:
        yield Unreadable(source, "the video has no frames")


def moving_pictures(container: InputContainer) -> VideoStream:
    """Returns the pictures of a video, which its cover is not, though it may come first.

    Raises:
        ValueError: there are none.
    """
    video = next((one for one in container.streams.video if not one.disposition & Disposition.attached_pic), None)
    if video is None:
        raise ValueError("there are no moving pictures in it")
    return video


@contextmanager
def _opened(stream: IO[bytes]) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Yields a video and its stream of pictures, and closes the video.

    Raises:
        ValueError: FFmpeg knows no such form, or there are no moving pictures in it.
    """
    try:
        container = av.open(stream, "r", options={"format_whitelist": DEMUXERS}, metadata_errors="replace")
    except av.FFmpegError as error:
        raise ValueError(reason_of(error)) from error
    with container:
        video = moving_pictures(container)
        if video.width * video.height > MOST_PIXELS:
            raise ValueError(f"{video.width}x{video.height}: more than {MOST_PIXELS:,} pixels")
        video.thread_type = "AUTO"
        yield container, video


def _timed(container: InputContainer, video: VideoStream) -> Iterator[tuple[VideoFrame | None, float]]:
    """Yields the frames as they are shown, with seconds from the video's start; None for one that cannot be decoded.

    Which one is lost, its time tells: no frame comes out of the decoder with the time of its packet. Some forms also
    have packets without a frame of their own, of which the decoder does not complain. If it complains of one of the
    last packets, those after it are taken as lost: PyAV then has no way to the frames that are still in the decoder.

    Raises:
        ValueError: no more packets came, long before the end that the video says it has.
    """
    base = video.time_base or Fraction(1, av.time_base)
    step = 1 / video.average_rate if video.average_rate else Fraction(1, 25)
    start, time, end = video.start_time, -step, Fraction(0)
    waiting: list[int] = []  # times of the packets that have not come out as frames
    errors, has_failed, has_others = 0, False, False
    for packet in _packets(container, video):
        if packet is not None and packet.pts is not None:
            heapq.heappush(waiting, packet.pts)
            end = max(end, (packet.pts + (packet.duration or 0)) * base)
        try:
            frames = video.codec_context.decode(packet)
        except av.FFmpegError:
            errors, has_failed, frames = errors + 1, True, []
        for frame in frames:
            start = start if start is not None else frame.pts or 0
            while frame.pts is not None and waiting and waiting[0] <= frame.pts:
                if (passed := heapq.heappop(waiting)) == frame.pts:
                    continue
                if errors or (has_failed and not has_others):
                    errors = max(errors - 1, 0)
                    yield None, float((passed - start) * base)
                has_others = has_others or not has_failed
            time = time + step if frame.pts is None else (frame.pts - start) * base
            yield frame, float(time)
        if packet is None or (packet.size == 0 and packet.dts is None):  # the end
            for lost in sorted(waiting):
                yield None, float((lost - (start or 0)) * base)
            waiting.clear()
    if (said := _duration_s(video)) and end and said - (seconds := float(end - (start or 0) * base)) > MISSING_S:
        raise ValueError(f"it ends after {seconds:.1f} of {said:.1f} seconds")


def _duration_s(video: VideoStream) -> float | None:
    """Returns how long the pictures of a video last, as it says itself; None if it does not: sound may last longer."""
    if video.duration is not None and video.time_base is not None:
        return float(video.duration * video.time_base)
    said = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", video.metadata.get("DURATION", ""))  # of Matroska
    return int(said[1]) * 3600 + int(said[2]) * 60 + float(said[3]) if said else None


def _packets(container: InputContainer, video: VideoStream) -> "Iterator[Packet[VideoStream] | None]":
    """Yields the packets of the video, then an empty one or None, with which a decoder gives what it still has.

    Raises:
        av.FFmpegError: the file is damaged, so that no more packets are found in it; after the None.
    """
    try:
        yield from container.demux(video)
    except av.FFmpegError:
        yield None
        raise


class _AsShown:
    """Returns a frame's pixels, uint8 (H, W, 3), turned and mirrored as a player shows them.

    A display matrix (a b u, c d v, x y w) maps x to a·x + c·y and y to b·x + d·y. It is looked up where its rotation
    changes: a frame whose side data were looked at stays in memory until Python collects its garbage.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # keeps what it prepares for a format from frame to frame
        self._rotation: int | None = None
        self._matrix = (1, 0, 0, 1)

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, _display_matrix(frame)
        pixels = np.asarray(self._reformatter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
        a, b, c, d = self._matrix
        if abs(b) > abs(a):
            pixels, a, d = pixels.transpose(1, 0, 2), c, b
        return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Returns a, b, c and d; of the matrix that changes nothing where a frame has none."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    return a, b, c, d
