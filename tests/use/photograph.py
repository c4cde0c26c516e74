"""The photograph that matplotlib ships, of one person, and pictures made of it."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.use.faces import Frame

SPEC = find_spec("matplotlib")  # which is not imported
assert SPEC is not None
assert SPEC.origin is not None
HOPPER = Path(SPEC.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"

BOX = (182.9, 120.5, 170.3, 212.5)
"""Left, top, width and height of her face by OpenCV 5.0's FaceDetectorYN, which has the same network."""


def hopper() -> Image.Image:
    """RGB, 512×600."""
    with Image.open(HOPPER) as picture:
        return picture.convert("RGB")


def group(places: list[tuple[int, int, int]], size: tuple[int, int] = (640, 480)) -> NDArray[np.uint8]:
    """Pastes the photograph into a grey picture, at x, y, in a width: uint8 (H, W, 3)."""
    picture = Image.new("RGB", size, (120, 120, 120))
    for x, y, width in places:
        picture.paste(hopper().resize((width, width * 600 // 512)), (x, y))
    return np.asarray(picture)


def frame(pixels: NDArray[np.uint8] | Image.Image, source: str = "a.jpg", index: int = 0) -> Frame:
    return Frame(source, index, None, np.asarray(pixels))
