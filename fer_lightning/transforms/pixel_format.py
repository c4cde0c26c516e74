"""Turns any picture into the pixels that faces are kept as. Imports no torch: it is shared with what only predicts."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field

from fer_lightning.signature import refuse_out_of_range

SIDE = 48
"""Height and width of a FER2013 face, in pixels."""

LARGEST = 2048
"""Height and width that a network's images may have at most."""

Side = Annotated[int, Field(ge=1, le=LARGEST)]
Channels = Literal[1, 3]
Fit = Literal["crop", "pad", "stretch"]

Picture = Image.Image | NDArray[np.uint8]
"""A picture of any size and mode; as an array (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA."""

MAY_TURN = {"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"}
"""Keys of a picture's info that may say which way up it is, but for TIFF."""

NOT_BY_RGB = {"YCbCr", "LAB"}
"""Modes whose grey Pillow does not make of their RGB, as of all others."""


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
        picture, mode = upright(picture), "L" if self.channels == 1 else "RGB"
        if picture.mode != mode:  # to convert it would copy it
            picture = picture.convert(mode)
        if picture.size != (self.size, self.size):
            picture = self._resized(picture)
        pixels = np.asarray(picture)
        return pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)

    @property
    def in_words(self) -> str:
        """Returns the keys of conf/data that give this format."""
        return f"data.size={self.size} data.channels={self.channels} data.fit={self.fit}"

    def _resized(self, picture: Image.Image) -> Image.Image:
        shape, how = (self.size, self.size), Image.Resampling.BILINEAR
        if self.fit == "stretch" or picture.width == picture.height:
            return picture.resize(shape, how)
        return ImageOps.fit(picture, shape, how) if self.fit == "crop" else ImageOps.pad(picture, shape, how)


def upright(picture: Picture) -> Image.Image:
    """Returns a picture as its EXIF turns it, with at most 8 bits per channel; decodes it.

    Raises:
        TypeError, ValueError: no picture, or one of more than 16 bits per channel.
    """
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
    if picture.mode in NOT_BY_RGB:
        return picture.convert("RGB")
    if picture.mode == "P" and isinstance(picture.info.get("transparency"), bytes):
        return picture.convert("RGBA")  # of other conversions, Pillow warns
    return picture
