"""From whatever `data.path` names to Faces: look what it is, choose cache or reader, judge the bad rows."""

import logging
import os
import time
from collections.abc import Callable
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
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.archive import (
    FORMS,
    is_visible,
    open_csv,
    table_named_fer2013,
    table_with_fitting_header,
    titled,
)
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.image_folder import is_image_folder, list_images
from fer_lightning.data.readers.image_list import ImageList, own_size, read_images
from fer_lightning.data.readers.labelled_images import is_labelled, list_labelled, warn_of_foreign_table
from fer_lightning.data.readers.pixel_csv import parse_pixel_csv
from fer_lightning.data.readers.pixel_header import read_header
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.pixel_text import short, some
from fer_lightning.data.readers.votes_file import NAME as VOTES_NAME
from fer_lightning.errors import DataError
from fer_lightning.signature import checked
from fer_lightning.transforms.preprocessing import PixelFormat

log = logging.getLogger(__name__)

Recognises = Callable[[Path], bool]
Lists = Callable[[Path], ImageList]

IMAGE_FORMS: tuple[tuple[Recognises, Lists], ...] = (
    (is_labelled, list_labelled),
    (is_image_folder, list_images),
)
"""Forms of images, the most certain first: what recognises a file or folder as one, and what lists its images."""

WRAPPINGS = 4
"""Folders with nothing but one folder in them, as archives unpack, that may lie around a data set."""


@checked
def read_faces(
    path: Path | str,
    on_bad_rows: Literal["error", "drop"] = "error",
    votes: VotesOptions | None = None,
    pixels: PixelOptions | None = None,
    classes: ClassOptions | None = None,
    may_lack: bool = False,
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
        may_lack: the source may be without some of the classes.

    Raises:
        ValueError: another word for `on_bad_rows`.
        DataError: nothing is usable, bad rows, or classes that are not known.
    """
    started = time.perf_counter()
    named, pixels, classes = Path(os.path.expanduser(path)), pixels or PixelOptions(), classes or ClassOptions()
    try:
        source, lists = _recognised(named)
        if lists is list_images:
            warn_of_foreign_table(source)
        images = lists(source) if lists else None
        identity = file_identity(source) if images is None else images.digest
    except OSError as error:
        where = f"{short(str(path))}: cannot be read ({short(str(error))})"
        raise DataError(f"{where}. Give a readable file or folder as data.path.") from error

    to_pixels, encoded = PixelFormat(), False
    if images is not None:
        classes.refuse_unnamed(images.class_counts, source, images.numbering)
        to_pixels = pixels.pixel_format(own_size(images))
        identity = f"{identity}, {to_pixels}"
        encoded = pixels.are_encoded(len(images.images), to_pixels)
    elif pixels.keep == "encoded":
        raise DataError(f"{source}: its pixels are text, which data.keep=encoded cannot keep: leave data.keep=auto.")

    def read_encoded(writer: EncodedWriter) -> Reading:
        assert images is not None
        reading = read_images(images, to_pixels, writer)
        _judge_bad_rows(reading, source, on_bad_rows)
        return reading

    reading = cached_encoding(source, identity, to_pixels) if encoded else cached_reading(source, identity)
    if reading is not None and (reading.bad_rows == 0 or on_bad_rows == "drop"):
        came_from = "from the cache"
        _judge_bad_rows(reading, source, on_bad_rows)
    elif images is not None and encoded:
        came_from = "read"
        reading = save_encoding(read_encoded, len(images.images), to_pixels, source, identity, images.mode)
    else:
        came_from = "parsed"
        reading = _parsed(source) if images is None else read_images(images, to_pixels)
        _judge_bad_rows(reading, source, on_bad_rows)
        save_reading(reading, source, identity, 0o777 if images is None else images.mode)
    seconds = time.perf_counter() - started
    what = f"{titled(source, reading.member)}, {reading.form}, {came_from}"
    log.info("%s faces of %s in %.2f s", f"{len(reading.faces):,}", what, seconds)
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
        _recognised(path)
    except (DataError, OSError) as error:
        where = "$FER2013" if chosen else "data/ (and $FER2013 is not set)"
        raise DataError(
            f"No FER2013 in {where}: {error}\nSay where it is with data.path=…; data=demo needs no files."
        ) from error
    return path


def _recognised(path: Path) -> tuple[Path, Lists | None]:
    """Returns the file or folder to read, `path` itself or what lies in it, and what lists its images if it has any."""
    if path.is_file():
        return path, _lists(path)
    if not path.is_dir():
        what = "neither a file nor a folder" if path.exists() else "there is no such file or folder"
        raise DataError(f"{path}: {what}. Give as data.path one of:\n{FORMS}")
    for _ in range(WRAPPINGS):
        found = _source_in(path)
        if found is not None:
            return found, _lists(found)
        inner = [entry for entry in path.iterdir() if is_visible(entry.name)]
        if len(inner) != 1 or not inner[0].is_dir():
            break
        path = inner[0]
    sources, errors = [], []
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and is_visible(folder.name):
            try:
                sources += [source for source in [_source_in(folder)] if source is not None]
            except DataError as error:  # a folder of something else, perhaps: FER+ beside FER2013
                errors.append(error)
    if len(sources) > 1:
        several = some([str(source) for source in sources])
        raise DataError(f"{path}: holds several data sets: {several}. Give one of them as data.path.")
    if not sources and errors:
        raise errors[0]
    if not sources:
        raise DataError(f"{path}: this folder holds nothing to read. Give as data.path one of:\n{FORMS}")
    return sources[0], _lists(sources[0])


def _source_in(folder: Path) -> Path | None:
    def header_error(name: str) -> str | None:
        try:
            with open_csv(folder / name) as (stream, member):
                read_header(stream, titled(folder / name, member))
        except DataError as error:
            return str(error)
        return None

    files = (entry.name for entry in folder.iterdir() if entry.is_file())
    names = sorted(name for name in files if is_visible(name) and name != VOTES_NAME)
    name = table_named_fer2013(names, folder)
    if name is None and _lists(folder):
        return folder
    name = name or table_with_fitting_header(names, header_error, folder)
    return None if name is None else folder / name


def _lists(path: Path) -> Lists | None:
    return next((lists for recognises, lists in IMAGE_FORMS if recognises(path)), None)


def _parsed(file: Path) -> Reading:
    with open_csv(file) as (stream, member):
        return replace(parse_pixel_csv(stream, titled(file, member)), member=member)


def _in_format(faces: Faces, to_pixels: PixelFormat) -> Faces:
    """Returns faces in another size, or in three channels."""
    if tuple(faces.images.shape[1:]) == (to_pixels.channels, to_pixels.size, to_pixels.size):
        return faces
    pictures = (Image.fromarray(image[0].numpy()) for image in faces.images[torch.arange(len(faces))])
    return replace(faces, images=torch.from_numpy(np.stack([to_pixels(picture) for picture in pictures])))


def _judge_bad_rows(reading: Reading, source: Path, on_bad_rows: Literal["error", "drop"]) -> None:
    """Raises DataError, or logs what was dropped."""
    if reading.bad_rows == 0:
        return
    title = titled(source, reading.member)
    things = "images" if source.is_dir() else "rows"
    total = reading.bad_rows + len(reading.faces)
    listed = "".join(f"\n- {message}" for message in reading.first_bad)
    more = reading.bad_rows - len(reading.first_bad)
    listed += f"\n- … and {more:,} more" if more else ""
    if len(reading.faces) == 0:
        raise DataError(
            f"{title}: all {total:,} {things} are bad, so none is left:{listed}\nGive a correct source as data.path."
        )
    if on_bad_rows == "error":
        raise DataError(
            f"{title}: {reading.bad_rows:,} of {total:,} {things} are bad:{listed}\n"
            "Correct them, or leave them out with data.on_bad_rows=drop."
        )
    log.warning("%s: dropped %s of %s %s:%s", title, f"{reading.bad_rows:,}", f"{total:,}", things, listed)
