"""Finds near copies: faces whose perceptual hashes differ in few bits, once one of them is cut out as the other is.

All hashes are compared with all others; those that differ in not too many bits are candidates. A face that was cut out
a little otherwise is one of them, as are many other faces. So the first face of such a pair is cut out in several ways,
and the pair is a near copy if one of these comes much closer. Either face may be mirrored.
"""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from fer_lightning.data.perceptual_hash import (
    BATCH,
    BITS,
    one_blas_thread,
    perceptual_hashes,
    recut_hashes,
    without_structure,
)
from fer_lightning.errors import DataError
from fer_lightning.transforms.pixels import ImageStore

T = TypeVar("T")

NEAR = 18
"""Bits, of 128, that near copies differ in at most.

Of the pairs found in FER2013, some were judged by eye, by one judge: all are true up to 16 bits, 93% at 17 and 18, 71%
at 19 and 20. See docs/copies.md.
"""

CANDIDATE = 42
"""Bits that they differ in at most before the first is cut out otherwise: other faces do so too, 0.4% of all."""

FAR = 255
"""Distance of faces that are no near copies."""

MOST_PAIRS = 1_000_000
"""Pairs that are kept: their tables take some 300 bytes each."""

PAIRS_AT_ONCE = 1 << 18
"""Pairs that are compared at a time: they stay in the processor's cache."""

RECUT_AT_ONCE = 1024
"""Candidates of one face that its cuts are compared with at a time, likewise."""

Recut = Callable[[Tensor], Tensor]
"""Returns, for some rows, int64 (n,), their hashes when cut out otherwise, int64 (n, V, WORDS)."""


class Pairs(NamedTuple):
    """P pairs of faces."""

    first: NDArray[np.int64]  # (P,), rows
    second: NDArray[np.int64]
    bits: NDArray[np.uint8]  # that differ
    mirrored: NDArray[np.bool_]  # fewer differ with one of them mirrored


def near_pairs(hashes: Tensor, recut: Recut, within: int = NEAR, shown: bool = False) -> Pairs:
    """Returns all pairs of rows i < j that are near copies, by i and then j.

    Compares all with all, on threads; memory grows with the number of faces and that of near copies. Images without
    structure are left out.

    Args:
        hashes: int64 (N, WORDS).
        recut: of these faces.
        within: bits that may differ.
        shown: with a progress bar.

    Raises:
        DataError: more than MOST_PAIRS.
    """
    blocks, found = [_NONE], 0
    kept = (~without_structure(hashes)).nonzero()[:, 0].numpy()
    by_word = np.asfortranarray(hashes.numpy()[kept])
    starts = range(0, len(kept), BATCH)

    def compared(start: int) -> Pairs:
        rows = kept[start : start + BATCH]
        pairs = _near(rows, by_word[start : start + BATCH], by_word[start:], recut, within, MOST_PAIRS + BATCH**2)
        second = kept[pairs.second + start]
        columns: list[Any] = [column[pairs.first < second] for column in pairs._replace(second=second)]
        return Pairs(*columns)

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(compared, starts)
        for block in _with_bar(done, len(starts), shown):
            blocks.append(block)
            found += len(block.first)
            if found > MOST_PAIRS:
                pool.shutdown(cancel_futures=True)
                raise _too_many(within)
    columns: list[Any] = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    return Pairs(*columns)


def nearest(images: ImageStore, known: Tensor, within: int = NEAR, shown: bool = False) -> NDArray[np.uint8]:
    """Returns in how many bits each image differs from the nearest known one, uint8 (N,); FAR if none is a near copy.

    Args:
        images: uint8 (N, C, S, S).
        known: hashes, int64 (M, WORDS); those of images without structure are near nothing.
        within: bits that may differ.
        shown: with a progress bar.
    """
    hashes = perceptual_hashes(images).numpy()
    known_hashes = np.asfortranarray(np.unique(known[~without_structure(known)].numpy(), axis=0))
    bits = np.full(len(hashes), FAR, np.uint8)

    def compared(start: int) -> None:
        rows = np.arange(start, min(start + BATCH, len(hashes)))
        pairs = _near(rows, hashes[rows], known_hashes, lambda some: recut_hashes(images[some]), within)
        np.minimum.at(bits, pairs.first, pairs.bits)

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = range(0, len(hashes), BATCH)
        for _ in _with_bar(pool.map(compared, starts), len(starts), shown):
            pass
    return bits


def _with_bar(done: Iterator[T], count: int, shown: bool) -> Iterator[T]:
    return iter(tqdm(done, "comparing", count, leave=False, disable=None if shown else True))  # None: on terminals


def differing_bits(ones: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Returns in how many bits hashes (…, WORDS) differ, the better way round; and if that is with one mirrored."""
    even, odd = _differing_bits_of_words(ones, others)
    turned = BITS // 2 - odd
    return even + np.minimum(odd, turned), turned < odd


def _differing_bits_of_words(ones: NDArray[np.int64], others: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    return (np.bitwise_count((ones[..., word] ^ others[..., word]).view(np.uint64)) for word in (0, 1))


def _near(
    rows: NDArray[np.int64],
    ones: NDArray[np.int64],
    others: NDArray[np.int64],
    recut: Recut,
    within: int,
    most: int = sys.maxsize,
) -> Pairs:
    """Returns the near copies among others, (M, WORDS), of some rows, (n,), whose hashes are (n, WORDS).

    Raises:
        DataError: more than `most`, before their faces are cut out otherwise, which takes minutes.
    """
    first, second = _candidates(ones, others, max(within, CANDIDATE))
    if not len(first):
        return _NONE
    bits, mirrored = differing_bits(ones[first], others[second])
    if np.count_nonzero(bits <= within) > most:
        raise _too_many(within)
    cut, starts = np.unique(first, return_index=True)
    recuts = recut(torch.from_numpy(rows[cut])).numpy()
    for cuts, start, end in zip(recuts, starts, [*starts[1:], len(first)], strict=True):
        for part in (slice(at, min(at + RECUT_AT_ONCE, end)) for at in range(start, end, RECUT_AT_ONCE)):
            all_bits, turned = differing_bits(cuts[:, None], np.asfortranarray(others[second[part]])[None])
            fewest = all_bits.min(0)
            closer = np.flatnonzero((fewest < bits[part]) & (fewest <= within))
            mirrored[part][closer] = turned[all_bits[:, closer].argmin(0), closer]
            bits[part] = np.minimum(fewest, bits[part])
    near = bits <= within
    return Pairs(rows[first[near]], second[near], bits[near], mirrored[near])


def _too_many(within: int) -> DataError:
    return DataError(
        f"more than {MOST_PAIRS:,} pairs of faces differ in {within} of {BITS} bits or fewer, as frames of a film do: "
        "allow fewer bits."
    )


def _candidates(
    ones: NDArray[np.int64], others: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the places of the pairs that differ in this many bits at most."""
    step = max(1, PAIRS_AT_ONCE // max(len(ones), 1))
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for start in range(0, len(others), step):
        even, odd = _differing_bits_of_words(ones[:, None], others[None, start : start + step])
        first, second = np.nonzero(even + np.minimum(odd, BITS // 2 - odd) <= most)
        found.append((first, second + start))
    first, second = (np.concatenate(places) for places in zip(*found, strict=True)) if found else _NONE[:2]
    order = np.argsort(first, kind="stable")  # second ascends already
    return first[order], second[order]


_NONE = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0, np.bool_))
