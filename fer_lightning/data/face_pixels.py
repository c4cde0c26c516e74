"""Decodes image files and cuts the face out of them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.transforms.face_crop import Box, face_square
from fer_lightning.transforms.image_file import refuse_too_large
from fer_lightning.transforms.pixel_format import PixelFormat


def face_in(picture: Image.Image, box: Box | None, to_pixels: PixelFormat) -> NDArray[np.uint8]:
    """Returns the face in a picture that is not decoded yet, uint8 (C, size, size).

    Raises:
        Exception: what Pillow's decoders raise on damage; ValueError for too many pixels and a box outside.
    """
    refuse_too_large(picture)
    if box is None:
        return to_pixels(picture)
    return to_pixels(face_square(picture, box))
