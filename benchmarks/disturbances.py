"""What befalls a face on its way from a camera to a network, each by a strength: crops, turns, blur, noise, few pixels.

What is drawn for a face (which way it is shifted or turned, its noise) is the same at each strength.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Generator, Tensor

from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.pixel_format import Channels, PixelFormat
from fer_lightning.transforms.preprocessing import scaled

Faces = NDArray[np.uint8]
"""uint8 (N, C, S, S)."""

Disturb = Callable[[Faces, float], Faces]


@dataclass(frozen=True)
class Disturbance:
    """One way to disturb faces, and its strengths.

    Args:
        name: in tables and charts.
        in_words: a strength in words, with a place for the number, which is filled in twice.
        axis: what the numbers are, on a chart's axis.
        none: the strength that changes nothing.
        strengths: the others.
        disturbed: takes faces of 48×48 and a strength; the faces that it returns may have another size.
    """

    name: str
    in_words: str
    axis: str
    none: float
    strengths: tuple[float, ...]
    disturbed: Disturb


def crop_scale(faces: Faces, side: float) -> Faces:
    """Returns faces in a square of so many times the side, cut as `face_square` cuts: mirrored beyond the edge."""
    box = (0.0, 0.0, faces.shape[-1], faces.shape[-2])
    return _stacked((face_square(picture, box, side) for picture in _pictures(faces)), faces)


def crop_shift(faces: Faces, share: float) -> Faces:
    """Returns faces in a square that is shifted by a share of its side, each in a direction of its own."""
    size = faces.shape[-1]
    angles = 2 * np.pi * torch.rand(len(faces), generator=_generator()).numpy()
    shifts = share * size * np.stack([np.cos(angles), np.sin(angles)], 1)
    boxes = ((x, y, x + size, y + size) for x, y in shifts.tolist())
    return _stacked((face_square(*each, margin=1) for each in zip(_pictures(faces), boxes, strict=True)), faces)


def rotation(faces: Faces, degrees: float) -> Faces:
    """Returns faces that are turned by so many degrees, each one way or the other; mirrored beyond the edge."""
    turned = Augmentation(degrees=180, padding="reflection")
    return _augmented(turned, faces, lambda drawn: {"angle": drawn["angle"].sign() * degrees})


def blur(faces: Faces, pixels: float) -> Faces:
    """Returns faces blurred by a Gaussian of this standard deviation, in pixels."""
    share = pixels / faces.shape[-1]
    return _augmented(Augmentation(blur=1), faces, lambda drawn: {"blur": torch.full_like(drawn["blur"], share)})


def noise(faces: Faces, share: float) -> Faces:
    """Returns faces with Gaussian noise of this standard deviation, as a share of white, on each value."""
    return _augmented(Augmentation(noise=1), faces, lambda drawn: {"noise": torch.full_like(drawn["noise"], share)})


def darkness(faces: Faces, factor: float) -> Faces:
    """Returns faces whose values are multiplied by a factor."""
    darker = Augmentation(brightness=1)
    return _augmented(darker, faces, lambda drawn: {"brightness": torch.full_like(drawn["brightness"], factor)})


def jpeg(faces: Faces, quality: float) -> Faces:
    """Returns faces as they come back from JPEG of this quality, by Pillow's scale of 1 to 100."""
    return _stacked((_from_jpeg(picture, int(quality)) for picture in _pictures(faces)), faces)


def low_resolution(faces: Faces, side: float) -> Faces:
    """Returns faces of so many pixels in height and width, each the mean over its area: uint8 (N, C, side, side)."""
    size, side = faces.shape[-1], int(side)
    shares = np.eye(size).repeat(side, 0).reshape(side, size, size).mean(1)  # of each pixel in each new one
    return cast(Faces, (shares @ faces @ shares.T).round().astype(np.uint8))


DISTURBANCES = (
    Disturbance(
        *("crop scale", "{:g} × the side", "side of the square, of the true one", 1.0),
        *((0.7, 0.8, 0.9, 1.1, 1.2, 1.3), crop_scale),
    ),
    Disturbance(
        *("crop shift", "{:.0%} of the side", "shift, of the side", 0.0),
        *((0.03, 0.06, 0.09, 0.12, 0.15), crop_shift),
    ),
    Disturbance("rotation", "± {:g}°", "± degrees", 0.0, (5, 10, 15, 20, 30), rotation),
    Disturbance("blur", "σ of {:g} px", "σ, in pixels of 48", 0.0, (0.5, 1, 1.5, 2, 3), blur),
    Disturbance("noise", "σ of {:.0%} of white", "σ, of white", 0.0, (0.02, 0.04, 0.08, 0.12, 0.2), noise),
    Disturbance("JPEG", "quality {:g}", "quality", 100, (95, 75, 50, 30, 10), jpeg),
    Disturbance("darkness", "values × {:g}", "factor of the values", 1.0, (0.8, 0.6, 0.4, 0.2, 0.1), darkness),
    Disturbance("low resolution", "{:g} × {:g} px", "side, in pixels", 48, (40, 32, 24, 16, 12), low_resolution),
)


def _augmented(
    augmentation: Augmentation, faces: Faces, given: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> Faces:
    """Returns faces changed by an augmentation, with parameters given in place of those that are drawn."""
    generator = _generator()
    drawn = augmentation.draw(len(faces), generator)
    images = augmentation.apply(scaled(torch.tensor(faces)), drawn | given(drawn), generator)
    return cast(Faces, images.mul(255).round().clamp(0, 255).to(torch.uint8).numpy())


def _generator() -> Generator:
    return Generator().manual_seed(0)


def _pictures(faces: Faces) -> Iterator[Image.Image]:
    return (Image.fromarray(face[0] if len(face) == 1 else face.transpose(1, 2, 0)) for face in faces)


def _stacked(pictures: Iterable[Image.Image], faces: Faces) -> Faces:
    """Returns square pictures of one size as faces, with as many channels as these."""
    channels = cast(Channels, faces.shape[1])
    return np.stack([PixelFormat(picture.width, channels)(picture) for picture in pictures])


def _from_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)
