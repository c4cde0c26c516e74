"""Opens image files: the formats that are taken, and how large an image may be. Imports no torch."""

import io
import logging

from PIL import Image

# Pillow logs what is wrong with a damaged file and raises an error too; without a handler, Python would print the log.
logging.getLogger("PIL").addHandler(logging.NullHandler())

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")

MOST_PIXELS = 30_000_000
"""Pixels of one image at most, checked before it is decoded: a few kilobytes can unpack to gigabytes."""

LARGEST_FILE = 1 << 28
"""Bytes of an image file at most: 30 million pixels have fewer, in any format."""


def opened_image(content: bytes, formats: tuple[str, ...] = IMAGE_FORMATS) -> Image.Image:
    """Returns an image file's picture, which is not decoded yet."""
    return Image.open(io.BytesIO(content), formats=formats)


def refuse_too_large(picture: Image.Image) -> None:
    """Raises ValueError for a picture, not decoded yet, of more pixels than are taken."""
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(f"{picture.width}x{picture.height}: more than {MOST_PIXELS:,} pixels")
