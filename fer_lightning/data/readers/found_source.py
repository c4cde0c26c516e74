"""Looks at a file or folder of faces before it is read: what it is, and which images it has."""

import gc
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from fer_lightning.data.faces import SIDE
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.image_choice import ImageChoice
from fer_lightning.data.readers.image_folder import list_images
from fer_lightning.data.readers.image_list import ImageList, own_size
from fer_lightning.data.readers.known_sets import with_what_is_known
from fer_lightning.data.readers.labelled_images import warn_of_foreign_table
from fer_lightning.data.readers.pixel_text import short
from fer_lightning.data.readers.recognition import recognised
from fer_lightning.data.readers.table_columns import given_columns
from fer_lightning.errors import DataError


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Keeps Python from looking through all of its objects again and again while hundreds of thousands are made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True, eq=False)
class FoundSource:
    """A file or folder of faces that has been looked at, and not read.

    Attributes:
        named: what data.path names.
        source: that itself, or the file or folder in it that is read.
        images: the images there; None where the pixels are text.
        identity: changes with the content.
        started: when it began to be looked at, by `time.perf_counter`.
    """

    named: Path
    source: Path
    images: ImageList | None
    identity: str
    started: float = field(default_factory=time.perf_counter)

    @cached_property
    def own_size(self) -> int:
        """Returns the height and width that its faces have by data.size=auto."""
        return SIDE if self.images is None else own_size(self.images)

    def chosen(self, choice: ImageChoice) -> "FoundSource":
        """Returns it with the images, and of these the labels, that are chosen.

        Raises:
            DataError: as `ImageChoice.chosen`.
        """
        return self if self.images is None else replace(self, images=choice.chosen(self.images))


def find_source(path: Path | str, columns: Mapping[str, str | None] | None = None) -> FoundSource:
    """Looks what a file or folder is, and lists its images; arguments and errors are those of `read_faces`."""
    started = time.perf_counter()
    named, given = Path(os.path.expanduser(path)), given_columns(columns)
    try:
        source, lists = recognised(named, given)
        if lists is list_images:
            warn_of_foreign_table(source)
        with _collection_paused():
            images = lists(source) if lists else None
        identity = file_identity(source) if images is None else images.digest
    except OSError as error:
        where = f"{short(str(path))}: cannot be read ({short(str(error))})"
        raise DataError(f"{where}. Give a readable file or folder as data.path.") from error
    if images is not None:
        images = with_what_is_known(images)
    return FoundSource(named, source, images, identity, started)
