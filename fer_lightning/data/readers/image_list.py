"""Lists of images with their classes, as every reader of image files makes them; and reading the pixels they name."""

import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.data.emotions import in_order
from fer_lightning.data.faces import SHOWN, SIDE, Faces, Reading
from fer_lightning.data.readers.pixel_text import short, some
from fer_lightning.signature import refuse_out_of_range
from fer_lightning.transforms.preprocessing import Channels, Fit, PixelFormat, Side

log = logging.getLogger(__name__)

IMAGES_PER_TASK = 64
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
EXPECTED = "a jpg, png, bmp, webp, tiff or gif of at most 16 bits"

MOST_PIXELS = 30_000_000
"""Pixels of one image at most, checked before it is decoded: a few kilobytes can unpack to gigabytes."""

LARGEST_AUTO_SIZE = 112
"""Height and width of faces with size="auto" at most: a hundred thousand of them are 1.3 GB in grey."""

SIZED = 200
"""Images whose size is looked at for size="auto", spread evenly over the list."""

BOX_MARGIN = 1.24
"""Side of the square that is cut around a face's box, as a multiple of the box's width: it shows what FER2013's do."""


@dataclass(frozen=True)
class PixelOptions:
    """The pixels to make of image files; its names are keys of conf/data.

    Args:
        size: height and width; "auto" is the median of the images' own shorter sides, at most 112.
        channels: 1 is grey, 3 is RGB.
        fit: of images that are not square, see `PixelFormat`.

    Raises:
        ValueError: an argument outside its range.
    """

    size: Side | Literal["auto"] = "auto"
    channels: Channels = 1
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        refuse_out_of_range(PixelOptions, vars(self))

    def pixel_format(self, own_size: int) -> PixelFormat:
        """Returns the format for faces whose own size is given."""
        return PixelFormat(own_size if self.size == "auto" else self.size, self.channels, self.fit)


class ListedImage(NamedTuple):
    """An image of a list, and what its source says about it."""

    part: int  # index into the list's part_names
    class_name: str  # perhaps a number
    path: str  # below the list's root, with /
    person: str = ""  # "" where that is not known: then those of the whole list are not
    box: tuple[float, float, float, float] | None = None  # of the face: left, top, right, bottom, in pixels


@dataclass(frozen=True)
class ImageList:
    """The images below `root`, in the order in which they become faces."""

    root: Path
    part_names: tuple[str, ...]
    images: tuple[ListedImage, ...]
    ignored: tuple[str, ...]  # paths of what lies among them and is not read
    digest: str  # of every image's path below root, size and times, and of what else decides the faces
    mode: int = 0o777  # the permissions that all the images give
    form: str = "image folder"
    wanted: str = "images in a class folder"  # what the ignored ones are not
    class_names: tuple[str, ...] = ()  # in order; empty takes those of the images
    soft_labels: NDArray[np.float32] | None = None  # (images, classes)
    bad: Mapping[int, str] = field(default_factory=dict)  # places in `images` of what is no face, and why
    numbering: str = ""  # the order of the numbers that are its classes, where its form has one: see `emotions`
    content: Callable[[str], bytes] | None = None  # of an image by its path, where it is no file below root
    opinions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where a source says twice what an image
    # shows, by "folders", "table" or "names": a class for each image, "" if that says nothing
    angles: tuple[str, ...] = ()  # of a set that has each face from several: that of each image, by KDEF's letters
    several_of_each: bool = False  # the set has several pictures of each person, whether their names are there or not

    @property
    def classes(self) -> tuple[str, ...]:
        return self.class_names or in_order(self.class_counts)

    @property
    def class_counts(self) -> Counter[str]:
        return Counter(image.class_name for place, image in enumerate(self.images) if place not in self.bad)


def own_size(found: ImageList) -> int:
    """Returns the median of the shorter sides of some of the images or of their boxes, at most 112 pixels."""
    sides = []
    for image in found.images[:: max(len(found.images) // SIZED, 1)]:
        if image.box is not None:
            sides.append((image.box[2] - image.box[0]) * BOX_MARGIN)
            continue
        try:
            with _opened(found, image.path) as picture:
                sides.append(min(picture.size))
        except Exception:  # read_images says why
            continue
    return min(max(round(float(np.median(sides))), 1), LARGEST_AUTO_SIZE) if sides else SIDE


def read_images(found: ImageList, to_pixels: PixelFormat) -> Reading:
    """Decodes the images on threads; what has more than 16 bits or 30 million pixels, or does not decode, is bad."""
    log.info("reading %s images below %s …", f"{len(found.images):,}", found.root)
    if found.ignored:
        count, names = len(found.ignored), some(found.ignored)
        log.warning("%s: ignoring %s that are not %s: %s", found.root, f"{count:,}", found.wanted, names)
    pixels = np.empty((len(found.images), to_pixels.channels, to_pixels.size, to_pixels.size), np.uint8)

    def read_into_place(start: int) -> tuple[list[tuple[int, str]], Counter[str]]:
        bad: list[tuple[int, str]] = []
        shapes: Counter[str] = Counter()
        for place, image in enumerate(found.images[start : start + IMAGES_PER_TASK], start):
            if place in found.bad:
                bad.append((place, found.bad[place]))
                continue
            try:
                pixels[place], shape = _face(found, image, to_pixels)
                shapes.update(shape)
            except FileNotFoundError:
                bad.append((place, f"{image.path}: there is no such file, expected {EXPECTED}"))
            except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them into
                why = f"found an unreadable image ({short(str(error))}), expected {EXPECTED}"
                bad.append((place, f"{image.path}: {why}"))
        return bad, shapes

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
        good = np.ones(len(found.images), np.bool_)
        first_bad: list[str] = []
        shapes: Counter[str] = Counter()
        for bad, some_shapes in pool.map(read_into_place, range(0, len(found.images), IMAGES_PER_TASK)):
            good[[place for place, _ in bad]] = False
            first_bad += [message for _, message in bad][: SHOWN - len(first_bad)]
            shapes += some_shapes
    _log_shapes(shapes, int(good.sum()), to_pixels)
    kept = [image for image, is_good in zip(found.images, good, strict=True) if is_good]
    places = {name: place for place, name in enumerate(found.classes)}
    faces = Faces(
        images=torch.from_numpy(pixels[good]),
        labels=torch.tensor([places[image.class_name] for image in kept], dtype=torch.int64),
        parts=torch.tensor([image.part for image in kept], dtype=torch.uint8),
        numbers=torch.from_numpy(np.flatnonzero(good) + 1),
        part_names=found.part_names,
        class_names=found.classes,
        files=tuple(_printable(image.path) for image in kept),
        soft_labels=None if found.soft_labels is None else torch.from_numpy(found.soft_labels[good]),
        persons=_persons([image.person for image in kept]),
        several_of_each=found.several_of_each,
    )
    form = f"{found.form} ({', '.join(found.part_names)})"
    bad_rows = int((~good).sum())
    return Reading(faces, form, bad_rows=bad_rows, first_bad=tuple(first_bad), numbering=found.numbering)


def _face(found: ImageList, image: ListedImage, to_pixels: PixelFormat) -> tuple[NDArray[np.uint8], list[str]]:
    """Returns an image's face, and what the log tells of its shape."""
    with _opened(found, image.path) as picture:
        if picture.format == "PNG":
            picture.verify()  # its checksums, which Pillow else leaves alone where they are of pixels
    with _opened(found, image.path) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"{picture.width}x{picture.height}: more than {MOST_PIXELS:,} pixels")
        shape = ["colour"] * (picture.mode not in ("L", "1", "LA", "I;16")) + ["not square"] * (
            picture.width != picture.height and image.box is None
        )
        if image.box is None:
            return to_pixels(picture), shape
        left, top, right, bottom = image.box
        side, middle_x, middle_y = (right - left) * BOX_MARGIN, (left + right) / 2, (top + bottom) / 2
        around = (middle_x - side / 2, middle_y - side / 2, middle_x + side / 2, middle_y + side / 2)
        if side < 1 or not (around[0] < picture.width and around[1] < picture.height and min(around[2:]) > 0):
            raise ValueError(f"its face box {image.box} is not in the image of {picture.width}x{picture.height}")
        return to_pixels(picture.crop(around)), shape


def _opened(found: ImageList, path: str) -> Image.Image:
    if found.content is not None:
        return Image.open(io.BytesIO(found.content(path)), formats=IMAGE_FORMATS)
    file = found.root / path
    if file.exists() and not file.is_file():  # to read a pipe might never end
        raise ValueError("not a file")
    return Image.open(file, formats=IMAGE_FORMATS)


def _persons(names: list[str]) -> torch.Tensor | None:
    """Returns a number for each person; None where some are not known."""
    if not all(names):
        return None
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return torch.tensor([places[name] for name in names], dtype=torch.int64)


def _log_shapes(shapes: Mapping[str, int], count: int, to_pixels: PixelFormat) -> None:
    if odd := shapes.get("not square", 0):
        done = {"crop": "cut to their middle", "pad": "given black bars", "stretch": "stretched"}[to_pixels.fit]
        log.info("%s of the %s images are not square: they are %s (data.fit)", f"{odd:,}", f"{count:,}", done)
    if shapes.get("colour", 0) and to_pixels.channels == 1:
        log.info(
            "%s of the %s images have colour, of which the grey is used; data.channels=3 keeps it",
            f"{shapes['colour']:,}",
            f"{count:,}",
        )


def _printable(path: str) -> str:
    """Returns, for a name that is not UTF-8, one that a table and a page can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
