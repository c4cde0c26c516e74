"""Small videos for tests: frames at given times, turned, with a tone, damaged where it is asked for."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

TIME_BASE = Fraction(1, 12800)

TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0), "mirrored": (-1, 0, 0, 1)}
"""a, b, c, d of an MP4's display matrix, which a player turns a picture clockwise by so many degrees for."""


def write_video(
    file: Path,
    frames: Sequence[NDArray[np.uint8]],
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    tone: bool = False,
    options: dict[str, str] | None = None,
) -> None:
    """Writes RGB frames, uint8 (H, W, 3), at times in seconds, by default 25 a second; the ending names the form."""
    time_base = Fraction(1, 25) if times is None else TIME_BASE  # which not all codecs take
    times = [number / 25 for number in range(len(frames))] if times is None else times
    with av.open(str(file), "w") as container:
        video = container.add_stream(codec, rate=25, options=options or {})
        assert isinstance(video, av.VideoStream)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = time_base
        video.bit_rate = 2_000_000
        if tone:
            sound = container.add_stream("aac", rate=44100)
            assert isinstance(sound, av.AudioStream)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time / time_base), time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if tone:
            wave = np.sin(np.arange(int(44100 * times[-1])) * 440 / 44100 * 2 * np.pi).astype(np.float32)
            for start in range(0, len(wave) - 1024, 1024):
                piece = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
                piece.sample_rate, piece.pts = 44100, start
                container.mux(sound.encode(piece))
            container.mux(sound.encode())


def turn(file: Path, degrees: int | str) -> None:
    """Has an MP4 say that it must be turned clockwise by so many degrees, as phones do; or "mirrored"."""
    content = bytearray(file.read_bytes())
    place = content.index(b"tkhd") + 44
    a, b, c, d = (one << 16 for one in TURNS[degrees])
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    file.write_bytes(content)


def damage(file: Path, number: int) -> None:
    """Overwrites the packet of a video's frame, by its number in the order of decoding, with noise."""
    with av.open(str(file)) as container:
        packet = bytes([packet for packet in container.demux(video=0) if packet.size][number])
    content = file.read_bytes()
    assert content.count(packet) == 1
    file.write_bytes(content.replace(packet, np.random.default_rng(0).bytes(len(packet))))
