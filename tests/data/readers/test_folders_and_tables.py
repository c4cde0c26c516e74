"""A table and the folders of its images may have two opinions: they are compared."""

from pathlib import Path

import pytest

from fer_lightning.data.readers.folder_opinions import folder_opinions
from fer_lightning.data.readers.image_choice import ImageChoice
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.readers.test_image_table import faces_by_shade, table, write_flat

FOLDERS = ("Happiness", "1_sad", "other")


IN_FOLDERS = tuple(f"train/{FOLDERS[image % 3]}/{image}.png" for image in range(6))


BY_TABLE = ("happy", "sad", "fear", "sad", "sad", "fear")


def test_folders_with_another_opinion_than_the_table_are_seen(tmp_path: Path) -> None:
    write_flat(tmp_path, *IN_FOLDERS)
    (tmp_path / "faces.csv").write_text(table("image,label", IN_FOLDERS, BY_TABLE))
    with pytest.raises(DataError, match="folders and table contradict each other on 1 of its 6 images:") as caught:
        read_faces(tmp_path)
    assert "- train/Happiness/3.png: folders happy, table sad" in str(caught.value)
    assert "data.labels_from=folders or data.labels_from=table" in str(caught.value)
    faces = faces_by_shade(read_faces(tmp_path, choice=ImageChoice("table")))
    assert [faces[image][0] for image in range(6)] == [*BY_TABLE]
    faces = faces_by_shade(read_faces(tmp_path, "drop", choice=ImageChoice("folders")))
    assert {image: faces[image][0] for image in faces} == {0: "happy", 1: "sad", 3: "happy", 4: "sad"}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("0", "1", "2", "0", "1", "2"), ("happy", "sad", "fear", "happy", "sad", "fear")),
        (("001", "002", "001", "002", "001", "002"), ()),
        (("x", "x", "x", "x", "x", "happy"), ()),
    ],
)
def test_folders_with_numbers_are_compared_by_most_images(folders: tuple[str, ...], expected: tuple[str, ...]) -> None:
    paths = [f"{folder}/{image}.png" for image, folder in enumerate(folders)]
    assert folder_opinions(paths, ("happy", "sad", "fear", "happy", "sad", "happy")) == expected
