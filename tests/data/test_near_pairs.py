"""Near copies are exactly the pairs that a plain loop over all pairs finds."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from fer_lightning.data import near_pairs as module
from fer_lightning.data.near_pairs import CANDIDATE, FAR, MOST_PAIRS, NEAR, near_pairs, nearest
from fer_lightning.data.perceptual_hash import BATCH, perceptual_hashes, recut_hashes
from fer_lightning.errors import DataError
from tests.data.faces_files import Terminal
from tests.data.test_perceptual_hash import faces


def hashes(count: int, seed: int) -> NDArray[np.int64]:
    """A few families, whose members differ in few bits; some members are mirrored, some are equal."""
    rng = np.random.default_rng(seed)
    heads = rng.integers(-(2**63), 2**63 - 1, (max(1, count // 4), 2), np.int64)
    found = heads[rng.integers(0, len(heads), count)]
    for row in found[::2]:
        for bit in rng.integers(0, 128, rng.integers(0, 30)):
            row[bit // 64] ^= np.int64(1) << np.int64(bit % 64)
    found[rng.random(count) < 0.3, 1] ^= -1
    return found


def recut_of(all_hashes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Three other hashes for each, (N, 3, 2), some nearer to others than it is."""
    others = np.stack(
        [all_hashes[np.random.default_rng(seed + turn).permutation(len(all_hashes))] for turn in (1, 2, 3)], 1
    )
    return others ^ np.int64(0b1011 << 20)


def distance(one: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[int, bool]:
    """By Python's own integers: of the pair as it is, and of one with the other mirrored; as it is where both agree."""
    even, odd = ((int(a) ^ int(b)) & (2**64 - 1) for a, b in zip(one, other, strict=True))
    plain, mirrored = even.bit_count() + odd.bit_count(), even.bit_count() + 64 - odd.bit_count()
    return min(plain, mirrored), mirrored < plain


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 40), within=st.integers(0, 64), seed=st.integers(0, 10**6), at_once=st.integers(1, 100))
def test_pairs_are_those_of_a_plain_loop(count: int, within: int, seed: int, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAIRS_AT_ONCE", at_once)
        patch.setattr(module, "BATCH", 1 + at_once % 7)
        all_hashes = hashes(count, seed)
        recut = recut_of(all_hashes, seed)
        expected = []
        for i in range(count):
            for j in range(i + 1, count):
                uncut = distance(all_hashes[i], all_hashes[j])
                if uncut[0] <= max(within, CANDIDATE):
                    best = min([uncut, *(distance(one, all_hashes[j]) for one in recut[i])], key=lambda found: found[0])
                    expected.append((i, j, *best))
        pairs = near_pairs(torch.from_numpy(all_hashes), lambda some: torch.from_numpy(recut[some.numpy()]), within)
        assert [tuple(row) for row in zip(*(column.tolist() for column in pairs), strict=True)] == [
            pair for pair in expected if pair[2] <= within
        ]


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_known_face_is_that_of_a_plain_loop(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    images = faces(30, seed)
    known = perceptual_hashes(torch.cat([images[:10].flip(3), images[10:15].roll(1, 3), faces(20, seed + 50)]))
    all_hashes, recut = perceptual_hashes(images).numpy(), recut_hashes(images).numpy()
    expected = []
    for one, cuts in zip(all_hashes, recut, strict=True):
        candidates = [other for other in known.numpy() if distance(one, other)[0] <= CANDIDATE]
        bits = [distance(cut, other)[0] for other in candidates for cut in (one, *cuts)]
        expected.append(min([few for few in bits if few <= NEAR], default=FAR))
    assert nearest(images, known).tolist() == expected
    assert expected[:10] == [0] * 10
    assert FAR in expected
    assert nearest(images, known[:0]).tolist() == [FAR] * 30
    assert nearest(images[:0], known).tolist() == []


def test_frames_of_one_face_are_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair is a candidate: the nearest is found among them, a few at a time."""
    monkeypatch.setattr(module, "RECUT_AT_ONCE", 7)
    one = faces(1, 0).float()
    frames = (one + 30 * torch.rand(60, 1, 48, 48, generator=torch.Generator().manual_seed(0))).clamp(0, 255).byte()
    known, cuts = perceptual_hashes(frames[20:]).numpy(), recut_hashes(frames[:20]).numpy()
    own = perceptual_hashes(frames[:20]).numpy()
    expected = [
        min(distance(cut, other)[0] for other in known for cut in (uncut, *row))
        for uncut, row in zip(own, cuts, strict=True)
    ]
    assert nearest(frames[:20], torch.from_numpy(known), within=64).tolist() == expected


def test_a_terminal_shows_how_far_the_comparison_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for shown in (True, False):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        nearest(faces(3, 0), perceptual_hashes(faces(3, 1)), shown=shown)
        assert ("comparing" in terminal.getvalue()) is shown


def test_too_many_pairs_are_refused_before_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAIRS", 1000)
    same = torch.ones(100, 2, dtype=torch.int64)
    with pytest.raises(DataError, match="more than 1,000 pairs of faces differ in 18 of 128 bits or fewer"):
        near_pairs(same, lambda some: same[some][:, None])


def test_too_many_near_copies_are_refused_before_they_are_cut() -> None:
    frames = torch.ones(BATCH, 2, dtype=torch.int64).repeat(-(-MOST_PAIRS // BATCH**2) + 8, 1)

    def never(rows: Tensor) -> Tensor:
        raise AssertionError(rows)

    with pytest.raises(DataError, match=r"more than 1,000,000 pairs of faces differ in 18 of 128 bits or fewer"):
        near_pairs(frames, never)


def test_images_of_one_shade_are_near_nothing() -> None:
    flat = torch.arange(200, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 48, 48)
    pictures = torch.cat([flat, faces(3, 0)])
    known = perceptual_hashes(pictures)
    pairs = near_pairs(known, lambda some: recut_hashes(pictures[some]))
    assert not len(pairs.first)
    assert nearest(pictures, known).tolist() == [FAR] * 200 + [0] * 3
