"""Image files, and animations frame by frame, as frames. Imports neither torch nor PyAV."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fer_lightning.transforms.image_file import (
    IMAGE_FORMATS,
    LARGEST_FILE,
    MOST_PIXELS,
    opened_image,
    refuse_too_large,
)
from fer_lightning.transforms.pixel_format import upright
from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.paths import reason_of

ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}
"""Formats whose further pictures come after each other in time: those of TIFF are pages, of JPEG other views."""

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

START = 16
"""Bytes that tell which form of image a file has."""

NO_DURATION_S = 0.1
"""How long a frame of an animation is shown that says 0: browsers do so."""

EXPECTED = "jpg, png, webp, bmp, tiff, gif, avif, heic, or a video"


def opened(content: bytes) -> Image.Image:
    """Returns the picture in an image file's content, not decoded yet, in one of the formats of training or a phone's.

    Raises:
        ValueError: it has more pixels than are taken, or is a HEIC and pillow-heif is not there.
        Exception: what Pillow raises for what is no image.
    """
    with warnings.catch_warnings(action="ignore"):  # of damage that leaves the picture as it is
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            picture = opened_image(content, _formats(content))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(f"more than {MOST_PIXELS:,} pixels") from error
    refuse_too_large(picture)
    if 0 in picture.size:
        raise ValueError(f"{picture.width}x{picture.height}: no pixels")
    return picture


def looks_like_heic(start: bytes) -> bool:
    """Tells from its first 12 bytes whether a file is a HEIC or AVIF image, which begin as videos do."""
    return start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS | AVIF_BRANDS


def begins_as_image(start: bytes) -> bool:
    """Tells from its first bytes whether a file is or was an image of a form that is read, however damaged."""
    if not Image.OPEN.keys() >= {*IMAGE_FORMATS}:
        Image.init()  # Pillow loads the rest of its formats when they are first needed
    accepting = (Image.OPEN[form][1] for form in IMAGE_FORMATS)
    return looks_like_heic(start) or any(accepts is not None and accepts(start) for accepts in accepting)


def frame_count(picture: Image.Image) -> int:
    """Returns how many frames an image has in time: 1 if it does not move."""
    return int(getattr(picture, "n_frames", 1)) if picture.format in ANIMATED else 1


def file_content(file: Path) -> bytes:
    """Returns what is in a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than an image is.
    """
    if (size := file.stat().st_size) > LARGEST_FILE:
        raise ValueError(f"{size:,} bytes, more than {LARGEST_FILE:,}")
    return file.read_bytes()


def image_frames(source: str, content: bytes) -> Iterator[Frame | Unreadable]:
    """Yields the frames in an image file's content; their pixels are those that training's readers would make.

    What is damaged is one `Unreadable`, with the frame's number if frames came before it.
    """
    number, time_s = 0, 0.0
    try:
        with opened(content) as picture:
            if picture.format == "PNG":
                picture.verify()  # its checksums, which Pillow otherwise leaves alone where they are of pixels
        with opened(content) as picture:
            count = frame_count(picture)
            for number in range(count):
                yield Frame(source, number, time_s if count > 1 else None, _pixels(picture, number))
                time_s += (picture.info.get("duration") or 0) / 1000 or NO_DURATION_S
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them into
        at = (number, time_s) if number else (None, None)
        yield Unreadable(source, _why(error, content), *at)


def _pixels(picture: Image.Image, number: int) -> NDArray[np.uint8]:
    with warnings.catch_warnings(action="ignore"):
        picture.seek(number)
        return np.asarray(upright(picture).convert("RGB"))


def _formats(content: bytes) -> tuple[str, ...]:
    if not looks_like_heic(content[:12]):
        return IMAGE_FORMATS
    if content[8:12] in AVIF_BRANDS:
        return ("AVIF",)
    try:
        import pillow_heif
    except ImportError as error:
        raise ValueError("it is a HEIC image: reading it needs the package pillow-heif") from error
    pillow_heif.register_heif_opener()
    return ("HEIF", "AVIF")


def _why(error: Exception, content: bytes) -> str:
    if not content:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError) and begins_as_image(content[:START]):
        return "the image cannot be read: it is damaged at its beginning"
    if isinstance(error, UnidentifiedImageError):
        return f"neither an image nor a video; expected {EXPECTED}"
    return f"the image cannot be read: {reason_of(error)}"
