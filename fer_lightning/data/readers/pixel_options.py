"""The pixels to make of image files, and how they are kept."""

import logging
from dataclasses import dataclass
from typing import Literal

from fer_lightning.signature import refuse_out_of_range
from fer_lightning.transforms.pixel_format import Channels, Fit, PixelFormat, Side

log = logging.getLogger(__name__)

MOST_BYTES = 2_000_000_000
"""Of pixels that keep="auto" keeps in memory."""

Keep = Literal["auto", "pixels", "encoded"]


@dataclass(frozen=True)
class PixelOptions:
    """The pixels to make of image files; its names are keys of conf/data.

    Args:
        size: height and width; "auto" is the median of the images' own shorter sides, at most 112.
        channels: 1 is grey, 3 is RGB.
        fit: of images that are not square, see `PixelFormat`.
        keep: "pixels" keeps them decoded, in memory; "encoded" keeps the files' bytes, which are decoded for each
            batch; "auto" is pixels up to 2 GB of them.

    Raises:
        ValueError: an argument outside its range.
    """

    size: Side | Literal["auto"] = "auto"
    channels: Channels = 1
    fit: Fit = "crop"
    keep: Keep = "auto"

    def __post_init__(self) -> None:
        refuse_out_of_range(PixelOptions, vars(self))

    def pixel_format(self, own_size: int) -> PixelFormat:
        """Returns the format for faces whose own size is given."""
        return PixelFormat(own_size if self.size == "auto" else self.size, self.channels, self.fit)

    def are_encoded(self, count: int, to_pixels: PixelFormat) -> bool:
        """Returns whether this many images are kept encoded, and logs why."""
        size = count * to_pixels.channels * to_pixels.size**2
        encoded = self.keep == "encoded" or (self.keep == "auto" and size > MOST_BYTES)
        kept = "their files' bytes, decoded for each batch" if encoded else "pixels in memory"
        why = "as data.keep says" if self.keep != "auto" else f"data.keep=auto keeps up to {MOST_BYTES / 1e9:.0f} GB so"
        of_pixels = f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
        log.info("%s images, %s of pixels, are kept as %s: %s", f"{count:,}", of_pixels, kept, why)
        return encoded
