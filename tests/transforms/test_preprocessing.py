"""A picture is given to a network as its training data was, whatever its size and mode."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fer_lightning.data import FERDataModule
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.transforms import preprocessing
from fer_lightning.transforms.pixel_format import Channels, Fit, PixelFormat
from fer_lightning.transforms.preprocessing import Preprocessing, scaled
from tests.data.faces_files import all_images, written_pictures

MEAN, STD = (0.5,), (0.25,)


@pytest.mark.parametrize(("channels", "fit"), [(1, "crop"), (1, "stretch"), (3, "pad"), (3, "crop")])
def test_a_picture_becomes_what_its_file_becomes_in_training(channels: Channels, fit: Fit, tmp_path: Path) -> None:
    files = written_pictures(tmp_path / "train" / "happy")
    shape: dict[str, Any] = {"size": 40, "channels": channels, "fit": fit}
    means, stds = MEAN * channels, STD * channels
    data = FERDataModule(tmp_path, image_size=60, normalize="fixed", mean=means, std=stds, **shape)
    data.size = 40
    faces = read_faces(tmp_path, pixels=PixelOptions(**shape))
    of_training, _ = data.on_after_batch_transfer((all_images(faces), faces.labels), 0)
    pictures = [Image.open(tmp_path / name) for name in faces.files]
    assert len(pictures) == len(files)
    assert torch.equal(data.preprocessing(*pictures), of_training)
    for picture, expected in zip(pictures, of_training, strict=True):
        assert torch.equal(Preprocessing(60, means, stds, 40, fit)(picture)[0], expected)


@pytest.mark.parametrize("shape", [(48, 48), (48, 48, 3), (90, 61), (90, 61, 3), (20, 30, 4)])
def test_an_array_becomes_what_its_picture_becomes(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(PixelFormat()(array), PixelFormat()(Image.fromarray(array)))


@pytest.mark.parametrize("side", [48, 96])
def test_a_small_grey_face_is_turned_upright_as_a_large_one(side: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    half = np.zeros((side, side), np.uint8)
    half[: side // 2] = 255
    for name in ("face.png", "face.jpg", "face.tif"):
        Image.fromarray(half).save(tmp_path / name, exif=exif)
        with Image.open(tmp_path / name) as picture:
            face = PixelFormat()(picture)[0]
        assert (face[:20].max() < 10, face[28:].min() > 245) == (True, True), name


def test_a_picture_is_left_as_it_was() -> None:
    picture = Image.fromarray(np.full((48, 48), 7, np.uint8))
    Preprocessing(48, MEAN, STD)(picture)
    assert np.asarray(picture).tolist() == [[7] * 48] * 48


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("face.png", "a picture is str; it must be a PIL image, or a uint8 array"),
        (np.zeros((48, 48)), "a picture is an array of float64; it must be"),
        (torch.zeros(48, 48, dtype=torch.uint8), "a picture is Tensor; it must be"),
        (Image.new("I", (48, 48)), "mode I: more than 16 bits per channel"),
        (Image.new("F", (48, 48)), "mode F: more than 16 bits per channel"),
    ],
    ids=["a path", "a float array", "a tensor", "32 bits", "floats"],
)
def test_what_is_no_picture_of_16_bits_is_refused(picture: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Preprocessing(48, MEAN, STD)(picture)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, MEAN, STD), "image_size is 0; it must be at least 1 and at most 2048"),
        ((10**9, MEAN, STD), "image_size is 1000000000; it must be"),
        ((48, MEAN, (0.0,)), r"std\[0\] is 0\.0; it must be above 0"),
        ((48, (float("nan"),), STD), "mean is .*nan.*: it should be a finite number"),
        ((48, MEAN, (float("inf"),)), "std is .*inf.*: it should be a finite number"),
        ((48, MEAN * 3, STD), "give one number each for grey, three for RGB"),
        ((48, MEAN * 2, STD * 2), "give one number each for grey, three for RGB"),
    ],
)
def test_numbers_that_no_network_has_are_refused(
    arguments: tuple[int, tuple[float, ...], tuple[float, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(*arguments)


def test_images_of_one_preprocessing_become_those_of_another() -> None:
    student = Preprocessing(48, (0.5, 0.4, 0.3), (0.25, 0.2, 0.1))
    teacher = Preprocessing(48, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    scale, shift = teacher.scale_and_shift(student)
    pixels = torch.rand(2, 3, 48, 48)
    torch.testing.assert_close(student.normalized(pixels.clone()) * scale + shift, teacher.normalized(pixels.clone()))


def test_16_bit_grey_is_scaled_to_8() -> None:
    deep = np.array([[0, 257, 65535]], np.uint16).repeat(3, axis=0)
    assert PixelFormat(3)(Image.fromarray(deep)).tolist() == [[[0, 1, 255]] * 3]


def test_what_is_not_square_is_cut_padded_or_stretched() -> None:
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6], wide[:, 6:] = (10, 20, 30), 200
    cut = PixelFormat(4, 3, "crop")(wide)
    assert cut.tolist() == [[[value] * 4] * 4 for value in (10, 20, 30)]
    padded = PixelFormat(8, 1, "pad")(wide)[0]
    assert (padded[:2].max(), padded[6:].max(), padded[4, 7]) == (0, 0, 200)
    stretched = PixelFormat(4, 1, "stretch")(wide)[0]
    assert (stretched[0, 0] < 5, stretched[0, 3] > 150) == (True, True)


@pytest.mark.parametrize(("channels", "height"), [(3, 300), (1, 200), (3, 20)])
def test_a_large_batch_gets_the_numbers_of_a_small_one(
    channels: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (37, channels, height, height)
    faces = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    given = Preprocessing(height, (0.5, 0.45, 0.4)[:channels], (0.25, 0.26, 0.27)[:channels], height)
    expected = given.normalized(scaled(faces))
    monkeypatch.setattr(preprocessing, "KEPT_BY_C_LIBRARY", 0)
    for _ in range(2):
        assert torch.equal(given.of_pixels(faces), expected)
    assert torch.equal(given.of_pixels(faces[::2]), expected[::2])
