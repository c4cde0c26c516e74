"""Turns paths, standard input and a webcam into frames, one after the other; a file that cannot be read says why.

What a file is, its content says: a photograph or a video with a wrong ending is read all the same. PyAV is imported
where a video comes up, and for nothing else.
"""

import os
import sys
import tempfile
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from PIL import Image, UnidentifiedImageError

from fer_lightning.files import printable
from fer_lightning.transforms.image_file import IMAGE_FORMATS, IMAGE_SUFFIXES, LARGEST_FILE
from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.images import EXPECTED, begins_as_image, file_content, frame_count, image_frames, looks_like_heic
from fer_lightning.use.paths import FoundPath, found_paths, reason_of

Kind = Literal["image", "animation", "video", "webcam", "stdin", "unreadable"]

PHONE_SUFFIXES = (".heic", ".heif", ".avif")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".vob",
    ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".3g2", ".mxf", ".dv")  # fmt: skip

STARTS_OF_VIDEOS = (b"\x1a\x45\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\1")  # Matroska and WebM, MPEG, Flash

SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ")

LARGEST_PIPED = 1 << 34
"""Bytes of a video in standard input, which waits in a temporary file."""

BEGINNING = 512
"""Bytes that tell a video from other files."""


@dataclass(frozen=True)
class Source:
    """An image, a video, or what else gives frames, before it is read.

    Args:
        path: opens it; "-" for standard input, "webcam:0" for a camera.
        kind: what it is; "unreadable" for a path that leads to nothing.
        frame_count: how many frames it says it has; None where that is not known before it is read.
        duration_s: of a video, in seconds; None where that is not known.
        reason: why it is unreadable.
    """

    path: str
    kind: Kind
    frame_count: int | None = None
    duration_s: float | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """Returns the path as frames have it, which every table can hold, even where the path is not UTF-8."""
        return printable(self.path)

    def frames(self) -> Generator[Frame | Unreadable, None, None]:
        """Yields its frames, or why there are none; closing the iterator closes the file or the camera."""
        try:
            if self.kind in ("image", "animation"):
                yield from image_frames(self.name, file_content(Path(self.path)))
            elif self.kind == "video":
                from fer_lightning.use.videos import video_frames

                with open(self.path, "rb") as stream:
                    yield from video_frames(self.name, stream)
            elif self.kind == "webcam":
                from fer_lightning.use.webcam import webcam_frames

                yield from webcam_frames(self.name, self.path.partition(":")[2])
            elif self.kind == "stdin":
                yield from _piped_frames()
            else:
                yield Unreadable(self.name, self.reason)
        except (OSError, ValueError) as error:
            yield Unreadable(self.name, reason_of(error))


def frames(paths: Sequence[str], recursive: bool = False) -> Iterator[Frame | Unreadable]:
    """Yields the frames of everything that paths lead to; memory holds one of them at a time."""
    for source in planned(paths, recursive):
        yield from source.frames()


def planned(paths: Sequence[str], recursive: bool = False) -> list[Source]:
    """Returns what paths lead to, without decoding any of it; each file once, folders' files in natural order.

    In folders, hidden files are passed over, and what is neither an image nor a video by its content or its ending.

    Args:
        paths: of files and folders, with wildcards, "@list.txt" for a list of paths, "-" for standard input.
        recursive: takes the folders within folders too.
    """
    sources = [(found, source) for found in found_paths(paths, recursive) if (source := _source(found)) is not None]
    filled = {found.folder for found, _ in sources}
    once: dict[str, Source] = {}
    for found, source in sources:
        if not found.is_folder:
            once.setdefault("-" if source.kind == "stdin" else os.path.abspath(source.path), source)
        elif found.path not in filled:
            more = "" if recursive else "; the folders in it are read with --recursive"
            once[found.path] = Source(found.path, "unreadable", reason=f"no image or video in this folder{more}")
    return list(once.values())


def webcam(device: str = "0") -> Source:
    """Returns a camera, by its number or by the name that the system has for it."""
    return Source(f"webcam:{device}", "webcam")


def _source(found: FoundPath) -> Source | None:
    """Returns what is found at a path; None for a file in a folder that is neither an image nor a video."""
    path = found.path
    if path == "-":
        return Source(path, "stdin")
    if found.reason or found.is_folder:
        return Source(path, "unreadable", reason=found.reason)
    try:
        with open(path, "rb") as stream:
            count, start = _image_frame_count(stream), stream.read(BEGINNING)
    except OSError as error:
        return Source(path, "unreadable", reason=reason_of(error))
    if count is not None:
        return Source(path, "image" if count == 1 else "animation", count)
    is_named_image = path.lower().endswith(IMAGE_SUFFIXES + PHONE_SUFFIXES)
    is_likely_video = _looks_like_video(start) or path.lower().endswith(VIDEO_SUFFIXES)
    if found.folder and not is_named_image and not is_likely_video:
        return None
    if not start:
        return Source(path, "unreadable", reason="it is empty")
    from fer_lightning.use.videos import video_length

    try:
        with open(path, "rb") as stream:
            return Source(path, "video", *video_length(stream))
    except (OSError, ValueError) as error:
        why = f"the video cannot be read: {reason_of(error)}" if is_likely_video else _NEITHER
        return Source(path, "unreadable", reason=why)


_NEITHER = f"neither an image nor a video; expected {EXPECTED}"


def _image_frame_count(stream: IO[bytes]) -> int | None:
    """Returns how many frames an image has, and None for what is no image; leaves the stream at its beginning."""
    start = stream.read(BEGINNING)
    stream.seek(0)
    if looks_like_heic(start):
        return 1
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(stream, formats=IMAGE_FORMATS) as picture:
            return frame_count(picture)
    except UnidentifiedImageError:
        return 1 if begins_as_image(start) else None
    except Exception:  # too large, or damaged: reading it says so
        return 1
    finally:
        stream.seek(0)


def _looks_like_video(start: bytes) -> bool:
    if start[4:8] == b"ftyp":
        return start[8:12] not in SOUND_BRANDS
    return (
        start.startswith(STARTS_OF_VIDEOS)
        or start[4:8] in (b"moov", b"mdat", b"wide")
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or (start[:1] == b"G" and start[188:189] == b"G" and start[376:377] == b"G")  # an MPEG transport stream
    )


def _piped_frames() -> Iterator[Frame | Unreadable]:
    """Yields the frames of the image or video in standard input; a large one waits in a temporary file."""
    if sys.stdin is None or sys.stdin.isatty():
        yield Unreadable("-", "standard input has nothing: pipe an image or a video into it")
        return
    with tempfile.SpooledTemporaryFile(max_size=1 << 26) as stream:
        size = 0
        while piece := sys.stdin.buffer.read(1 << 20):
            size += stream.write(piece)
            if size > LARGEST_PIPED:
                raise ValueError(f"more than {LARGEST_PIPED:,} bytes: give a file instead")
        stream.seek(0)
        if size == 0:
            yield Unreadable("-", "it is empty")
        elif _image_frame_count(stream) is not None:
            if size > LARGEST_FILE:
                raise ValueError(f"{size:,} bytes, more than {LARGEST_FILE:,}")
            yield from image_frames("-", stream.read())
        else:
            from fer_lightning.use.videos import video_frames

            yield from video_frames("-", stream)
