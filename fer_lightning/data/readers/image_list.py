"""Lists of images with their classes, as every reader of image files makes them; and reading the pixels they name."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.data.emotions import in_order
from fer_lightning.data.encoded import EncodedWriter
from fer_lightning.data.face_pixels import face_in
from fer_lightning.data.faces import SHOWN, SIDE, Faces, Reading
from fer_lightning.data.perceptual_hash import one_blas_thread
from fer_lightning.data.readers.entries import Inside
from fer_lightning.data.readers.pixel_text import short, some
from fer_lightning.files import printable
from fer_lightning.transforms.face_crop import BOX_MARGIN, Box
from fer_lightning.transforms.image_file import IMAGE_FORMATS, LARGEST_FILE, opened_image
from fer_lightning.transforms.pixel_format import PixelFormat

log = logging.getLogger(__name__)

IMAGES_PER_TASK = 64
EXPECTED = "a jpg, png, bmp, webp, tiff or gif of at most 16 bits"

LARGEST_AUTO_SIZE = 112
"""Height and width of faces with size="auto" at most: a hundred thousand of them are 1.3 GB in grey."""

SIZED = 200
"""Images whose size is looked at for size="auto", spread evenly over the list."""


class ListedImage(NamedTuple):
    """An image of a list, and what its source says about it."""

    part: int  # index into the list's part_names
    class_name: str  # perhaps a number
    path: str  # below the list's root, with /
    person: str = ""  # "" where that is not known: then those of the whole list are not
    box: Box | None = None  # of the face


@dataclass(frozen=True)
class ImageList:
    """The images below `root`, in the order in which they become faces."""

    root: Path
    part_names: tuple[str, ...]
    images: tuple[ListedImage, ...]
    ignored: tuple[str, ...]  # paths of what lies among them and is not read
    digest: str  # of every image's path below root, size and times, and of what else decides the faces
    options: tuple[str, ...] = ()  # keys and values of conf/data that decide the faces, too
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
    several_of_each: bool = False  # the set has several pictures of each person, even if it does not say whose

    @property
    def classes(self) -> tuple[str, ...]:
        return self.class_names or in_order(self.class_counts)

    @cached_property
    def class_counts(self) -> Counter[str]:
        counts = Counter(map(attrgetter("class_name"), self.images))
        counts.subtract(self.images[place].class_name for place in self.bad)
        return +counts


def own_size(found: ImageList) -> int:
    """Returns the median of the shorter sides of some of the images or of their boxes, at most 112 pixels."""
    sides = [min(size) for size in some_sizes(found, SIZED)]
    return min(max(round(float(np.median(sides))), 1), LARGEST_AUTO_SIZE) if sides else SIDE


def some_sizes(found: ImageList, count: int) -> Iterator[tuple[float, float]]:
    """Yields width and height of about `count` of the images, spread evenly, or of what their boxes cut out."""
    for image in found.images[:: max(len(found.images) // count, 1)]:
        if image.box is not None:
            side = (image.box[2] - image.box[0]) * BOX_MARGIN
            yield side, side
            continue
        try:
            with _opened(found, image.path) as picture:  # which reads no more than it must
                yield picture.size
        except Exception:  # read_images says why
            continue


class ImagesInMemory:
    """Takes images one by one, from several threads, and keeps their pixels."""

    def __init__(self, count: int, to_pixels: PixelFormat) -> None:
        self.pixels = np.empty((count, to_pixels.channels, to_pixels.size, to_pixels.size), np.uint8)

    def add(self, place: int, content: bytes, box: Box | None, face: NDArray[np.uint8]) -> None:
        self.pixels[place] = face

    def store(self, good: NDArray[np.bool_], names: Sequence[str]) -> torch.Tensor:
        return torch.from_numpy(self.pixels[good])


def read_images(found: ImageList, to_pixels: PixelFormat, into: EncodedWriter | None = None) -> Reading:
    """Decodes the images on threads; what has more than 16 bits or 30 million pixels, or does not decode, is bad.

    Args:
        found: the images.
        to_pixels: makes pixels of them.
        into: takes their bytes; None keeps their pixels.

    Raises:
        OSError: from `into`.
    """
    log.info("reading %s images below %s …", f"{len(found.images):,}", found.root)
    if found.ignored:
        count, names = len(found.ignored), some(found.ignored)
        log.warning("%s: ignoring %s that are not %s: %s", found.root, f"{count:,}", found.wanted, names)
    kept_in, inside = into or ImagesInMemory(len(found.images), to_pixels), Inside(found.root)

    def read_into_place(start: int) -> tuple[list[tuple[int, str]], Counter[str]]:
        bad: list[tuple[int, str]] = []
        shapes: Counter[str] = Counter()
        for place, image in enumerate(found.images[start : start + IMAGES_PER_TASK], start):
            if place in found.bad:
                bad.append((place, found.bad[place]))
                continue
            try:
                content, face, shape = _face(found, image, to_pixels, inside)
            except FileNotFoundError:
                bad.append((place, f"{image.path}: there is no such file, expected {EXPECTED}"))
            except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them into
                why = f"found an unreadable image ({short(str(error))}), expected {EXPECTED}"
                bad.append((place, f"{image.path}: {why}"))
            else:
                kept_in.add(place, content, image.box, face)
                shapes.update(shape)
        return bad, shapes

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
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
    files = tuple(printable(image.path) for image in kept)
    faces = Faces(
        images=kept_in.store(good, files),
        labels=torch.tensor([places[image.class_name] for image in kept], dtype=torch.int64),
        parts=torch.tensor([image.part for image in kept], dtype=torch.uint8),
        numbers=torch.from_numpy(np.flatnonzero(good) + 1),
        part_names=found.part_names,
        class_names=found.classes,
        files=files,
        soft_labels=None if found.soft_labels is None else torch.from_numpy(found.soft_labels[good]),
        persons=_persons([image.person for image in kept]),
        several_of_each=found.several_of_each or _several_of_some([image.person for image in kept]),
    )
    form = f"{found.form} ({', '.join(found.part_names)})"
    bad_rows = int((~good).sum())
    return Reading(faces, form, bad_rows=bad_rows, first_bad=tuple(first_bad), numbering=found.numbering)


def _face(
    found: ImageList, image: ListedImage, to_pixels: PixelFormat, inside: Inside
) -> tuple[bytes, NDArray[np.uint8], list[str]]:
    """Returns the bytes of an image, its face, and what the log tells of its shape."""
    content = _content(found, image.path, inside)
    with opened_image(content) as picture:
        if picture.format == "PNG":
            picture.verify()  # its checksums, which Pillow else leaves alone where they are of pixels
    with opened_image(content) as picture:
        shape = ["colour"] * (picture.mode not in ("L", "1", "LA", "I;16")) + ["not square"] * (
            picture.width != picture.height and image.box is None
        )
        return content, face_in(picture, image.box, to_pixels), shape


def _content(found: ImageList, path: str, inside: Inside) -> bytes:
    if found.content is not None:
        return found.content(path)
    file = _plain_file(found.root / path)
    if not inside.has(file):
        raise ValueError(f"a link leads out of {found.root}, and those are not followed: copy it into the folder")
    if (size := file.stat().st_size) > LARGEST_FILE:
        raise ValueError(f"{size:,} bytes, more than {LARGEST_FILE:,}")
    return file.read_bytes()


def _opened(found: ImageList, path: str) -> Image.Image:
    if found.content is not None:
        return opened_image(found.content(path))
    return Image.open(_plain_file(found.root / path), formats=IMAGE_FORMATS)


def _plain_file(file: Path) -> Path:
    if file.exists() and not file.is_file():  # to read a pipe might never end
        raise ValueError("not a file")
    return file


def _persons(names: list[str]) -> torch.Tensor | None:
    """Returns a number for each person; None where some are not known."""
    if not all(names):
        return None
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return torch.tensor([places[name] for name in names], dtype=torch.int64)


def _several_of_some(names: list[str]) -> bool:
    """Checks that the persons that are known have more pictures than one each."""
    known = [*filter(None, names)]
    return len({*known}) < len(known)


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
