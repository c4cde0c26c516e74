"""Turns a picture into what a network takes: its training data, photographs and its students' faces alike."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field
from torch import Tensor

from fer_lightning.signature import refuse_out_of_range
from fer_lightning.transforms.pixels import resized

SIDE = 48
"""Height and width of a FER2013 face, in pixels."""

LARGEST = 2048
"""Height and width that a network's images may have at most."""

Side = Annotated[int, Field(ge=1, le=LARGEST)]
Mean = Annotated[float, Field(allow_inf_nan=False)]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Picture = Image.Image | NDArray[np.uint8]
"""A picture of any size and mode; as an array (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA."""

MAY_TURN = {"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"}
"""Keys of a picture's info that may say which way up it is, but for TIFF."""


@dataclass(frozen=True)
class Preprocessing:
    """The way from any picture to the images of one network. A checkpoint and model.safetensors hold it.

    Args:
        image_size: height and width that the 48×48 faces are resized to, in pixels.
        mean: what pixel / 255 is normalised by.
        std: likewise.

    Raises:
        ValueError: an argument outside its range.
    """

    image_size: Side
    mean: Mean
    std: Deviation

    def __post_init__(self) -> None:
        refuse_out_of_range(Preprocessing, vars(self))

    def __call__(self, *pictures: Picture) -> Tensor:
        """Returns what the network takes of some pictures: float (B, 1, S, S).

        Raises:
            TypeError, ValueError: no picture, or one of more than 8 bits per channel.
        """
        if not pictures:
            raise ValueError("no picture is given")
        faces = np.stack([grey_face(picture) for picture in pictures])
        return self.normalized(scaled(torch.from_numpy(faces)))

    def normalized(self, images: Tensor) -> Tensor:
        """Returns images, float (B, 1, H, W) in 0…1, resized and normalised: in place, where they have that size."""
        return resized(images, self.image_size).sub_(self.mean).div_(self.std)

    def scale_and_shift(self, other: "Preprocessing") -> tuple[float, float]:
        """Returns a and b, with which a · x + b is normalised like this if x is normalised like the other."""
        return other.std / self.std, (other.mean - self.mean) / self.std


def scaled(faces: Tensor) -> Tensor:
    """Returns faces, uint8 (B, H, W), as float (B, 1, H, W) in 0…1."""
    return faces.unsqueeze(1).float().div_(255)


def grey_face(picture: Picture) -> NDArray[np.uint8]:
    """Returns a picture as uint8 (48, 48): upright as its EXIF says, grey by ITU-R 601, stretched to that size.

    Transparency is dropped.

    Raises:
        TypeError, ValueError: no picture, or one of more than 8 bits per channel.
    """
    if not isinstance(picture, Image.Image):
        if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8:
            found = f"an array of {picture.dtype}" if isinstance(picture, np.ndarray) else type(picture).__name__
            raise TypeError(f"a picture is {found}; it must be a PIL image, or a uint8 array (H, W), (H, W, 3 or 4)")
        picture = Image.fromarray(picture)
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"mode {picture.mode}: more than 8 bits per channel")
    picture.load()  # what turns a PNG can stand behind its pixels
    if picture.format == "TIFF" or MAY_TURN & picture.info.keys():
        picture = ImageOps.exif_transpose(picture)
    grey = picture.convert("L")
    return np.asarray(grey if grey.size == (SIDE, SIDE) else grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
