"""A face's hash stays what it is, or nearly, whatever is done to its picture that leaves the face as it was."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from torch import Tensor

from benchmarks.copies import CHANGES, bits_between
from fer_lightning.data.near_pairs import NEAR
from fer_lightning.data.perceptual_hash import BITS, GREY, HIGHEST, WORDS, perceptual_hashes
from fer_lightning.transforms.pixels import resized


def faces(count: int = 40, seed: int = 0, channels: int = 1) -> Tensor:
    """Smooth noise, uint8 (count, channels, 48, 48)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 9, 9, generator=generator)
    return (30 + 180 * torch.nn.functional.interpolate(coarse, 48, mode="bicubic").clamp(0, 1)).to(torch.uint8)


def bits(images: Tensor, others: Tensor) -> list[int]:
    return [int(count) for count in bits_between(images, perceptual_hashes(others))]


def test_a_hash_has_a_row_of_two_words() -> None:
    hashes = perceptual_hashes(faces(1030))
    assert (hashes.dtype, tuple(hashes.shape), BITS) == (torch.int64, (1030, WORDS), 64 * WORDS)
    assert torch.equal(hashes[1000:], perceptual_hashes(faces(1030)[1000:]))
    rows = torch.tensor([5, 1029, 5])
    assert torch.equal(perceptual_hashes(faces(1030), rows), hashes[rows])
    assert len(perceptual_hashes(faces()[:0])) == 0


def test_different_faces_differ_in_many_bits() -> None:
    apart = bits(faces(seed=1), faces(seed=2))
    assert min(apart) > NEAR


def test_lighter_or_paler_faces_have_the_very_same_hash() -> None:
    images = faces()
    for scale, shift in ((1, 40), (1, -30), (2, -60)):
        plain = images // 2 + 15  # so that nothing is cut off, and twice of it is exact
        changed = (plain.int() * scale + shift).clamp(0, 255).to(torch.uint8)
        kept = ((plain.int() * scale + shift) == changed).flatten(1).all(1)
        assert kept.sum() > 20
        assert torch.equal(perceptual_hashes(plain[kept]), perceptual_hashes(changed[kept]))


@pytest.mark.parametrize("size", [24, 64, 112, 224])
def test_a_face_in_another_size_is_near(size: int) -> None:
    images = faces()
    other = resized(images.float(), size).round().to(torch.uint8)
    assert max(bits(images, other)) <= NEAR


@pytest.mark.parametrize("change", [name for name in CHANGES if not name.startswith(("8%", "turned"))])
def test_a_changed_face_is_near(change: str) -> None:
    images = faces()
    changed = torch.from_numpy(np.stack([CHANGES[change](face) for face in images[:, 0].numpy()]))[:, None]
    assert np.mean(np.array(bits(images, changed)) <= NEAR) >= (0.5 if "2 pixels both" in change else 0.9)


def test_a_mirrored_face_is_the_same_face() -> None:
    images = faces()
    assert max(bits(images, images.flip(3))) == 0
    assert torch.equal(perceptual_hashes(images)[:, 0], perceptual_hashes(images.flip(3))[:, 0])
    assert torch.equal(perceptual_hashes(images)[:, 1], ~perceptual_hashes(images.flip(3))[:, 1])
    assert min(bits(images, images.flip(2))) > NEAR  # upside down it is another


def test_colour_counts_as_its_grey() -> None:
    images = faces(channels=3)
    grey = torch.from_numpy(np.tensordot(images.numpy(), GREY, (1, 0)).round().astype(np.uint8))[:, None]
    assert max(bits(images, grey)) <= 4
    repeated = faces().expand(-1, 3, -1, -1).contiguous()
    assert torch.equal(perceptual_hashes(repeated), perceptual_hashes(faces()))


def test_flat_images_are_all_alike() -> None:
    flat = torch.arange(256, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 48, 48).contiguous()
    assert len(perceptual_hashes(flat).unique(dim=0)) == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([16, 31, 48, 100]))
def test_bits_are_the_signs_of_scipys_cosine_transform(seed: int, size: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (size, size), np.uint8)
    transform = dctn(image.astype(np.float64))[:HIGHEST, :HIGHEST].ravel()
    down, across = np.divmod(np.arange(HIGHEST**2), HIGHEST)
    lowest = sorted(range(1, HIGHEST**2), key=lambda place: (down[place] ** 2 + across[place] ** 2, place))
    words = perceptual_hashes(torch.from_numpy(image[None, None])).numpy()[0]
    for parity in (0, 1):
        of_word = [place for place in lowest if across[place] % 2 == parity][:64]
        assert np.unpackbits(words[parity : parity + 1].view(np.uint8)).tolist() == [
            int(transform[place] > 0) for place in of_word
        ]
