"""Caches a set of images as one file with the bytes of all of them, and a table of what is known of each.

The file is: the images' bytes, in any order; a table, in safetensors' format; a footer, which says where the table is
and has its checksum. A start reads the table alone, whatever the images have: it checks the table's checksum, and that
each image lies within the file. An image's own checksum is checked whenever it is decoded, which ends in one message if
it differs. What a start would have to decode all images for is in the table: their digests and hashes, by which copies
are known, and the sums of their pixels for mean and deviation.

Like every cache, the file gets its name only when complete, and holds for one schema and one identity of its source;
also for the version of the decoders, since another might make other pixels.
"""

import glob
import json
import logging
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from fer_lightning.data.cache import (
    OPTIONAL,
    TENSORS,
    UnusableError,
    content_of,
    first_usable,
    mode_beside,
    places,
    reading_of,
    refuse_another,
)
from fer_lightning.data.encoded import COLUMNS, EncodedImages, EncodedWriter, PiecesFile
from fer_lightning.data.faces import Reading
from fer_lightning.data.perceptual_hash import WORDS
from fer_lightning.errors import DataError
from fer_lightning.files import written_whole
from fer_lightning.transforms.pixel_format import PixelFormat

log = logging.getLogger(__name__)

SUFFIX = "encoded"

FOOTER = struct.Struct("<QQI8s")
"""Where the table begins, its size in bytes, its CRC-32, MAGIC."""

MAGIC = b"FERimgs1"
"""The last bytes of each such file; another number for another layout."""

ABANDONED = 3600
"""Seconds without a change after which an unfinished file is that of a killed process: a living one always writes."""


def cached_encoding(source: Path, identity: str, to_pixels: PixelFormat, options: str = "") -> Reading | None:
    """Returns what is cached of a folder of images, as `cached_reading`; None if nothing usable is."""
    return first_usable(places(source, SUFFIX), lambda file: _load(PiecesFile(file), identity, to_pixels, options))


def save_encoding(
    read: Callable[[EncodedWriter], Reading],
    count: int,
    to_pixels: PixelFormat,
    source: Path,
    identity: str,
    mode: int,
    options: str = "",
) -> Reading:
    """Reads images into a cache file beside their source or, failing that, in the user's cache directory.

    Args:
        read: gives the images to a writer and returns the reading; called once more if the first place fails.
        count: of the images.
        to_pixels: makes pixels of them.
        source: the folder of the images.
        identity: of the source.
        mode: the permissions that all images give.
        options: what is made of the images, in words.

    Raises:
        DataError: from `read`, or neither place takes the file.
    """
    beside, in_cache_dir = places(source, SUFFIX)
    try:
        return _save(beside, read, count, to_pixels, identity, options, mode_beside(source, mode))
    except OSError as error:
        log.warning("cannot save a cache at %s (%s); saving it at %s", beside, error, in_cache_dir)
    try:
        return _save(in_cache_dir, read, count, to_pixels, identity, options, 0o600)
    except OSError as error:
        raise DataError(
            f"{source}: its images cannot be kept encoded, neither at {beside} nor at {in_cache_dir} ({error}). Make "
            "room in one of these folders, name another in $FER_LIGHTNING_CACHE, or keep them in memory: "
            "data.keep=pixels."
        ) from error


def _save(
    file: Path,
    read: Callable[[EncodedWriter], Reading],
    count: int,
    to_pixels: PixelFormat,
    identity: str,
    options: str,
    mode: int,
) -> Reading:
    _remove_abandoned(file)
    with written_whole(file, mode) as unfinished, unfinished.open("wb") as stream:
        writer = EncodedWriter(stream, count, to_pixels)
        reading = read(writer)
        images = reading.faces.images
        assert isinstance(images, EncodedImages)
        tensors, metadata = content_of(reading, identity, options)
        del tensors["images"], metadata["files"]
        names = np.frombuffer(bytearray(json.dumps(reading.faces.files).encode()), np.uint8)
        tensors |= images.columns | {"files": torch.from_numpy(names)}
        table = save(tensors, metadata | {"decoders": _decoders()})
        stream.write(table + FOOTER.pack(writer.size, len(table), zlib.crc32(table), MAGIC))
    try:
        return _load(PiecesFile(file), identity, to_pixels, options)
    except UnusableError as why:
        raise DataError(f"{file}: another process has written it meanwhile ({why}). Start again.") from why


def _remove_abandoned(file: Path) -> None:
    """Removes what killed processes have left of this file: gigabytes, perhaps."""
    for unfinished in file.parent.glob(f".{glob.escape(file.name)}.*.tmp"):
        with suppress(OSError):
            if time.time() - unfinished.stat().st_mtime > ABANDONED:
                unfinished.unlink()


def _load(file: PiecesFile, identity: str, to_pixels: PixelFormat, options: str) -> Reading:
    table, end = _table(file)
    tensors = load(table)
    length = int.from_bytes(table[:8], "little")  # of safetensors' header, whose metadata `load` leaves out
    metadata = dict(json.loads(table[8 : 8 + length]).get("__metadata__", {}))
    refuse_another(metadata, identity, options)
    if metadata.get("decoders") != _decoders():
        raise UnusableError(f"made with {metadata.get('decoders')}, not {_decoders()}")
    names = tuple(json.loads(tensors["files"].numpy().tobytes()))
    columns = {name: tensors[name] for name in COLUMNS}
    if not _are_images(columns, len(names), to_pixels, end):
        raise UnusableError("its table does not fit its images")
    images = EncodedImages(file, to_pixels, columns, names)
    kept = {name: tensors[name] for name in (*TENSORS, *OPTIONAL) if name in tensors and name != "images"}
    return reading_of(kept | {"images": images}, metadata, names)


def _table(file: PiecesFile) -> tuple[bytes, int]:
    """Returns the table, and where it begins."""
    size = file.size
    start, length, crc, magic = FOOTER.unpack(file.piece(max(size - FOOTER.size, 0), FOOTER.size))
    if magic != MAGIC or start + length + FOOTER.size != size:
        raise UnusableError("damaged (its footer is not where it should be)")
    table = file.piece(start, length)
    if zlib.crc32(table) != crc:
        raise UnusableError("damaged (its checksum differs)")
    return table, start


def _are_images(columns: dict[str, Tensor], count: int, to_pixels: PixelFormat, end: int) -> bool:
    """Checks that these are columns of this many images, whose bytes lie before `end`."""
    shapes = {"boxes": (count, 4), "hashes": (count, WORDS), "sums": (count, to_pixels.channels, 2)}
    offsets, sizes = columns["offsets"], columns["sizes"]
    return (
        all(columns[name].dtype == kind for name, kind in COLUMNS.items())
        and all(columns[name].shape == shapes.get(name, (count,)) for name in COLUMNS)
        and bool(((offsets >= 0) & (sizes > 0) & (offsets <= end) & (sizes <= end - offsets)).all())
    )


def _decoders() -> str:
    return f"pillow {version('pillow')}"
