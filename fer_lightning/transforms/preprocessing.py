"""Turns a picture into what a network takes: its training data, photographs and its students' faces alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from fer_lightning.signature import refuse_out_of_range
from fer_lightning.transforms.pixel_format import SIDE, Channels, Fit, Picture, PixelFormat, Side
from fer_lightning.transforms.pixels import resized
from fer_lightning.transforms.reused_memory import KEPT_BY_C_LIBRARY, ReusedMemory

PIECE = 1 << 15
"""Pixels of a channel that are computed together: they fit in a core's cache. Of more, torch gives each of its threads
a share and waits for all of them, thousands of times."""

_MEMORY = ReusedMemory()

Mean = Annotated[float, Field(allow_inf_nan=False)]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]


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
        return self.of_pixels(torch.from_numpy(np.stack([to_pixels(picture) for picture in pictures])))

    def of_pixels(self, faces: Tensor) -> Tensor:
        """Returns what the network takes of faces, uint8 (B, C, H, W): float (B, C, S, S).

        A CPU computes large batches piece by piece, in its cache: the same numbers, three times as fast.
        """
        is_large = faces.device.type == "cpu" and faces.numel() * 4 > KEPT_BY_C_LIBRARY
        if not is_large or {*faces.shape[2:]} != {self.image_size}:
            return self.normalized(scaled(faces))
        images = _MEMORY.empty(faces.shape)
        planes, into = faces.flatten(2), images.flatten(2)
        pixels = planes.shape[-1]
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            for rows in map(slice, *_bounds(len(faces), max(PIECE // pixels, 1))):
                for part in map(slice, *_bounds(pixels, PIECE)):
                    piece = into[rows, channel, part].copy_(planes[rows, channel, part])
                    piece.div_(255).sub_(mean).div_(std)
        return images

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


def _bounds(count: int, step: int) -> tuple[range, list[int]]:
    """Returns where pieces of `step` begin, and where they end."""
    starts = range(0, count, step)
    return starts, [start + step for start in starts]


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
