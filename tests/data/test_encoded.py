"""Images kept as their files' bytes are the same faces as those kept as pixels, whatever becomes of the file."""

import logging
import os
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fer_lightning.data import FERDataModule, split_faces
from fer_lightning.data import encoded_cache as cache_module
from fer_lightning.data.digests import digests
from fer_lightning.data.encoded import EncodedImages
from fer_lightning.data.faces import Faces
from fer_lightning.data.readers import pixel_options
from fer_lightning.data.readers.image_list import ImageList, ListedImage, read_images
from fer_lightning.data.readers.pixel_options import Keep, PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.pixel_format import Channels, Fit, PixelFormat
from fer_lightning.transforms.pixels import mean_and_std
from tests.conftest import trainer
from tests.data.faces_files import CSV, all_images, written_pictures

CLASSES = ("angry", "happy", "sad", "bored")


def read(folder: Path, keep: Keep = "encoded", size: int = 24, channels: Channels = 3, fit: Fit = "crop") -> Faces:
    return read_faces(folder, pixels=PixelOptions(size, channels, fit, keep))


def encoded(faces: Faces) -> EncodedImages:
    assert isinstance(faces.images, EncodedImages)
    return faces.images


def photographs(folder: Path, count: int = 60, size: int = 32) -> Path:
    """JPEGs of as many blurred noises, and a few PNGs, in four classes, in folders train and test."""
    rng = np.random.default_rng(5)
    for number in range(count):
        picture = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)).resize((size, size))
        part, suffix = ("test" if number % 6 == 5 else "train"), ("png" if number % 10 == 9 else "jpg")
        file = folder / part / CLASSES[number % 4] / f"{number}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return photographs(tmp_path / "faces")


def cache_of(folder: Path) -> Path:
    return folder / ".fer_lightning" / f"{folder.name}.encoded"


@pytest.mark.parametrize("size", [24, 48])
@pytest.mark.parametrize(("channels", "fit"), [(1, "crop"), (3, "crop"), (3, "pad"), (1, "stretch")])
def test_encoded_faces_are_those_kept_as_pixels(tmp_path: Path, size: int, channels: Channels, fit: Fit) -> None:
    written_pictures(tmp_path / "happy")
    written_pictures(tmp_path / "sad", sizes=1)
    dense = read(tmp_path, "pixels", size, channels, fit)
    for _ in ("read", "from the cache"):
        faces = read(tmp_path, "encoded", size, channels, fit)
        assert encoded(faces).shape == tuple(dense.images.shape)
        assert torch.equal(all_images(faces), all_images(dense))
        assert torch.equal(digests(faces.images), digests(dense.images))
        assert (faces.files, faces.class_names) == (dense.files, dense.class_names)
        assert torch.equal(faces.labels, dense.labels)
        assert torch.equal(faces.numbers, dense.numbers)


def test_rows_are_taken_as_a_tensors_are(folder: Path) -> None:
    images, dense = read(folder).images, read(folder, "pixels").images
    for rows in (
        torch.tensor([7, 3, 3, 59]),
        torch.arange(60),
        torch.empty(0, dtype=torch.int64),
        5,
        torch.tensor(5),
        [2],
    ):
        assert torch.equal(images[rows], dense[rows])
    with pytest.raises(IndexError):
        images[60]


def test_a_face_box_is_cut_as_for_pixels(tmp_path: Path) -> None:
    written_pictures(tmp_path)
    names = ("3_rgb.jpg", "3_grey.png", "3_turned_rgb.jpg")
    listed = tuple(ListedImage(0, "happy", name, box=(60.5, 50, 160, 150)) for name in names)
    found, to_pixels = ImageList(tmp_path, ("all",), listed, (), ""), PixelFormat(40, 3)
    dense = read_images(found, to_pixels).faces
    read_all = partial(read_images, found, to_pixels)
    faces = cache_module.save_encoding(read_all, 3, to_pixels, tmp_path, "", 0o777).faces
    assert torch.equal(all_images(faces), all_images(dense))
    again = cache_module.cached_encoding(tmp_path, "", to_pixels)
    assert again is not None
    assert torch.equal(all_images(again.faces), all_images(dense))


def test_chosen_classes_are_not_decoded(folder: Path) -> None:
    options = {"size": 24, "channels": 3, "classes": ["sad", "angry"]}
    kept, dense = (FERDataModule(folder, keep=keep, **options) for keep in ("encoded", "pixels"))  # type: ignore[arg-type]
    for data in (kept, dense):
        data.setup()
    assert kept.faces is not None
    assert dense.faces is not None
    assert len(encoded(kept.faces)) == 30
    assert torch.equal(all_images(kept.faces), all_images(dense.faces))
    assert torch.equal(kept.trained_on, dense.trained_on)


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_deviation_are_those_of_the_pixels(folder: Path, channels: Channels) -> None:
    rows = torch.arange(3, 50, 2)
    kept = mean_and_std(read(folder, channels=channels).images, rows)
    dense = mean_and_std(read(folder, "pixels", channels=channels).images, rows)
    assert np.allclose(kept, dense, rtol=1e-13, atol=0)
    assert np.array_equal(np.array(kept, np.float32), np.array(dense, np.float32))


def test_a_start_from_the_cache_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(folder)

    def never(*_: object) -> None:
        raise AssertionError("an image is decoded")

    monkeypatch.setattr(EncodedImages, "_face", never)
    data = FERDataModule(folder, size=24, channels=3, keep="encoded", drop_copies=True)
    data.setup()
    assert len(data.rows["train"]) + len(data.rows["val"]) + len(data.rows["test"]) == 60


def test_a_start_leaves_digests_with_labels_for_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("digests with labels are made")

    data = FERDataModule(folder, size=24, channels=3, keep="encoded")
    with monkeypatch.context() as patched:
        patched.setattr(split_faces, "labelled_digests", never)
        data.setup()
    assert {split: len(known) for split, known in data.labelled.items()} == {
        split: len(rows) for split, rows in data.rows.items()
    }
    assert data.state_dict()["labelled"] is data.labelled


def trained(folder: Path, keep: Keep, seed: int = 0) -> tuple[dict[str, torch.Tensor], FERDataModule]:
    torch.manual_seed(0)
    data = FERDataModule(
        folder, Augmentation(degrees=20, flip=0.5), size=32, channels=3, keep=keep, batch_size=16, seed=seed
    )
    model = EmotionClassifier(
        "resnet18",
        sorted(CLASSES),
        {"width": 8},
        in_channels=3,
        optimizer=partial(torch.optim.SGD, lr=0.1),
    )
    trainer(folder.parent, max_epochs=1).fit(model, data)
    return model.state_dict(), data


def test_an_epoch_ends_with_the_weights_of_kept_pixels(folder: Path) -> None:
    (one, of_encoded), (other, of_pixels) = trained(folder, "encoded"), trained(folder, "pixels")
    assert of_encoded.faces is not None
    encoded(of_encoded.faces)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    for split, known in of_encoded.labelled.items():
        assert torch.equal(known, of_pixels.labelled[split])
    another, _ = trained(folder, "encoded", seed=1)
    assert not all(torch.equal(one[name], another[name]) for name in one)


def test_auto_is_pixels_as_far_as_they_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(pixel_options, "MOST_BYTES", 60 * 3 * 24 * 24)
    assert isinstance(read(folder, "auto").images, torch.Tensor)
    assert "60 images, 0.104 MB of pixels, are kept as pixels in memory: data.keep=auto keeps up to" in caplog.text
    monkeypatch.setattr(pixel_options, "MOST_BYTES", 60 * 3 * 24 * 24 - 1)
    encoded(read(folder, "auto"))
    assert "are kept as their files' bytes, decoded for each batch: data.keep=auto" in caplog.text


def test_pixels_in_text_cannot_be_kept_encoded(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    with pytest.raises(DataError, match=r"fer2013\.csv: its pixels are text, which data\.keep=encoded cannot keep"):
        read_faces(tmp_path, pixels=PixelOptions(keep="encoded"))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_another_process_opens_the_images_itself(folder: Path) -> None:
    images = encoded(read(folder))
    there = pickle.loads(pickle.dumps(images))
    assert torch.equal(there[torch.arange(60)], images[torch.arange(60)])
    if hasattr(os, "fork"):
        if (child := os.fork()) == 0:
            os._exit(0 if torch.equal(images[torch.arange(60)], there[torch.arange(60)]) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_bad_images_are_left_out_of_the_encoded_too(folder: Path) -> None:
    (folder / "train" / "happy" / "1.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"1 of 60 images are bad:\n- train/happy/1\.jpg: found an unreadable image"):
        read(folder)
    assert not cache_of(folder).exists()
    assert list(cache_of(folder).parent.iterdir()) == []
    for _ in ("read", "from the cache"):
        faces = read_faces(folder, "drop", pixels=PixelOptions(24, 3, keep="encoded"))
        dense = read_faces(folder, "drop", pixels=PixelOptions(24, 3, keep="pixels"))
        assert (len(faces), faces.files) == (59, dense.files)
        assert torch.equal(all_images(faces), all_images(dense))
