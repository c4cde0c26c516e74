"""From whatever `data.path` names to Faces: look what it is, choose cache or reader, judge the bad rows."""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fer_lightning.data.cache import cached_reading, save_reading
from fer_lightning.data.faces import EMOTIONS, Faces, Reading
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
from fer_lightning.data.readers.image_folder import NUMBERED, ImageList, is_image_folder, list_images, read_images
from fer_lightning.data.readers.labelled_images import is_labelled, list_labelled, warn_of_foreign_table
from fer_lightning.data.readers.pixel_csv import parse_pixel_csv
from fer_lightning.data.readers.pixel_header import read_header
from fer_lightning.data.readers.pixel_text import short, some
from fer_lightning.data.readers.votes_file import NAME as VOTES_NAME
from fer_lightning.errors import DataError
from fer_lightning.signature import checked

log = logging.getLogger(__name__)


@checked
def read_faces(
    path: Path | str, on_bad_rows: Literal["error", "drop"] = "error", votes: VotesOptions | None = None
) -> Faces:
    """Returns the faces of a CSV, an archive or a folder, memory-mapped from the cache if it has been read before.

    In a folder the order of preference is: fer2013.csv (or .csv.gz, …), icml_face_data.csv, an image folder,
    train.csv, any other CSV or archive whose header fits, and then the same in the one subfolder with any. With
    `votes`, the labels are made of these.

    Raises:
        ValueError: another word for `on_bad_rows`.
        DataError: nothing is usable, or bad rows (or images) unless `on_bad_rows` is "drop".
    """
    started = time.perf_counter()
    named = Path(os.path.expanduser(path))
    try:
        source = _recognised(named)
        images = _listed(source) if source.is_dir() else None
        identity = file_identity(source) if images is None else images.digest
    except OSError as error:
        where = f"{short(str(path))}: cannot be read ({short(str(error))})"
        raise DataError(f"{where}. Give a readable file or folder as data.path.") from error

    reading = cached_reading(source, identity)
    if reading is not None and (reading.bad_rows == 0 or on_bad_rows == "drop"):
        came_from = "from the cache"
        _judge_bad_rows(reading, source, on_bad_rows)
    else:
        came_from = "parsed"
        reading = _parsed(source) if images is None else read_images(images)
        _judge_bad_rows(reading, source, on_bad_rows)
        save_reading(reading, source, identity, 0o777 if images is None else images.mode)
    seconds = time.perf_counter() - started
    what = f"{titled(source, reading.member)}, {reading.form}, {came_from}"
    log.info("%s faces of %s in %.2f s", f"{len(reading.faces):,}", what, seconds)
    faces = reading.faces if votes is None else votes.applied_to(reading, source, named)
    if not faces.files or source == named:
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


def _recognised(path: Path) -> Path:
    """Returns the file or the image folder to read: `path` itself, or what lies in it."""
    if path.is_file():
        return path
    if not path.is_dir():
        what = "neither a file nor a folder" if path.exists() else "there is no such file or folder"
        raise DataError(f"{path}: {what}. Give as data.path one of:\n{FORMS}")
    found = _source_in(path)
    if found is not None:
        return found
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
    return sources[0]


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
    if name is None and (is_labelled(folder) or is_image_folder(folder)):
        return folder
    name = name or table_with_fitting_header(names, header_error, folder)
    return None if name is None else folder / name


def _listed(folder: Path) -> ImageList:
    if is_labelled(folder):
        return list_labelled(folder)
    warn_of_foreign_table(folder)
    return list_images(folder)


def _parsed(file: Path) -> Reading:
    with open_csv(file) as (stream, member):
        return replace(parse_pixel_csv(stream, titled(file, member)), member=member)


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
    if reading.other_labels == {len(EMOTIONS)} and not (reading.faces.labels == 0).any():
        raise DataError(
            f"{title}: its labels are of 1 to 7, and FER2013's are {NUMBERED}: these may be another data set's, in "
            "another order (RAF-DB's begin with 1, for surprise), so that all faces would have a wrong one. Give a "
            "file with FER2013's labels as data.path."
        )
    if on_bad_rows == "error":
        drop = "leave them out with data.on_bad_rows=drop"
        if reading.other_labels:
            drop = f"if the other labels are FER2013's ({NUMBERED}), {drop}"
        raise DataError(
            f"{title}: {reading.bad_rows:,} of {total:,} {things} are bad:{listed}\nCorrect them, or {drop}."
        )
    log.warning("%s: dropped %s of %s %s:%s", title, f"{reading.bad_rows:,}", f"{total:,}", things, listed)
