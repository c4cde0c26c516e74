import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fer_lightning.data.readers.image_folder import list_images
from fer_lightning.data.readers.image_list import read_images
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from fer_lightning.transforms.pixel_format import PixelFormat
from tests.data.faces_files import all_images, random_images, write_image

IMAGES = random_images(8)


def write_folder(root: Path, *class_folders: str) -> None:
    """One PNG in each folder: IMAGES[0], IMAGES[1], … in the order given."""
    for image, class_folder in zip(IMAGES, class_folders, strict=False):
        write_image(root / class_folder / "face.png", image)


def test_parts_and_emotions_are_the_folders_and_pixels_stay(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/angry", "train/surprise", "train/neutral", "test/happy", "validation/disgust")
    faces = read_faces(tmp_path)
    assert faces.part_names == ("train", "val", "test")
    assert [faces.part_names[part] for part in faces.parts] == ["train", "train", "train", "val", "test"]
    assert [faces.class_names[label] for label in faces.labels] == ["angry", "surprise", "neutral", "disgust", "happy"]
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES[[0, 1, 2, 4, 3]])


def test_each_face_knows_its_file_below_the_path_that_was_given(tmp_path: Path) -> None:
    write_folder(tmp_path / "faces", "train/angry", "train/happy", "test/sad")
    (tmp_path / "faces" / "train" / "angry" / "face.png").write_bytes(b"no image")
    paths = ("train/happy/face.png", "test/sad/face.png")
    for _ in ("parsed", "from the cache"):
        assert read_faces(tmp_path / "faces", "drop").files == paths
    assert read_faces(tmp_path, "drop").files == tuple(f"faces/{path}" for path in paths)


@pytest.mark.parametrize(
    "spellings",
    [
        ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        ("Anger", "Disgusted", "Fearful", "Happiness", "Sadness", "Surprised", "NEUTRAL"),
        ("0_angry", "1-disgust", "2. fear", "03_HAPPY", "4 sad", "5_surprise", "6_neutral"),
        ("7_angry", "6_disgust", "5_fear", "4_happy", "3_sad", "2_suprise", "1_neutral"),
    ],
    ids=["plain", "nouns and capitals", "numbered", "numbered in another order"],
)
def test_emotions_are_recognised_however_they_are_spelled(tmp_path: Path, spellings: tuple[str, ...]) -> None:
    write_folder(tmp_path, *spellings)
    faces = read_faces(tmp_path)
    assert faces.part_names == ("all",)
    assert faces.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES[:7])


def test_usage_names_as_folders_give_the_usage_parts(tmp_path: Path) -> None:
    write_folder(tmp_path, "PrivateTest/angry", "Training/angry")
    faces = read_faces(tmp_path)
    assert faces.part_names == ("Training", "PublicTest", "PrivateTest")
    assert faces.parts.tolist() == [0, 2]
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES[[1, 0]])


def test_training_beside_test_means_train(tmp_path: Path) -> None:
    write_folder(tmp_path, "Training/angry", "testing/angry")
    assert read_faces(tmp_path).part_names == ("train", "test")


def test_a_folder_around_the_image_folder_does_not_matter(tmp_path: Path) -> None:
    write_folder(tmp_path, "archive/train/sad", "archive/test/sad", "__MACOSX/train/._sad", ".hidden/train/sad")
    faces = read_faces(tmp_path)
    assert (faces.class_names, faces.labels.tolist()) == (("sad",), [0, 0])


def test_colour_palette_transparency_and_bilevel_become_grey(tmp_path: Path) -> None:
    colour = np.zeros((48, 48, 3), np.uint8)
    colour[:, 24:] = (255, 0, 0)
    for name in ("a.png", "b.bmp"):
        write_image(tmp_path / "happy" / name, colour, "RGB")
    write_image(tmp_path / "happy" / "c.png", colour, "RGBA")
    write_image(tmp_path / "happy" / "d.png", colour, "P")
    write_image(tmp_path / "happy" / "e.png", colour[:, :, 0], "1")
    write_image(tmp_path / "happy" / "f.png", colour[:, :, 0], "LA")
    left, right = all_images(read_faces(tmp_path)).split(24, dim=3)
    assert left.eq(0).all()
    # ITU-R 601 luma of pure red: 0.299 of 255
    assert right.flatten(1).float().mean(1).tolist() == [76, 76, 76, 76, 255, 255]
    assert right.flatten(1).float().std(1).tolist() == [0] * 6


def test_any_size_becomes_the_size_that_is_asked_for(tmp_path: Path) -> None:
    wide = np.zeros((100, 200), np.uint8)
    wide[:, 100:] = 200
    write_image(tmp_path / "sad" / "wide.png", wide)
    write_image(tmp_path / "sad" / "tiny.png", np.full((5, 5), 9, np.uint8))
    tiny, stretched = read_faces(tmp_path, pixels=PixelOptions(48, 1, "stretch")).images[torch.arange(2)]
    assert tiny.eq(9).all()
    assert stretched[..., :23].eq(0).all()
    assert stretched[..., 25:].eq(200).all()


def test_auto_size_is_the_median_of_the_shorter_sides(tmp_path: Path) -> None:
    for number, (height, width) in enumerate(((20, 30), (64, 60), (300, 400))):
        write_image(tmp_path / "sad" / f"{number}.png", np.zeros((height, width), np.uint8))
    assert read_faces(tmp_path).images.shape == (3, 1, 60, 60)
    (tmp_path / "sad" / "0.png").unlink()
    assert read_faces(tmp_path).images.shape == (2, 1, 112, 112)
    assert read_faces(tmp_path, pixels=PixelOptions(224, 3)).images.shape == (2, 3, 224, 224)


def test_jpg_in_capitals_is_read_as_pillow_decodes_it(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(48), 2 * np.arange(48)).astype(np.uint8)
    write_image(tmp_path / "fear" / "face.JPG", smooth)
    write_image(tmp_path / "fear" / "other.jpeg", smooth)
    with Image.open(tmp_path / "fear" / "face.JPG") as decoded:
        expected = np.asarray(decoded)
    assert np.array_equal(read_faces(tmp_path).images[:, 0].numpy(), [expected, expected])
    assert np.abs(expected.astype(int) - smooth).max() < 10


def test_a_turned_photograph_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    photograph = np.zeros((96, 96), np.uint8)
    photograph[:48] = 255
    (tmp_path / "sad").mkdir()
    Image.fromarray(photograph).save(tmp_path / "sad" / "photo.jpg", exif=exif)
    upright = read_faces(tmp_path, pixels=PixelOptions(48)).images[0][0]
    assert upright[:20].max() < 10
    assert upright[28:].min() > 245


def test_folders_of_any_other_name_are_classes_as_they_are(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/bored", "train/engaged", "train/Contempt", "train/happiness")
    faces = read_faces(tmp_path)
    assert faces.class_names == ("happy", "contempt", "bored", "engaged")
    assert faces.labels.tolist() == [0, 1, 2, 3]


def test_images_deeper_within_a_class_folder_are_of_that_class(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/happy/happy", "train/sad/2/b")
    assert read_faces(tmp_path).files == ("train/happy/happy/face.png", "train/sad/2/b/face.png")


@pytest.mark.parametrize(
    ("folders", "why"),
    [
        (("val/sad", "validation/sad"), "found val, validation, expected at most one each of train, val, test"),
        (("Training/sad", "PublicTest/sad", "test/sad"), "found PublicTest, Training, test"),
    ],
)
def test_parts_that_cannot_be_told_apart_are_refused(tmp_path: Path, folders: tuple[str, ...], why: str) -> None:
    write_folder(tmp_path, *folders)
    with pytest.raises(DataError, match=why):
        read_faces(tmp_path)


def test_emotion_folders_without_an_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "happy").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no image \(\.jpg, .*\) in its class folders"):
        read_faces(tmp_path)


def write_damaged_images(root: Path) -> None:
    write_folder(root, "train/angry", "train/fear", "train/happy", "test/sad")
    whole = (root / "train/fear/face.png").read_bytes()
    (root / "train/fear/face.png").write_bytes(whole[: len(whole) // 2])
    (root / "train/happy/face.png").write_text("<html>not found</html>")
    (root / "train/happy/empty.jpg").write_bytes(b"")
    Image.fromarray(np.full((48, 48), 40_000, np.int32)).save(root / "test/sad/deep.tif")


def test_unreadable_images_are_counted_and_named(tmp_path: Path) -> None:
    write_damaged_images(tmp_path)
    with pytest.raises(DataError, match="4 of 6 images are bad") as caught:
        read_faces(tmp_path)
    for name in ("train/fear/face.png", "train/happy/face.png", "train/happy/empty.jpg", "test/sad/deep.tif"):
        assert f"- {name}: found an unreadable image (" in str(caught.value)
    assert "more than 16 bits per channel" in str(caught.value)
    assert "data.on_bad_rows=drop" in str(caught.value)


def test_unreadable_images_can_be_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_damaged_images(tmp_path)
    faces = read_faces(tmp_path, on_bad_rows="drop")
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES[[0, 3]])
    assert [faces.class_names[label] for label in faces.labels] == ["angry", "sad"]
    assert faces.parts.tolist() == [0, 1]
    assert faces.numbers.tolist() == [1, 6]
    assert "dropped 4 of 6 images" in caplog.text
    assert "train/fear/face.png" in caplog.text


def test_what_is_ignored_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_folder(tmp_path, "train/angry", "train", "notes")
    (tmp_path / "train/angry/Thumbs.db").write_bytes(b"x")
    (tmp_path / "train/angry/.DS_Store").write_bytes(b"x")
    assert len(read_faces(tmp_path)) == 1
    assert "ignoring 3 that are not images in a class folder: notes, train/angry/Thumbs.db, train/face.png" in (
        caplog.text
    )


def test_reading_says_beforehand_how_many_images_there_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_folder(tmp_path, "angry", "sad")
    with caplog.at_level(logging.INFO):
        reading = read_images(list_images(tmp_path), PixelFormat())
    assert reading.form == "image folder (all)"
    assert caplog.messages == [f"reading 2 images below {tmp_path} …"]


def test_links_that_lead_nowhere_are_bad_images(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/angry", "train/happy")
    (tmp_path / "train" / "happy" / "loop.png").symlink_to("loop.png")
    (tmp_path / "train" / "happy" / "gone.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "train" / "sad").symlink_to("sad")
    (tmp_path / "test").symlink_to(tmp_path / "gone")
    (tmp_path / "train" / "happy" / "notes.txt").symlink_to("notes.txt")
    with pytest.raises(DataError, match="4 of 6 images are bad") as caught:
        read_faces(tmp_path)
    for name in ("train/happy/loop.png", "train/happy/gone.jpg", "train/sad", "test"):
        assert f"\n- {name}: " in str(caught.value)
    assert read_faces(tmp_path, "drop").class_names == ("angry", "happy", "sad")
