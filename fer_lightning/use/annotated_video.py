"""Writes a video again with its faces marked: H.264 that every browser plays, the times of its frames, and its sound.

While it grows it is a fragmented MP4 without sound, which plays however the program ends. Once it is complete it is
copied, packet by packet, next to the sound of the source, with its index in front.
"""

import heapq
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.files import written_whole
from fer_lightning.use.annotation import annotated
from fer_lightning.use.faces import Answer, Frame
from fer_lightning.use.videos import moving_pictures

log = logging.getLogger(__name__)

TIME_BASE = Fraction(1, 90_000)
"""Seconds: unit of the times of a camera's frames."""

ENCODING = {"preset": "veryfast", "crf": "20", "g": "60", "bf": "0"}
"""Of x264: quick, good to look at, a place to jump to every 60 frames, and frames in the order of their times."""

GROWING = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}

COMPLETE = {"movflags": "faststart"}


class AnnotatedVideo:
    """Writes one video.

    Args:
        file: ends in .mp4; its folder is made.
        source: the path of the video, whose sound is copied and whose unit of time is taken; None for a camera.
        colours: of the classes, and of "unsure".
    """

    def __init__(self, file: Path, source: Path | None, colours: Mapping[str, str]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file, self._source, self._colours = file, source, colours
        self._time_base = _time_base(source)
        self._container = av.open(file, "w", format="mp4", options=GROWING)
        self._stream: VideoStream | None = None
        self._size = (0, 0)  # of the frames; the video's is even
        self._last = -1

    def write(self, answer: Answer) -> None:
        if not isinstance(answer.frame, Frame):
            return
        picture = annotated(answer.frame.pixels, answer.faces, self._colours, least_side=0)
        if self._stream is None:
            self._size = picture.size
            self._stream = self._begun(picture.size)
        elif picture.size != self._size:  # of a stream that changes on its way
            picture = picture.resize(self._size, Image.Resampling.BILINEAR)
        frame = av.VideoFrame.from_ndarray(_even(np.asarray(picture)), format="rgb24")
        # Two frames never have the same time: what is shown for no time would be lost.
        self._last = max(self._last + 1, round((answer.frame.time_s or 0) / self._time_base))
        frame.pts, frame.time_base = self._last, self._time_base
        self._container.mux(self._stream.encode(frame))

    def close(self, stopped: bool = False) -> None:
        """Completes the video; stopped: the sound ends with the frames that there are."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
        if self._stream is None:
            self.file.unlink(missing_ok=True)
            return
        end_s = float(self._last * self._time_base) if stopped else None
        with written_whole(self.file) as unfinished:
            try:
                _copy(self.file, self._source, unfinished, end_s)
            except (av.FFmpegError, ValueError) as error:
                log.warning("%s is without the sound of %s: %s", self.file, self._source, error)
                _copy(self.file, None, unfinished, end_s)

    def _begun(self, size: tuple[int, int]) -> VideoStream:
        stream = self._container.add_stream("libx264", options=dict(ENCODING))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = (side + side % 2 for side in size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._time_base
        return stream


def _time_base(source: Path | None) -> Fraction:
    """Returns the unit of a source's times, so that they stay as they are."""
    if source is None:
        return TIME_BASE
    with av.open(source) as container:
        return moving_pictures(container).time_base or TIME_BASE


def _even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns an image (H, W, 3) with an even height and width, as yuv420p needs them: its edge is repeated."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _copy(video: Path, sound: Path | None, target: Path, end_s: float | None) -> None:
    """Copies the packets of a video, and of the sound of another file, into one file; end_s: the sound's last second.

    Raises:
        av.FFmpegError, ValueError: an MP4 cannot hold such a sound.
    """
    with ExitStack() as opened:
        out = opened.enter_context(av.open(target, "w", format="mp4", options=COMPLETE))
        pictures = opened.enter_context(av.open(video))
        video_in = pictures.streams.video[0]
        tracks = [_packets(pictures, video_in, out.add_stream_from_template(video_in), 0.0, None)]
        if sound is not None:
            sounds = opened.enter_context(av.open(sound))
            for sound_in in sounds.streams.audio[:1]:
                copied = out.add_stream_from_template(sound_in)
                tracks.append(_packets(sounds, sound_in, copied, _start_s(sounds), end_s))
        for _, _, packet in heapq.merge(*tracks, key=lambda entry: entry[:2]):
            out.mux(packet)


def _packets(
    container: InputContainer, stream: Stream, copied: Stream, begins_s: float, end_s: float | None
) -> Iterator[tuple[float, int, "Packet[Stream]"]]:
    """Yields a stream's packets for its copy, each with its time, in seconds from `begins_s`, and the copy's number."""
    shift = round(begins_s / (stream.time_base or 1))
    for packet in container.demux(stream):
        if packet.dts is None:  # the end
            continue
        packet.dts -= shift
        packet.pts = None if packet.pts is None else packet.pts - shift
        time_s = float(packet.dts * packet.time_base)
        if end_s is not None and time_s > end_s:
            return
        packet.stream = copied
        yield time_s, copied.index, packet


def _start_s(container: InputContainer) -> float:
    """Returns when a file's pictures start: the times of frames count from there."""
    video = moving_pictures(container)
    return float((video.start_time or 0) * (video.time_base or 0))
