"""Videos that tests make: frames at uneven times, and a tone."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

RATE = 48_000
"""Samples of sound a second."""

TIMES = (0, 1, 2, 4, 5, 9, 10, 11, 18, 19, 20, 30)
"""Of frames, in twentieths of a second."""


def video(
    file: Path,
    times: Sequence[int] = TIMES,
    size: tuple[int, int] = (64, 48),
    sound: str = "aac",
    time_base: Fraction = Fraction(1, 20),
    begins: int = 0,
) -> Path:
    """Writes a video whose frame N is N times 8 bright, and a tone as long; returns the file.

    Args:
        times: of the frames, in time_base.
        size: width and height.
        sound: codec of the tone; "" for none.
        begins: time of the whole, in time_base.
    """
    seconds = float((times[-1] + 1) * time_base)
    with av.open(file, "w") as out:
        pictures = out.add_stream("mpeg4", rate=round(1 / time_base))
        assert isinstance(pictures, VideoStream)
        pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
        pictures.codec_context.time_base = time_base
        if sound:
            tone = out.add_stream(sound, rate=RATE)
            assert isinstance(tone, AudioStream)
            tone.bit_rate = 64_000
            for sounding in _tone(seconds, round(float(begins * time_base) * RATE)):
                out.mux(tone.encode(sounding))
            out.mux(tone.encode())
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((*size[::-1], 3), 8 * number % 256, np.uint8), format="rgb24")
            frame.pts, frame.time_base = begins + time, time_base
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode())
    return file


def video_behind_cover(file: Path) -> Path:
    """Writes an MP4 of four frames a tenth of a second apart, which begins late and has a cover as its first stream."""
    with av.open(file, "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        pictures = out.add_stream("mpeg4", rate=10)
        assert isinstance(cover, VideoStream)
        assert isinstance(pictures, VideoStream)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 32, 24, "yuvj420p", Disposition.attached_pic
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        for stream, number in ((cover, 0), *((pictures, number) for number in range(4))):
            grey = np.full((stream.height, stream.width, 3), 20 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = number if stream is cover else 5 + number
            out.mux(stream.encode(frame))
        for stream in (cover, pictures):
            out.mux(stream.encode())
    content = bytearray(file.read_bytes())
    begin = content.index(b"moov") - 4
    end = begin + int.from_bytes(content[begin : begin + 4], "big")
    boxes, place = [], begin + 8
    while place < end:
        boxes.append(content[place : place + int.from_bytes(content[place : place + 4], "big")])
        place += len(boxes[-1])
    boxes.sort(key=lambda box: box[4:8] == b"trak")  # the cover is not in one, and so comes before the video
    content[begin + 8 : end] = b"".join(boxes)
    file.write_bytes(content)
    return file


def packets(file: Path) -> list[tuple[bytes, float]]:
    """Returns the packets of a file's sound, and their times."""
    with av.open(file) as container:
        found = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        return [(bytes(packet), float((packet.pts or 0) * packet.time_base)) for packet in found]


def same_packets(one: list[tuple[bytes, float]], other: list[tuple[bytes, float]]) -> bool:
    """Returns whether they have the same content at the same times, to a tenth of a millisecond."""
    pairs = zip(one, other, strict=True)
    return all(first == second and abs(time - same) < 1e-4 for (first, time), (second, same) in pairs)


def frame_times(file: Path) -> list[float]:
    with av.open(file) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def pictures(file: Path) -> list[NDArray[np.uint8]]:
    with av.open(file) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)]


def _tone(seconds: float, begins: int) -> list[av.AudioFrame]:
    frames = []
    for start in range(0, int(seconds * RATE), 1024):
        wave = np.sin((np.arange(1024) + start) * 2 * np.pi * 440 / RATE)
        frame = av.AudioFrame.from_ndarray((wave * 20_000).astype(np.int16)[None], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = RATE, begins + start, Fraction(1, RATE)
        frames.append(frame)
    return frames


def walking(file: Path, photograph: Path, frames: int, rate: int, size: tuple[int, int]) -> Path:
    """Writes a video in which a photograph moves to the right, with a tone; returns the file."""
    width, height = size
    with Image.open(photograph) as picture:
        small = np.asarray(picture.convert("RGB").resize((height * picture.width // picture.height, height)))
    with av.open(file, "w") as out:
        stream, tone = (
            out.add_stream("libx264", rate=rate, options={"preset": "ultrafast"}),
            out.add_stream("aac", rate=RATE),
        )
        assert isinstance(stream, VideoStream)
        assert isinstance(tone, AudioStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for sound in _tone(frames / rate, 0):
            out.mux(tone.encode(sound))
        out.mux(tone.encode())
        for number in range(frames):
            pixels = np.full((height, width, 3), 90, np.uint8)
            left = (width - small.shape[1]) * number // frames
            pixels[:, left : left + small.shape[1]] = small
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    return file
