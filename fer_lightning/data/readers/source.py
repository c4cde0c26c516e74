"""From whatever `data.path` names to Faces: look what it is, choose cache or reader, judge the bad rows."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from fer_lightning.data.cache import cached_reading, save_reading
from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.encoded import EncodedWriter
from fer_lightning.data.encoded_cache import cached_encoding, save_encoding
from fer_lightning.data.faces import Faces, Reading
from fer_lightning.data.readers.archive import open_csv, titled
from fer_lightning.data.readers.bad_rows import judge_bad_rows
from fer_lightning.data.readers.ckextended import NUMBERING, is_ckextended
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.found_source import FoundSource, find_source
from fer_lightning.data.readers.image_choice import ImageChoice
from fer_lightning.data.readers.image_list import ImageList, read_images
from fer_lightning.data.readers.pixel_csv import parse_pixel_csv
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.recognition import recognised
from fer_lightning.errors import DataError
from fer_lightning.signature import checked
from fer_lightning.transforms.pixel_format import PixelFormat

log = logging.getLogger(__name__)

OnBadRows = Literal["error", "drop"]


@checked
def read_faces(
    path: Path | str,
    on_bad_rows: OnBadRows = "error",
    votes: VotesOptions | None = None,
    pixels: PixelOptions | None = None,
    classes: ClassOptions | None = None,
    columns: Mapping[str, str | None] | None = None,
    may_lack: bool = False,
    choice: ImageChoice | None = None,
) -> Faces:
    """Returns the faces of a file or folder, memory-mapped from the cache if it has been read before.

    In a folder the order of preference is: fer2013.csv (or .csv.gz, …), icml_face_data.csv, a form of images,
    train.csv, any other CSV or archive whose header fits, and then the same in the one subfolder with any.

    Args:
        path: a pixel CSV, an archive of one, or images in one of the forms of docs/data.md.
        on_bad_rows: refuse bad rows or images ("error"), or leave them out ("drop").
        votes: FER+'s votes, of which the labels are made; None keeps the source's own.
        pixels: the pixels to make of images; None: grey, in their own size.
        classes: the classes to use; None takes all.
        columns: of a table of images, parquet files or the like: the column for each of image, label, split and person;
            what is None or left out is looked for by the usual names.
        may_lack: the source may be without some of the classes.
        choice: the images of a source to take, and whose labels; None takes the usual ones.

    Raises:
        ValueError: another word for `on_bad_rows`, or another key in `columns`.
        DataError: nothing is usable, bad rows, or classes that are not known.
    """
    found = find_source(path, columns).chosen(choice or ImageChoice())
    return read_found(found, on_bad_rows, votes, pixels, classes, may_lack)


def read_found(
    found: FoundSource,
    on_bad_rows: OnBadRows = "error",
    votes: VotesOptions | None = None,
    pixels: PixelOptions | None = None,
    classes: ClassOptions | None = None,
    may_lack: bool = False,
) -> Faces:
    """Returns the faces of a file or folder that has been looked at; as `read_faces`."""
    pixels, classes = pixels or PixelOptions(), classes or ClassOptions()
    named, source = found.named, found.source
    if found.images is None:
        reading, came_from = _text_reading(source, found.identity, pixels, on_bad_rows)
    else:
        classes.refuse_unnamed(found.images.class_counts, source, found.images.numbering)
        reading, came_from = _image_reading(found, found.images, pixels, on_bad_rows)
    what = f"{titled(source, reading.member)}, {reading.form}, {came_from}"
    log.info("%s faces of %s in %.2f s", f"{len(reading.faces):,}", what, time.perf_counter() - found.started)
    faces = classes.named(reading.faces, titled(source, reading.member), reading.numbering)
    if votes is not None:
        faces = votes.applied_to(replace(reading, faces=faces), source, named)
    faces = _in_format(classes.chosen(faces, source, may_lack), pixels.pixel_format(faces.images.shape[-1]))
    if not faces.files or source == named or not source.is_dir():
        return faces
    below = source.relative_to(named).as_posix()
    return replace(faces, files=tuple(f"{below}/{file}" for file in faces.files))


def find_fer2013() -> Path:
    """Returns where `data=fer2013` looks if no path is given: $FER2013, otherwise `data/` in the current directory."""
    chosen = os.environ.get("FER2013")
    path = Path(os.path.expanduser(chosen)) if chosen else Path("data")
    try:
        recognised(path, {})
    except (DataError, OSError) as error:
        where = "$FER2013" if chosen else "data/ (and $FER2013 is not set)"
        if isinstance(error, DataError) and not path.exists():
            where = f"$FER2013, {path}" if chosen else where
            raise DataError(
                f"No FER2013 in {where}: there is no such file or folder. Say where it is with data.path=…, a file as "
                f"fer2013.csv or a folder, also of images; data=demo needs no files"
            ) from None
        raise DataError(
            f"No FER2013 in {where}: {error}\nSay where it is with data.path=…; data=demo needs no files."
        ) from error
    return path


def _text_reading(source: Path, identity: str, pixels: PixelOptions, on_bad_rows: OnBadRows) -> tuple[Reading, str]:
    """Returns what a file of pixels in text holds, and where that came from."""
    if pixels.keep == "encoded":
        raise DataError(f"{source}: its pixels are text, which data.keep=encoded cannot keep: leave data.keep=auto.")
    cached = cached_reading(source, identity)
    if cached is not None and _may_be_used(cached, source, on_bad_rows):
        return cached, "from the cache"
    reading = _parsed(source)
    judge_bad_rows(reading, source, on_bad_rows)
    save_reading(reading, source, identity, 0o777)
    return reading, "parsed"


def _image_reading(
    found: FoundSource, images: ImageList, pixels: PixelOptions, on_bad_rows: OnBadRows
) -> tuple[Reading, str]:
    """Returns the images, as pixels or encoded, and where they came from."""
    source, count, to_pixels = found.source, len(images.images), pixels.pixel_format(found.own_size)
    identity, options = images.digest, " ".join((to_pixels.in_words, *images.options))
    encoded = pixels.are_encoded(count, to_pixels)
    if encoded:
        cached = cached_encoding(source, identity, to_pixels, options)
    else:
        cached = cached_reading(source, identity, options)
    if cached is not None and _may_be_used(cached, source, on_bad_rows):
        return cached, "from the cache"

    def read(writer: EncodedWriter | None = None) -> Reading:
        reading = read_images(images, to_pixels, writer)
        judge_bad_rows(reading, source, on_bad_rows)
        return reading

    if encoded:
        return save_encoding(read, count, to_pixels, source, identity, images.mode, options), "read"
    reading = read()
    save_reading(reading, source, identity, images.mode, options)
    return reading, "parsed"


def _may_be_used(cached: Reading, source: Path, on_bad_rows: OnBadRows) -> bool:
    """Checks that what is cached is all good, or may lack what is bad, which is logged again."""
    if cached.bad_rows and on_bad_rows == "error":
        return False
    judge_bad_rows(cached, source, on_bad_rows)
    return True


def _parsed(file: Path) -> Reading:
    with open_csv(file) as (stream, member):
        reading = replace(parse_pixel_csv(stream, titled(file, member)), member=member)
    if reading.numbering and is_ckextended(member or file.name):
        return replace(reading, numbering=NUMBERING, faces=replace(reading.faces, several_of_each=True))
    return reading


def _in_format(faces: Faces, to_pixels: PixelFormat) -> Faces:
    """Returns faces in another size, or in three channels."""
    if tuple(faces.images.shape[1:]) == (to_pixels.channels, to_pixels.size, to_pixels.size):
        return faces
    pictures = (Image.fromarray(image[0].numpy()) for image in faces.images[torch.arange(len(faces))])
    images = np.ascontiguousarray(np.stack([to_pixels(picture) for picture in pictures]))
    return replace(faces, images=torch.from_numpy(images))
