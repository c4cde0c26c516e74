"""Images as the bytes of their files, decoded when they are taken: for sets that are larger than memory."""

import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_lightning.data.digests import digests
from fer_lightning.data.face_pixels import face_in
from fer_lightning.data.perceptual_hash import WORDS, hashes_of_pixels
from fer_lightning.errors import DataError
from fer_lightning.transforms.face_crop import Box
from fer_lightning.transforms.image_file import opened_image
from fer_lightning.transforms.pixel_format import PixelFormat

LARGEST_TASK = 16
"""Images that a thread decodes at a time."""

COLUMNS: Mapping[str, torch.dtype] = {
    "offsets": torch.int64,  # of its bytes in the file
    "sizes": torch.int64,  # in bytes
    "crcs": torch.int64,  # CRC-32 of its bytes, which is checked whenever they are decoded
    "boxes": torch.float64,  # (N, 4), of its face; NaN without one
    "digests": torch.int64,  # as `digests` gives them for its pixels
    "hashes": torch.int64,  # (N, WORDS), as `perceptual_hashes` gives them
    "sums": torch.int64,  # (N, C, 2), of the pixels of each channel, and of their squares
}
"""What is known of each image, and its type."""


class EncodedImages:
    """Images of which a file has the bytes.

    The file is read piece by piece, not mapped: pages of a mapped one would count as memory of the process, and one
    that somebody cuts short would end it without a message.

    Args:
        file: has the bytes.
        to_pixels: makes pixels of pictures.
        columns: of each image, see COLUMNS.
        names: of each image in the file, for messages.
    """

    def __init__(
        self, file: "PiecesFile", to_pixels: PixelFormat, columns: Mapping[str, Tensor], names: Sequence[str]
    ) -> None:
        self.file, self.to_pixels, self.columns, self.names = file, to_pixels, dict(columns), names
        self._places = torch.arange(len(names))  # of each image in `names`

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self.to_pixels.channels, self.to_pixels.size, self.to_pixels.size

    @property
    def digests(self) -> Tensor:
        return self.columns["digests"]

    @property
    def hashes(self) -> Tensor:
        return self.columns["hashes"]

    @property
    def sums(self) -> Tensor:
        return self.columns["sums"]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: Any, /) -> Tensor:
        """Returns the images of some rows, uint8 (B, C, H, W), decoded on threads; of one row, uint8 (C, H, W).

        Raises:
            DataError: an image is not what it was when the file was written.
        """
        wanted = torch.arange(len(self))[rows]
        if wanted.ndim == 0:
            return self[wanted.view(1)][0]
        batch = torch.empty(len(wanted), *self.shape[1:], dtype=torch.uint8)
        into, places = batch.numpy(), wanted.tolist()
        pieces = {name: self.columns[name][wanted].tolist() for name in ("offsets", "sizes", "crcs")}
        task = min(LARGEST_TASK, -(-len(wanted) // (2 * _thread_count())))

        def decode(start: int) -> None:
            for place in range(start, min(start + task, len(wanted))):
                piece = {name: values[place] for name, values in pieces.items()}
                into[place] = self._face(places[place], **piece)

        for _ in _threads(os.getpid()).map(decode, range(0, len(wanted), max(task, 1))):
            pass
        return batch

    def chosen(self, rows: Tensor) -> "EncodedImages":
        """Returns some rows, int64 (n,), which are not decoded."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        images = EncodedImages(self.file, self.to_pixels, columns, self.names)
        images._places = self._places[rows]
        return images

    def _face(self, row: int, offsets: int, sizes: int, crcs: int) -> NDArray[np.uint8]:
        try:
            content = self.file.piece(offsets, sizes)
            if zlib.crc32(content) != crcs:
                raise ValueError("its checksum differs")
            box = self.columns["boxes"][row].tolist()
            with opened_image(content) as picture:
                return face_in(picture, None if np.isnan(box[0]) else tuple(box), self.to_pixels)
        except Exception as error:
            name = self.names[int(self._places[row])]
            raise DataError(
                f"{self.file.path}: the image {name} in it cannot be read ({error}). Delete this file: it is made "
                "again from the images."
            ) from error


class EncodedWriter:
    """Takes the images of a set one by one, from several threads, and writes their bytes: memory holds none of them.

    Args:
        stream: is written to, from its beginning.
        count: of the images, as they are listed.
        to_pixels: makes pixels of pictures.
    """

    def __init__(self, stream: BinaryIO, count: int, to_pixels: PixelFormat) -> None:
        self.stream, self.to_pixels, self.size = stream, to_pixels, 0
        shapes = {"boxes": (4,), "hashes": (WORDS,), "sums": (to_pixels.channels, 2)}
        self._columns = {name: torch.zeros(count, *shapes.get(name, ()), dtype=kind) for name, kind in COLUMNS.items()}
        self._lock = threading.Lock()

    def add(self, place: int, content: bytes, box: Box | None, face: NDArray[np.uint8]) -> None:
        """Takes the image at this place of the list.

        Args:
            place: in the list, from 0.
            content: of its file.
            box: of its face.
            face: its pixels, uint8 (C, size, size), as `face_in` gives them.

        Raises:
            OSError: it cannot be written.
        """
        image = torch.from_numpy(np.array(face[None], order="C"))
        pixels = image[0].flatten(1).numpy().astype(np.float64)  # sums of whole numbers are exact
        sums = np.stack([pixels.sum(1), np.einsum("cp,cp->c", pixels, pixels)], 1).astype(np.int64)
        known: dict[str, Any] = {
            "sizes": len(content),
            "crcs": zlib.crc32(content),
            "boxes": torch.tensor((np.nan,) * 4 if box is None else box, dtype=torch.float64),
            "digests": digests(image)[0],
            "hashes": hashes_of_pixels(image)[0],
            "sums": torch.from_numpy(sums),
        }
        with self._lock:
            known["offsets"] = self.size
            self.stream.write(content)
            self.size += len(content)
        for name, value in known.items():
            self._columns[name][place] = value

    def store(self, good: NDArray[np.bool_], names: Sequence[str]) -> EncodedImages:
        """Returns the images at the places that are good, bool (count,), which have these names."""
        rows = torch.from_numpy(np.flatnonzero(good))
        columns = {name: column[rows] for name, column in self._columns.items()}
        return EncodedImages(PiecesFile(Path(self.stream.name)), self.to_pixels, columns, names)


class PiecesFile:
    """Reads pieces of a file, from several threads at once; it stays what it was when somebody replaces it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stream: FileIO | None = None

    def open(self) -> "PiecesFile":
        """Opens the file, which otherwise the first piece does."""
        if self._stream is None:
            self._stream = FileIO(self.path)
        return self

    @property
    def size(self) -> int:
        return os.fstat(self._opened.fileno()).st_size

    def piece(self, offset: int, size: int) -> bytes:
        """Returns some bytes of the file.

        Raises:
            OSError: it cannot be read.
            ValueError: it ends before.
        """
        stream = self._opened
        if hasattr(os, "pread"):  # which Windows has not
            content = os.pread(stream.fileno(), size, offset)
        else:
            with self._lock:
                stream.seek(offset)
                content = stream.read(size) or b""
        if len(content) != size:
            raise ValueError("the file ends before it")
        return content

    @property
    def _opened(self) -> FileIO:
        with self._lock:
            self.open()
        assert self._stream is not None
        return self._stream

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def __reduce__(self) -> tuple[type["PiecesFile"], tuple[Path]]:
        return PiecesFile, (self.path,)  # for a process that is spawned: each image's checksum tells if it is another


def _thread_count() -> int:
    return os.cpu_count() or 1


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Returns the threads of a process, by its id: one that is forked has none of its parent's."""
    return ThreadPoolExecutor(_thread_count(), f"decoder of {process}")
