"""Turns a picture into what a network takes: its training data, photographs and its students' faces alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

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
Channels = Literal[1, 3]
Fit = Literal["crop", "pad", "stretch"]

Picture = Image.Image | NDArray[np.uint8]
"""A picture of any size and mode; as an array (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA."""

MAY_TURN = {"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"}
"""Keys of a picture's info that may say which way up it is, but for TIFF."""


@dataclass(frozen=True)
class PixelFormat:
    """The pixels that faces are kept as: how any picture becomes uint8 (C, size, size).

    Args:
        size: height and width, in pixels.
        channels: 1 is grey by ITU-R 601, 3 is RGB.
        fit: of a picture that is not square, keep the middle ("crop"), all of it between black bars ("pad"), or all of
            it in other proportions ("stretch").

    Raises:
        ValueError: an argument outside its range.
    """

    size: Side = SIDE
    channels: Channels = 1
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        refuse_out_of_range(PixelFormat, vars(self))

    def __call__(self, picture: Picture) -> NDArray[np.uint8]:
        """Returns a picture as uint8 (C, size, size), upright as its EXIF says; transparency is dropped.

        Raises:
            TypeError, ValueError: no picture, or one of more than 16 bits per channel.
        """
        upright, mode = _upright(picture), "L" if self.channels == 1 else "RGB"
        if upright.mode != mode:  # to convert it would copy it
            upright = upright.convert(mode)
        if upright.size != (self.size, self.size):
            upright = self._resized(upright)
        pixels = np.asarray(upright)
        return pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)

    def _resized(self, picture: Image.Image) -> Image.Image:
        shape, how = (self.size, self.size), Image.Resampling.BILINEAR
        if self.fit == "stretch" or picture.width == picture.height:
            return picture.resize(shape, how)
        return ImageOps.fit(picture, shape, how) if self.fit == "crop" else ImageOps.pad(picture, shape, how)


@dataclass(frozen=True)
class Preprocessing:
    """The way from any picture to the images of one network. A checkpoint and model.safetensors hold it.

    Args:
        image_size: height and width that faces are resized to, in pixels.
        mean: what pixel / 255 is normalised by: one number for grey, three for RGB.
        std: likewise.
        size: height and width that pictures get first, as the training data was kept: see `PixelFormat`.
        fit: likewise.

    Raises:
        ValueError: an argument outside its range.
    """

    image_size: Side
    mean: Annotated[tuple[Mean, ...], Field(min_length=1, max_length=3)]
    std: Annotated[tuple[Deviation, ...], Field(min_length=1, max_length=3)]
    size: Side = SIDE
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        refuse_out_of_range(Preprocessing, vars(self))
        if len(self.mean) != len(self.std) or len(self.mean) == 2:
            raise ValueError(f"mean is {self.mean} and std is {self.std}: give one number each for grey, three for RGB")

    @property
    def channels(self) -> Channels:
        return 1 if len(self.mean) == 1 else 3

    def __call__(self, *pictures: Picture) -> Tensor:
        """Returns what the network takes of some pictures: float (B, C, S, S).

        Raises:
            TypeError, ValueError: no picture, or one of more than 16 bits per channel.
        """
        if not pictures:
            raise ValueError("no picture is given")
        to_pixels = PixelFormat(self.size, self.channels, self.fit)
        return self.normalized(scaled(torch.from_numpy(np.stack([to_pixels(picture) for picture in pictures]))))

    def normalized(self, images: Tensor) -> Tensor:
        """Returns images, float (B, C, H, W) in 0…1, resized and normalised: in place, where they have that size."""
        images = resized(images, self.image_size)
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            images[:, channel].sub_(mean).div_(std)
        return images

    def pixels(self, images: Tensor) -> Tensor:
        """Returns pixels / 255 of normalised images, float (B, C, S, S)."""
        return images * _column(self.std).to(images) + _column(self.mean).to(images)

    def scale_and_shift(self, other: "Preprocessing") -> tuple[Tensor, Tensor]:
        """Returns a and b, (C, 1, 1), with which a · x + b is normalised like this if x is normalised like the other.

        Raises:
            ValueError: the other has another number of channels.
        """
        if self.channels != other.channels:
            raise ValueError(f"one takes images of {self.channels} channels, the other of {other.channels}")
        mean, std, others_mean, others_std = map(_column, (self.mean, self.std, other.mean, other.std))
        return (others_std / std).float(), ((others_mean - mean) / std).float()


def scaled(faces: Tensor) -> Tensor:
    """Returns faces, uint8 (B, C, H, W), as float in 0…1."""
    return faces.float().div_(255)


def per_channel(name: str, values: float | Sequence[float], channels: int) -> tuple[float, ...]:
    """Returns one number for each channel, where one is given for all or one for each.

    Raises:
        ValueError: there are others.
    """
    numbers = (values,) * channels if isinstance(values, float | int) else tuple(values)
    if len(numbers) != channels:
        raise ValueError(f"{name} is {list(numbers)}: give one number, or one for each of {channels} channels")
    return tuple(map(float, numbers))


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def _upright(picture: Picture) -> Image.Image:
    if not isinstance(picture, Image.Image):
        if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8:
            found = f"an array of {picture.dtype}" if isinstance(picture, np.ndarray) else type(picture).__name__
            raise TypeError(f"a picture is {found}; it must be a PIL image, or a uint8 array (H, W), (H, W, 3 or 4)")
        picture = Image.fromarray(picture)
    picture.load()  # what turns a PNG can stand behind its pixels
    if picture.format == "TIFF" or MAY_TURN & picture.info.keys():
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"mode {picture.mode}: more than 16 bits per channel")
    return picture
