"""Small files in FER2013's forms, for tests."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.source import read_faces

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
    values: NDArray[np.int64] = rng.integers(0, 256, (count, 48, 48)) // rng.choice([1, 4, 40], (count, 48, 48))
    return values.astype(np.uint8)


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


IMAGES = random_images()
CSV = fer2013_csv(IMAGES)
BAD = csv_bytes(
    "emotion,pixels,Usage",
    [f"{label},{FLAT},Training" for label in (0, "x7", 1, "x8", "x9", "x10", "x11", "x12", "x13")],
)


def all_images(faces: Faces) -> Tensor:
    """uint8 (N, C, H, W)."""
    return faces.images[torch.arange(len(faces))]


def assert_are_the_faces(faces: Faces) -> None:
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES)
    assert faces.labels.tolist() == list(LABELS)
    assert [faces.part_names[part] for part in faces.parts] == list(USAGES)


def messages(caplog: pytest.LogCaptureFixture, path: Path | str, **how: object) -> tuple[Faces, str]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        faces = read_faces(path, **how)  # type: ignore[arg-type]
    return faces, caplog.text


def votes_csv(rows: Sequence[tuple[str, str, str]]) -> bytes:
    """fer2013new.csv of rows of Usage, image name, and the ten numbers of votes between spaces."""
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    return csv_bytes(header, [",".join((usage, name, *votes.split())) for usage, name, votes in rows], end="\r\n")


def assert_same_faces(faces: Faces, others: Faces) -> None:
    """Equal in everything, to the bit."""
    for name in ("images", "labels", "parts", "soft_labels", "persons"):
        one, other = getattr(faces, name), getattr(others, name)
        assert (one is None) == (other is None), name
        assert one is None or (one.dtype == other.dtype and one.tolist() == other.tolist()), name
    for name in ("part_names", "class_names", "several_of_each"):
        assert getattr(faces, name) == getattr(others, name), name


def written_pictures(folder: Path, sizes: int = 4) -> list[Path]:
    """Files of noise and edges in every mode that people have, of several sizes, some turned by their EXIF."""
    folder.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned: dict[str, Any] = {"exif": exif}
    rng, files = np.random.default_rng(3), []
    for number, (width, height) in enumerate(((48, 48), (131, 77), (20, 64), (300, 224))[:sizes]):
        smooth = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
        colour = Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC)
        grey, clear = colour.convert("L"), colour.copy()
        clear.putalpha(grey)
        for name, picture, options in (
            ("grey.png", grey, {}),
            ("grey.jpg", grey, {}),
            ("turned_grey.jpg", grey, turned),
            ("turned_grey.png", grey, turned),
            ("rgb.jpg", colour, {}),
            ("turned_rgb.jpg", colour, turned),
            ("rgb.bmp", colour, {}),
            ("rgba.png", clear, {}),
            ("grey_alpha.png", clear.convert("LA"), {}),
            ("cmyk.jpg", colour.convert("CMYK"), {}),
            ("palette.png", colour.convert("P"), {}),
            ("bilevel.png", grey.convert("1"), {}),
        ):
            files.append(folder / f"{number}_{name}")
            picture.save(files[-1], **options)
    return files


class Terminal(io.StringIO):
    """A stream that is taken for a terminal, and keeps what is written."""

    def isatty(self) -> bool:
        return True
