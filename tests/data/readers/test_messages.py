"""A message about data says what was found, and what to do that does not make labels wrong."""

import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import FLAT, IMAGES, csv_bytes, write_image

Make = Callable[[Path], object]


def of_bytes(name: str, content: bytes) -> Make:
    return lambda folder: (folder / name).write_bytes(content)


def of_images(*paths: str) -> Make:
    def make(folder: Path) -> None:
        for path in paths:
            write_image(folder / path, IMAGES[0])

    return make


def zip_of(name: str, *members: str) -> Make:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member in members:
                archive.writestr(member, b"image,label\n1.png,sad\n")

    return make


def tgz_of(name: str, *members: str) -> Make:
    def make(folder: Path) -> None:
        with tarfile.open(folder / name, "w:gz") as archive:
            for member in members:
                archive.addfile(tarfile.TarInfo(member))

    return make


def tables_alone(folder: Path) -> None:
    for part in ("train", "test"):
        (folder / f"faces_{part}.csv").write_text("image,label\n1.jpg,5\n")


MESSAGES: dict[str, tuple[Make, str, str]] = {
    "parquet without its ending": (
        of_bytes("a.csv", b"PAR1\0\0"),
        "a.csv",
        "is a parquet file, expected a table. Give it",
    ),
    "an image": (of_images("a.png"), "a.png", "is an image (PNG), expected a table. Give the folder of images"),
    "numpy": (lambda folder: np.save(folder / "a.npy", np.zeros(3)), "a.npy", "is a NumPy file"),
    "pickle": (of_bytes("a.pkl", pickle.dumps([1])), "a.pkl", "is a pickle, expected a table"),
    "json": (of_bytes("a.json", json.dumps({"a": 1}).encode()), "a.json", "is a JSON file, expected a table"),
    "7z": (of_bytes("a.7z", b"7z\xbc\xaf\x27\x1c\0"), "a.7z", "is a 7z archive, expected a table. Unpack it"),
    "excel": (zip_of("a.xlsx", "xl/workbook.xml"), "a.xlsx", "is an Excel workbook, expected a table as text. Save it"),
    "pixels without labels": (
        of_bytes("a.csv", csv_bytes("pixels,Usage", [f"{FLAT},Training"])),
        "a.csv",
        "no column 'emotion': found the columns 'pixels,Usage', and none of them is called emotion, label,",
    ),
    "kaggle's test": (
        of_bytes("test.csv", csv_bytes("id,pixels", [f"1,{FLAT}"])),
        "test.csv",
        "has pixels but no labels",
    ),
    "other columns": (
        of_bytes("a.csv", b"x,y\n1,2\n"),
        "a.csv",
        "which data.columns.image=… and data.columns.label=… name",
    ),
    "tables without their images": (tables_alone, ".", "It names image files (in image): it is a table of images, and"),
    "zip of images": (
        zip_of("a.zip", "happy/1.png", "sad/1.png"),
        "a.zip",
        "but no .csv. Images and packed files are not",
    ),
    "zip of images and a table": (
        zip_of("a.zip", "happy/1.png", "sad/1.png", "labels.csv"),
        "a.zip",
        "holds happy/1.png, sad/1.png, and no .csv of pixels. Images and packed files are not read from inside",
    ),
    "packed webdataset": (tgz_of("a.tgz", "1.jpg", "1.cls"), "a.tgz", "unpack it and give the folder as data.path"),
    "images without classes": (of_images("1.png", "2.png"), ".", "holds images (1.png, 2.png), and nothing there says"),
    "images too deep": (
        of_images(*(f"{one}/{two}/x/{c}/1.png" for one in "ab" for two in "cd" for c in ("happy", "sad"))),
        ".",
        "If the folders of the classes lie deeper, give the folder that holds these as data.path",
    ),
    "notes alone": (
        of_bytes("README.md", b"x"),
        ".",
        "holds README.md, of which nothing can be read. Give as data.path",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_a_message_speaks_of_what_is_there(case: str, tmp_path: Path) -> None:
    make, name, said = MESSAGES[case]
    make(tmp_path)
    with pytest.raises(DataError) as caught:
        read_faces(tmp_path / name)
    assert said in str(caught.value)
    for wrong in ("data.on_bad_rows=drop", "ename the folder"):
        assert wrong not in str(caught.value)


@pytest.mark.parametrize("header", ["label,pixels,Usage", "emotion,pixels,Usage", "Expression, pixels , usage"])
def test_labels_of_other_names_are_read_or_asked_about(header: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv_bytes(header, [f"{label},{FLAT},Training" for label in (1, 3)]))
    if header.startswith("emotion"):
        assert read_faces(tmp_path).class_names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    else:
        with pytest.raises(DataError, match="its classes are numbers, and a number does not say which emotion it is"):
            read_faces(tmp_path)


@pytest.mark.parametrize("on_bad_rows", ["error", "drop"])
def test_labels_of_1_to_7_never_become_those_of_fer2013(on_bad_rows: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv_bytes("emotion,pixels", [f"{label},{FLAT}" for label in range(1, 8)]))
    for label in range(1, 8):
        write_image(tmp_path / "folders" / str(label) / "1.png", IMAGES[0])
    for path in (tmp_path / "a.csv", tmp_path / "folders"):
        with pytest.raises(DataError, match=r"What each (order )?would make of these") as caught:
            read_faces(path, on_bad_rows)  # type: ignore[arg-type]
        assert "drop" not in str(caught.value)
        assert "ckextended" not in str(caught.value)
