"""Looks what a file or folder is: the forms that there are, and which of them a path has."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from fer_lightning.data.readers.archive import (
    is_visible,
    open_csv,
    table_named_fer2013,
    table_with_fitting_header,
    titled,
)
from fer_lightning.data.readers.forms_taken import FORMS
from fer_lightning.data.readers.image_folder import list_images
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.image_table import is_image_table, list_image_table
from fer_lightning.data.readers.known_forms import KNOWN_FORMS, is_folder_of_classes
from fer_lightning.data.readers.labelled_images import is_labelled, list_labelled
from fer_lightning.data.readers.nothing_found import nothing_found
from fer_lightning.data.readers.parquet import is_parquet, list_parquet
from fer_lightning.data.readers.pixel_header import read_header
from fer_lightning.data.readers.pixel_text import some
from fer_lightning.data.readers.votes_file import NAME as VOTES_NAME
from fer_lightning.data.readers.webdataset import is_webdataset, list_webdataset
from fer_lightning.errors import DataError

Recognises = Callable[[Path], bool]
Lists = Callable[[Path], ImageList]

IMAGE_FORMS: tuple[tuple[Recognises, Lists], ...] = (
    (is_labelled, list_labelled),
    *KNOWN_FORMS,
    (is_folder_of_classes, list_images),
)
"""Forms of images, the most certain first: what recognises a file or folder as one, and what lists its images.

The last one is that of what nothing else recognises.
"""

WRAPPINGS = 4
"""Folders with nothing but one folder in them, as archives unpack, that may lie around a data set."""


def recognised(path: Path, given: Mapping[str, str]) -> tuple[Path, Lists | None]:
    """Returns the file or folder to read, `path` itself or what lies in it, and what lists its images if it has any."""
    if path.is_file():
        lists = _lists(path, given)
        if given and lists is None:
            raise _no_columns(path, given)
        return path, lists
    if not path.is_dir():
        what = "neither a file nor a folder" if path.exists() else "there is no such file or folder"
        raise DataError(f"{path}: {what}. Give as data.path one of:\n{FORMS}")
    path, found = _unwrapped(path, given)
    if found is not None:
        return found, _lists(found, given)
    sources, errors = [], []
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and is_visible(folder.name):
            try:
                sources += [source for source in [_unwrapped(folder, given)[1]] if source is not None]
            except DataError as error:  # a folder of something else, perhaps: FER+ beside FER2013
                errors.append(error)
    if len(sources) > 1:
        several = some([str(source) for source in sources])
        raise DataError(f"{path}: holds several data sets: {several}. Give one of them as data.path.")
    if not sources and errors:
        raise errors[0]
    if not sources and given:
        raise _no_columns(path, given)
    if not sources:
        raise nothing_found(path)
    return sources[0], _lists(sources[0], given)


def column_forms(given: Mapping[str, str]) -> tuple[tuple[Recognises, Lists], ...]:
    """Returns the forms of images with columns that a person may name: they go before the last of IMAGE_FORMS."""
    return (
        (partial(is_image_table, given=given), partial(list_image_table, given=given)),
        (is_parquet, partial(list_parquet, given=given)),
        (is_webdataset, partial(list_webdataset, given=given)),
    )


def _unwrapped(folder: Path, given: Mapping[str, str]) -> tuple[Path, Path | None]:
    """Returns the folder within those that have nothing else in them, and what is to be read there, if anything is."""
    for _ in range(WRAPPINGS):
        if (found := _source_in(folder, given)) is not None:
            return folder, found
        inner = [entry for entry in folder.iterdir() if is_visible(entry.name)]
        if len(inner) != 1 or not inner[0].is_dir():
            break
        folder = inner[0]
    return folder, None


def _source_in(folder: Path, given: Mapping[str, str]) -> Path | None:
    def header_error(name: str) -> str | None:
        try:
            with open_csv(folder / name) as (stream, member):
                read_header(stream, titled(folder / name, member))
        except DataError as error:
            return str(error)
        return None

    files = (entry.name for entry in folder.iterdir() if entry.is_file())
    names = [] if given else sorted(name for name in files if is_visible(name) and name != VOTES_NAME)
    name = table_named_fer2013(names, folder)
    if name is None and _lists(folder, given):
        return folder
    name = name or table_with_fitting_header(names, header_error, folder)
    return None if name is None else folder / name


def _lists(path: Path, given: Mapping[str, str]) -> Lists | None:
    forms = column_forms(given)
    if not given:
        forms = (*IMAGE_FORMS[:-1], *forms, IMAGE_FORMS[-1])
    return next((lists for recognises, lists in forms if recognises(path)), None)


def _no_columns(path: Path, given: Mapping[str, str]) -> DataError:
    return DataError(
        f"{path}: holds no table of images with the columns {', '.join(given.values())} (data.columns). Name others, "
        "or leave data.columns out."
    )
