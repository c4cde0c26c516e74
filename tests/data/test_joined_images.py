"""Images of several stores are those of each, in whatever way they are kept."""

from pathlib import Path

import pytest
import torch

from fer_lightning.data.digests import digests
from fer_lightning.data.encoded import EncodedImages
from fer_lightning.data.joined_images import JoinedImages
from fer_lightning.data.perceptual_hash import perceptual_hashes
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.transforms.pixels import KnownImages, chosen_images, mean_and_std
from tests.data.faces_files import all_images
from tests.data.test_encoded import photographs


@pytest.fixture
def stores(tmp_path: Path) -> tuple[JoinedImages, torch.Tensor]:
    """Encoded ones of 40 photographs between 5 and 70 in memory, and the same images as one tensor."""
    encoded = read_faces(photographs(tmp_path, 40), pixels=PixelOptions(24, 3, keep="encoded"))
    assert isinstance(encoded.images, EncodedImages)
    generator = torch.Generator().manual_seed(0)
    first, last = (
        torch.randint(0, 256, (count, 3, 24, 24), generator=generator, dtype=torch.uint8) for count in (5, 70)
    )
    return JoinedImages([first, encoded.images, last]), torch.cat([first, all_images(encoded), last])


def test_rows_are_those_of_the_stores_in_any_order(stores: tuple[JoinedImages, torch.Tensor]) -> None:
    images, expected = stores
    assert tuple(images.shape) == (115, 3, 24, 24)
    rows = torch.randperm(115, generator=torch.Generator().manual_seed(1))
    assert torch.equal(images[rows], expected[rows])
    assert torch.equal(images[rows.tolist()[:7]], expected[rows[:7]])
    assert torch.equal(images[44], expected[44])
    assert torch.equal(images[3:50:4], expected[3:50:4])
    assert torch.equal(images[torch.tensor([2, 2, 114])], expected[[2, 2, 114]])
    assert images[rows[:0]].shape == (0, 3, 24, 24)


def test_what_is_known_of_each_image_is_what_its_pixels_say(stores: tuple[JoinedImages, torch.Tensor]) -> None:
    images, expected = stores
    rows = torch.randperm(115, generator=torch.Generator().manual_seed(2))[:90]
    assert torch.equal(digests(images), digests(expected))
    chosen = chosen_images(images, rows)
    assert isinstance(chosen, JoinedImages)
    assert torch.equal(chosen[torch.arange(90)], expected[rows])
    assert torch.equal(digests(chosen), digests(expected[rows]))
    assert torch.equal(perceptual_hashes(chosen), perceptual_hashes(expected[rows]))
    assert isinstance(chosen, KnownImages)
    assert torch.equal(digests(chosen_images(chosen, rows[rows < 90])), digests(expected[rows][rows[rows < 90]]))
    for one, other in zip(mean_and_std(images, rows), mean_and_std(expected, rows), strict=True):
        assert one == pytest.approx(other, abs=1e-9)


def test_nothing_is_copied_when_stores_are_joined(stores: tuple[JoinedImages, torch.Tensor]) -> None:
    tensor = torch.zeros(4, 3, 24, 24, dtype=torch.uint8)
    joined = JoinedImages([tensor, stores[0]])
    tensor[2] = 7
    assert (joined[2] == 7).all()


def test_images_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4, 4\), \(3, 4, 4\) cannot be joined"):
        JoinedImages([torch.zeros(1, channels, 4, 4, dtype=torch.uint8) for channels in (3, 1)])
