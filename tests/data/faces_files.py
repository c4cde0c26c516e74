"""Small files in FER2013's forms, for tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FLAT = " ".join(["7"] * 2304)
LABELS = (3, 0, 6, 1, 2, 5, 4, 3)
USAGES = (
    "Training",
    "Training",
    "PrivateTest",
    "Training",
    "PublicTest",
    "Training",
    "PrivateTest",
    "PublicTest",
)


def random_images(count: int = len(LABELS), seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (count, 48, 48); numbers of one, two and three digits are all frequent."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 256, (count, 48, 48)) // rng.choice([1, 4, 40], (count, 48, 48))).astype(np.uint8)


def pixel_text(image: NDArray[np.uint8]) -> str:
    return " ".join(str(value) for value in image.reshape(-1).tolist())


def fer2013_rows(images: NDArray[np.uint8]) -> list[str]:
    """Rows of `emotion,pixels,Usage` with LABELS and USAGES."""
    return [f"{label},{pixel_text(image)},{usage}" for image, label, usage in zip(images, LABELS, USAGES, strict=True)]


def fer2013_csv(images: NDArray[np.uint8] | None = None) -> bytes:
    return csv_bytes("emotion,pixels,Usage", fer2013_rows(random_images() if images is None else images))


def csv_bytes(header: str, rows: Sequence[str], end: str = "\n") -> bytes:
    return "".join(line + end for line in (header, *rows)).encode()


def write_image(path: Path, image: NDArray[np.uint8], mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).convert(mode).save(path)
