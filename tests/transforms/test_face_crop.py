"""The square around a face is cut where it should be, and mirrored beyond the picture's edge, in every mode."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.transforms.face_crop import BOX_MARGIN, Box, face_square
from fer_lightning.transforms.pixel_format import PixelFormat

RNG = np.random.default_rng(0)
COLOUR = Image.fromarray(RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8))
GREY = COLOUR.convert("L")

BOXES: dict[str, Box] = {
    "inside": (20, 10, 35, 30),
    "top left corner": (-4, -6, 14, 17),
    "top right corner": (48, -5, 66, 20),
    "bottom left corner": (-7, 28, 12, 45),
    "bottom right corner": (50, 30, 63, 44),
    "wider than the picture": (-30, 5, 90, 35),
    "fractions": (19.6, 10.4, 34.9, 30.2),
}


def by_numpys_padding(pixels: NDArray[np.uint8], box: Box, margin: float) -> NDArray[np.uint8]:
    """The square by padding the whole picture first, far enough for every box here."""
    left, top, right, bottom = box
    side = (right - left) * margin
    x, y, far = round((left + right) / 2 - side / 2), round((top + bottom) / 2 - side / 2), 200
    padded = np.pad(pixels, ((far, far), (far, far), (0, 0)), mode="symmetric")
    length = round(side)
    return padded[y + far : y + far + length, x + far : x + far + length]


@pytest.mark.parametrize("margin", [1, BOX_MARGIN, 1.7])
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_a_square_is_mirrored_beyond_the_edge(box: Box, margin: float) -> None:
    square = face_square(COLOUR, box, margin)
    assert np.array_equal(np.asarray(square), by_numpys_padding(np.asarray(COLOUR), box, margin))


def test_a_square_is_1_24_times_as_wide_as_its_box() -> None:
    assert face_square(COLOUR, (20, 5, 45, 12)).size == (31, 31)


def modes() -> dict[str, Image.Image]:
    alpha = COLOUR.copy()
    alpha.putalpha(GREY)
    palette, clear_palette = COLOUR.convert("P"), COLOUR.convert("P")
    clear_palette.info["transparency"] = bytes(range(256))
    one_clear = COLOUR.convert("P")
    one_clear.info["transparency"] = 3
    sixteen = Image.fromarray(RNG.integers(0, 65536, (40, 60), dtype=np.uint16))
    pictures = [GREY, GREY.convert("1"), sixteen, GREY.convert("LA"), palette, COLOUR, alpha]
    pictures += [COLOUR.convert(mode) for mode in ("CMYK", "YCbCr", "LAB")]
    named = {picture.mode: picture for picture in pictures}
    return named | {"P with a clear colour": one_clear, "P with alpha": clear_palette}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("box", [BOXES["inside"], BOXES["bottom left corner"]], ids=["inside", "beyond the edge"])
@pytest.mark.parametrize("picture", modes().values(), ids=modes())
def test_a_square_of_any_mode_is_that_of_its_rgb(picture: Image.Image, box: Box, channels: Any) -> None:
    to_pixels = PixelFormat(size=23, channels=channels)
    rgb = Image.fromarray(rgb_pixels(picture))
    assert np.array_equal(to_pixels(face_square(picture, box)), to_pixels(face_square(rgb, box)))


def rgb_pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """Its pixels, uint8 (H, W, 3), by Pillow's conversion alone."""
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    if picture.mode == "P":
        picture = picture.convert("RGBA")
    return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    "box",
    [(70, 5, 80, 15), (-20, 5, 0, 15), (5, 40, 15, 50), (5, -9, 15, 0), (20, 10, 20, 30), (20, 30, 35, 10),
     (0, 0, 0.5, 9), (-500, 0, 500, 40), (float("nan"), 0, 9, 9)],
    ids=["right of it", "left of it", "below", "above", "no width", "upside down", "a half pixel", "huge", "nan"],
)  # fmt: skip
def test_a_box_that_is_not_in_the_picture_is_refused(box: Box) -> None:
    message = f"its face box {box} is not in the image of 60x40"
    with pytest.raises(ValueError, match=re.escape(message)):
        face_square(COLOUR, box)
