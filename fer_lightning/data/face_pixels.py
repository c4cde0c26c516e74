"""Decodes image files and cuts the face out of them."""

import numpy as np
import torch
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


def jpeg_face(content: bytes, to_pixels: PixelFormat) -> NDArray[np.uint8]:
    """Returns the face in a JPEG without Pillow's overhead and, while it is decoded, without the interpreter's lock.

    The same pixels as `face_in` gives for most files, not for all: EXIF's orientation is ignored, for one. So an image
    is decoded like this only where both were once seen to agree.

    Raises:
        Exception: what cannot be decoded so; all JPEGs, with a torchvision that has given up its decoder.
    """
    from torchvision.io import decode_jpeg  # which takes a while, and most sets do without

    decoded: NDArray[np.uint8] = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8)).numpy()
    if decoded.shape == (to_pixels.channels, to_pixels.size, to_pixels.size):
        return decoded
    return to_pixels(Image.fromarray(decoded[0] if len(decoded) == 1 else decoded.transpose(1, 2, 0)))
