"""Decodes image files and cuts the face out of them."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.transforms.preprocessing import PixelFormat

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")

MOST_PIXELS = 30_000_000
"""Pixels of one image at most, checked before it is decoded: a few kilobytes can unpack to gigabytes."""

BOX_MARGIN = 1.24
"""Side of the square that is cut around a face's box, as a multiple of the box's width: it shows what FER2013's do."""

Box = tuple[float, float, float, float]
"""Of a face: left, top, right, bottom, in pixels."""


def opened_image(content: bytes) -> Image.Image:
    """Returns an image file's picture, which is not decoded yet."""
    return Image.open(io.BytesIO(content), formats=IMAGE_FORMATS)


def face_in(picture: Image.Image, box: Box | None, to_pixels: PixelFormat) -> NDArray[np.uint8]:
    """Returns the face in a picture that is not decoded yet, uint8 (C, size, size).

    Raises:
        Exception: what Pillow's decoders raise on damage; ValueError for too many pixels and a box outside.
    """
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(f"{picture.width}x{picture.height}: more than {MOST_PIXELS:,} pixels")
    if box is None:
        return to_pixels(picture)
    left, top, right, bottom = box
    side, middle_x, middle_y = (right - left) * BOX_MARGIN, (left + right) / 2, (top + bottom) / 2
    around = (middle_x - side / 2, middle_y - side / 2, middle_x + side / 2, middle_y + side / 2)
    if side < 1 or not (around[0] < picture.width and around[1] < picture.height and min(around[2:]) > 0):
        raise ValueError(f"its face box {box} is not in the image of {picture.width}x{picture.height}")
    return to_pixels(picture.crop(around))
