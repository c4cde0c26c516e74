"""Hashes faces by what they show: faces that look alike have hashes that differ in few bits.

A bit is the sign of one frequency of an image's cosine transform, as in pHash (Zauner, Implementation and benchmarking
of perceptual image hash functions, 2010). The lowest frequencies of an image are the same in any size, so images need
not be resized. A mirrored image has the opposite sign in each frequency that is odd from left to right; those are a
word of their own, so that one comparison of two hashes covers both ways round.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from fer_lightning.transforms.pixels import ImageStore, KnownImages

Numbers = NDArray[np.float64]

WORDS, BITS = 2, 128
"""Words of 64 bits, and bits in all: the frequencies that are even from left to right, and those that are odd."""

HIGHEST = 16
"""Frequencies of each axis that are computed; the 128 lowest of both are among them."""

NOISE = 1e-6
"""Of a frequency, in shades of 0 to 255: what rounding makes of one that is not there, as in a flat image."""

GREY = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue (ITU-R BT.601)."""

MOVES = (-1.5 / 48, 0.0, 1.5 / 48)
"""Moves of a face in either direction, as shares of its side."""

SCALES = (0.92, 0.96, 1.0, 1.04, 1.08)
"""Sides of what is cut out, as shares of the image's."""

CUTS = len(SCALES) * len(MOVES) ** 2
"""Ways to cut a face out: scales, moves down, moves to the right."""

BATCH = 128
"""Images at a time: more do not fit into the processor's cache."""


def perceptual_hashes(images: ImageStore, rows: Tensor | None = None) -> Tensor:
    """Returns int64 (n, WORDS) for these rows, int64 (n,), or for all images; colour counts as its grey."""
    rows = torch.arange(len(images)) if rows is None else rows
    if isinstance(images, KnownImages):
        return images.hashes[rows]
    hashes = torch.empty(len(rows), WORDS, dtype=torch.int64)

    def hash_batch(start: int) -> None:
        hashes[start : start + BATCH] = hashes_of_pixels(images[rows[start : start + BATCH]])

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(hash_batch, range(0, len(rows), BATCH)):
            pass
    return hashes


def one_blas_thread() -> threadpool_limits:
    """Returns a context in which numpy starts no threads for its products: those of several threads of ours would wait
    for each other, twice as long as they compute."""
    return threadpool_limits(1, user_api="blas")


def without_structure(hashes: Tensor) -> Tensor:
    """Returns which hashes, int64 (n, WORDS), are of images without any frequency, as of one shade: bool (n,).

    All of these have the same hash, whatever their shade, and so are no near copies.
    """
    return (hashes == 0).all(1)


def hashes_of_pixels(images: Tensor) -> Tensor:
    """Returns int64 (B, WORDS) for images, uint8 (B, C, S, S)."""
    waves = _waves(images.shape[-1])
    return _signs(waves @ _grey(images) @ waves.T)


def recut_hashes(images: Tensor) -> Tensor:
    """Returns int64 (B, CUTS, WORDS): the hashes of faces that are cut out a little otherwise.

    Beyond its border, an image goes on as it ends there.

    Args:
        images: uint8 (B, C, S, S).
    """
    grey, hashes = _grey(images), []
    for scale in SCALES:
        waves = np.concatenate([_cut_waves(images.shape[-1], scale, move) for move in MOVES])
        transforms = (waves @ grey @ waves.T).reshape(len(grey), len(MOVES), HIGHEST, len(MOVES), HIGHEST)
        hashes.append(_signs(transforms.swapaxes(2, 3)).flatten(1, 2))
    return torch.cat(hashes, 1)


def _grey(images: Tensor) -> Numbers:
    pixels = images.numpy()
    return pixels[:, 0].astype(np.float64) if pixels.shape[1] == 1 else np.einsum("bchw,c->bhw", pixels, GREY)


def _signs(transform: Numbers) -> Tensor:
    """Returns int64 (…, WORDS) for frequencies (…, HIGHEST, HIGHEST)."""
    bits = (transform > NOISE).reshape(*transform.shape[:-2], HIGHEST * HIGHEST)
    return torch.from_numpy(np.packbits(bits.take(_PLACES, axis=-1), axis=-1).view(np.int64))


@cache
def _waves(size: int) -> Numbers:
    """Returns the cosines of each frequency over the pixels of a row, (HIGHEST, size)."""
    return _cosines(np.arange(size, dtype=np.float64) + 0.5, size) / size


@cache
def _cut_waves(size: int, scale: float, move: float) -> Numbers:
    """Returns what `_waves` are to a part of a row, which is interpolated linearly, as weights of its pixels."""
    count = 4 * size
    places = (np.arange(count) + 0.5) / count
    pixels = np.clip(((places - 0.5) * scale + 0.5 + move) * size - 0.5, 0, size - 1)
    left = np.minimum(pixels.astype(int), size - 2)
    interpolation = np.zeros((count, size))
    interpolation[np.arange(count), left] = 1 - (pixels - left)
    interpolation[np.arange(count), left + 1] = pixels - left
    return _cosines(np.arange(count, dtype=np.float64) + 0.5, count) @ interpolation / count


def _cosines(middles: Numbers, size: int) -> Numbers:
    return np.cos(np.pi * np.arange(HIGHEST)[:, None] * middles / size)


def _lowest_places() -> NDArray[np.int64]:
    """Returns the places of the 64 lowest frequencies that are even from left to right, and of those that are odd.

    Brightness, the very lowest, is not among them.
    """
    down, across = np.divmod(np.arange(HIGHEST * HIGHEST), HIGHEST)
    places = np.argsort(down**2 + across**2, kind="stable")[1:]
    is_odd = across[places] % 2 == 1
    return np.concatenate([places[~is_odd][:64], places[is_odd][:64]])


_PLACES = _lowest_places()
