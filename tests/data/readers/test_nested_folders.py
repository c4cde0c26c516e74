"""Folders within folders, links and numbers say a class or are refused: none is guessed."""

from pathlib import Path
from typing import Any

import pytest

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.emotions import NUMBERINGS
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.readers.test_image_folder import write_folder

NESTS = {
    "images around the classes of a part": ("train/images/happy", "train/images/sad", "test/images/sad"),
    "images around the parts": ("images/train/happy", "images/train/sad", "images/test/sad"),
    "images within the classes": ("train/happy/images", "train/sad/images", "test/sad/images"),
    "everywhere": ("data/Images/train/img/happy/faces", "data/Images/train/img/sad/faces", "data/Images/test/sad"),
    "a part in itself": ("train/train/happy", "train/train/sad", "test/aligned_faces/sad"),
    "usages": ("x/Training/FaceImages/happy", "x/Training/FaceImages/sad", "x/PrivateTest/FaceImages/sad"),
}


@pytest.mark.parametrize("nest", NESTS)
def test_folders_that_pack_others_are_no_classes(nest: str, tmp_path: Path) -> None:
    write_folder(tmp_path, *NESTS[nest])
    (tmp_path / "README.md").write_text("about")
    faces = read_faces(tmp_path)
    assert faces.class_names == ("happy", "sad")
    assert faces.labels.tolist() == [0, 1, 1]
    parts = [faces.part_names[part] for part in faces.parts]
    assert parts == (["Training", "Training", "PrivateTest"] if nest == "usages" else ["train", "train", "test"])


def test_a_class_of_any_name_may_be_packed_too(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/images/bored", "train/images/engaged", "test/bored/imgs", "test/engaged")
    assert read_faces(tmp_path).labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("folders", "why"),
    [
        (
            ("train/images", "test/images"),
            r"no image .* in its class folders: found test/images, train/images, expected a folder for each",
        ),
        (
            ("images", "faces"),
            r"holds images \(faces/face\.png, images/face\.png\), and nothing there says which class",
        ),
        (("images", "masks"), "nothing there says which class each is of"),
        (("train/images/happy", "train/aligned/happy"), "in several places: train/aligned, train/images"),
        (("train/images/happy", "train/happy"), "in several places: train/images, train/happy"),
        (("train/test/happy", "train/happy"), "in several places: train/test, train/happy"),
        (("happy", "sad", "data/happy"), "in several places: data, happy, sad"),
        (("train/test/happy", "val/happy"), "in several places: train/test"),
    ],
)
def test_nests_that_say_no_class_or_two_are_refused(folders: tuple[str, ...], why: str, tmp_path: Path) -> None:
    write_folder(tmp_path, *folders)
    with pytest.raises(DataError, match=why):
        read_faces(tmp_path)


def test_links_in_circles_give_each_image_once(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/happy", "train/sad")
    (tmp_path / "train" / "happy" / "again").symlink_to(tmp_path / "train")
    assert read_faces(tmp_path).files == ("train/happy/face.png", "train/sad/face.png")


def test_links_within_the_folder_are_followed_and_others_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_folder(
        tmp_path, "faces/store/1", "faces/train/happy", "faces/train/sad", "faces/store/own", "secret", "other"
    )
    train = tmp_path / "faces" / "train"
    (train / "fear").symlink_to("../store/1")
    (train / "happy" / "own.png").symlink_to(tmp_path / "faces" / "store" / "own" / "face.png")
    (tmp_path / "data").symlink_to(tmp_path / "faces")
    paths = ("train/fear/face.png", "train/happy/face.png", "train/happy/own.png", "train/sad/face.png")
    for path in ("faces", "data"):
        assert read_faces(tmp_path / path).files == paths
    (train / "sad" / "out.png").symlink_to(tmp_path / "secret" / "face.png")
    (train / "angry").symlink_to(tmp_path / "secret")
    (train / "happy" / "more").symlink_to(tmp_path / "other")
    caplog.clear()
    with pytest.raises(DataError, match="2 of 6 images are bad") as caught:
        read_faces(tmp_path / "faces")
    for name in ("sad/out.png", "angry/face.png"):
        assert f"- train/{name}: found an unreadable image (a link leads out of {tmp_path}/faces" in str(caught.value)
    assert "happy/more is a link out of" in caplog.text
    assert read_faces(tmp_path / "faces", "drop").files == paths


@pytest.mark.parametrize("numbers", ["0123456", "1234567", "123456", "01234567", "12"])
def test_bare_numbers_are_refused_with_what_they_may_mean(numbers: str, tmp_path: Path) -> None:
    write_folder(tmp_path, *(f"train/{number}" for number in numbers))
    with pytest.raises(DataError, match="its classes are numbers, and a number does not say which emotion") as caught:
        read_faces(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[1].split() == ["number", "images", *NUMBERINGS]
    assert lines[2 + numbers.index("1")].split() == [
        *("1", "1", "disgust", "happy", "surprise", "happy", "contempt", "angry"),
        "contempt" if "7" in numbers else "disgust",
    ]
    assert len(lines) == len(numbers) + 3


@pytest.mark.parametrize(
    ("numbering", "folders", "expected"),
    [
        ("fer2013", "03", ["angry", "happy"]),
        ("rafdb", "17", ["surprise", "neutral"]),
        ("affectnet", "07", ["neutral", "contempt"]),
        (["calm", "Sadness"], "12", ["calm", "sad"]),
        (["calm", "Sadness"], "01", ["calm", "sad"]),
    ],
)
def test_numbers_mean_what_the_numbering_says(
    numbering: Any, folders: str, expected: list[str], tmp_path: Path
) -> None:
    write_folder(tmp_path, *folders)
    faces = read_faces(tmp_path, classes=ClassOptions(numbering))
    assert [faces.class_names[label] for label in faces.labels] == expected


def test_numbers_beside_words_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/1", "train/happy")
    with pytest.raises(DataError, match=r"some classes are numbers \(1\), others are words \(happy\)"):
        read_faces(tmp_path, classes=ClassOptions("rafdb"))


def test_a_number_that_the_numbering_has_not_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "1", "7")
    with pytest.raises(DataError, match=r"7 is no number of data\.numbering=fer2013, so the others may mean"):
        read_faces(tmp_path, classes=ClassOptions("fer2013"))
