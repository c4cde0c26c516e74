"""CK+ as one CSV has eight classes by its name alone, and other words for classes are read from pixel CSVs."""

import gzip
import logging
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data import FERDataModule
from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.emotions import EMOTIONS
from fer_lightning.data.persons import UNKNOWN
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import csv_bytes, messages, pixel_text, random_images

EIGHT = (*EMOTIONS, "contempt")
IMAGES = random_images(8)
CSV = csv_bytes(
    "emotion,pixels,Usage",
    [f"{label},{pixel_text(image)},{'Training' if label else 'PublicTest'}" for label, image in enumerate(IMAGES)],
)


@pytest.mark.parametrize("name", ["ckextended.csv", "CKextended.csv.gz"])
def test_ckextended_has_eight_classes_by_its_name(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / name).write_bytes(gzip.compress(CSV) if name.endswith("gz") else CSV)
    for path in (tmp_path / name, tmp_path):
        faces, log = messages(caplog, path)
        assert np.array_equal(faces.images[:, 0].numpy(), IMAGES)
        assert [faces.class_names[label] for label in faces.labels] == [*EIGHT]
        assert [faces.part_names[part] for part in faces.parts] == ["PublicTest", *["Training"] * 7]
        assert faces.persons is None
        assert faces.several_of_each
        assert "classes: 0 angry (1), 1 disgust (1), 2 fear (1), 3 happy (1)" in log
        assert "6 neutral (1), 7 contempt (1)" in log


def test_unknown_persons_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    header, *rows = CSV.splitlines(keepends=True)
    (tmp_path / "ckextended.csv").write_bytes(b"".join([header, *rows * 5]))
    data = FERDataModule(
        tmp_path / "ckextended.csv", splits={"train": "Training", "val": "PublicTest"}, test_fraction=0.3
    )
    with caplog.at_level(logging.INFO):
        data.setup()
    assert data.notes == (UNKNOWN,)
    assert caplog.text.count("no honest split exists") == 1
    assert caplog.text.count("persons are not known") == 1


def test_under_another_name_it_is_told_how_to_read_it(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_bytes(CSV)
    with pytest.raises(DataError, match=r"7 is no number of data\.numbering=fer2013") as caught:
        read_faces(tmp_path)
    assert f"data.numbering=[{','.join(EIGHT)}] reads it" in str(caught.value)
    faces = read_faces(tmp_path, classes=ClassOptions(EIGHT))
    assert [faces.class_names[label] for label in faces.labels] == [*EIGHT]


@pytest.mark.parametrize(
    ("column", "words", "classes"),
    [
        ("emotion", ("Happiness", "anger", "SAD"), ("happy", "angry", "sad")),
        ("label", ("engaged", "Joy", "not sure"), ("engaged", "happy", "not sure")),
    ],
)
def test_words_are_classes_of_a_pixel_csv(
    column: str, words: tuple[str, ...], classes: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [f"{word},{pixel_text(image)}" for word, image in zip(words, IMAGES, strict=False)]
    (tmp_path / "faces.csv").write_bytes(csv_bytes(f"{column},pixels", rows))
    faces = read_faces(tmp_path)
    assert [faces.class_names[label] for label in faces.labels] == [*classes]
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES[:3])


def test_a_label_that_is_no_class_is_a_bad_row(tmp_path: Path) -> None:
    rows = [f"{word},{pixel_text(IMAGES[0])}" for word in ("engaged", "0.5", "nan", "123")]
    (tmp_path / "faces.csv").write_bytes(csv_bytes("label,pixels", rows))
    with pytest.raises(DataError, match="3 of 4 rows are bad") as caught:
        read_faces(tmp_path)
    assert "column label: found '0.5', expected a whole number from 0 to 99 or a class" in str(caught.value)
