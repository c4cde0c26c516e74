"""A source that has changed is read again, whatever its size and time say."""

import os
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data import identity
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.source import read_faces
from tests.data.faces_files import CSV, IMAGES, messages, write_image


def changed_behind_its_time(path: Path, content: bytes, how: str) -> None:
    """Another content of the same size, with the time of the one before."""
    before = path.stat()
    assert len(content) == before.st_size
    if how == "replaced":
        path.with_name("new").write_bytes(content)
        os.replace(path.with_name("new"), path)
    else:
        path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("how", ["replaced", "written over"])
def test_another_content_of_the_same_size_and_time_is_noticed(tmp_path: Path, how: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    read_faces(path)
    changed_behind_its_time(path, CSV.replace(b"\n3,", b"\n4,", 1), how)
    assert read_faces(path).labels[0] == 4


@pytest.mark.parametrize("how", ["replaced", "written over"])
@pytest.mark.parametrize("listed", [True, False])
def test_another_image_of_the_same_size_and_time_is_noticed(tmp_path: Path, how: str, listed: bool) -> None:
    images = [np.full((48, 48), grey, np.uint8) for grey in (10, 20)]
    for name, image in (("happy", images[0]), ("sad", images[1])):
        write_image(tmp_path / name / "1.bmp", image)
    if listed:
        lines = ["file,part,emotion,label,row", "happy/1.bmp,all,happy,3,1", "sad/1.bmp,all,sad,4,2"]
        (tmp_path / "labels.csv").write_text("\n".join(lines))
    read_faces(tmp_path)
    changed_behind_its_time(tmp_path / "happy" / "1.bmp", (tmp_path / "sad" / "1.bmp").read_bytes(), how)
    assert np.array_equal(read_faces(tmp_path).images[:, 0].numpy(), [images[1], images[1]])


def test_another_content_is_noticed_without_a_time_of_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    identities = set()
    monkeypatch.setattr(identity, "stamp", lambda found: (found.st_size, found.st_mtime_ns))
    for content in (CSV, CSV.replace(b"\n3,", b"\n4,", 1), CSV[:-9] + b"Trainings"):
        changed_behind_its_time(path, content, "written over")
        identities.add(file_identity(path))
    assert len(identities) == 3


def test_each_number_of_each_image_decides_what_a_folder_is(tmp_path: Path) -> None:
    stamps: dict[str, identity.Stamp | None] = {"a\udcff.png": (1, -5, 3, (1 << 63) - 2, 0o100644), "b.png": None}
    found = {identity.images_identity(tmp_path, stamps), identity.images_identity(tmp_path, stamps, b"labels")}
    for place in range(5):
        for name in stamps:
            numbers = list(stamps[name] or identity.NO_FILE)
            numbers[place] += 1
            found.add(identity.images_identity(tmp_path, stamps | {name: tuple(numbers)}))
    found.add(identity.images_identity(tmp_path, {"a.png": stamps["b.png"], "b.png": None}))
    assert len(found) == 13


@pytest.mark.parametrize("change", ["added", "removed", "touched", "renamed"])
def test_a_changed_image_folder_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str) -> None:
    for number, image in enumerate(IMAGES[:3]):
        write_image(tmp_path / "happy" / f"{number}.png", image)
    read_faces(tmp_path)
    assert "from the cache" in messages(caplog, tmp_path)[1]
    if change == "added":
        write_image(tmp_path / "sad" / "4.png", IMAGES[4])
    elif change == "removed":
        (tmp_path / "happy" / "0.png").unlink()
    elif change == "touched":
        os.utime(tmp_path / "happy" / "0.png", ns=(1, 1))
    else:
        (tmp_path / "happy").rename(tmp_path / "sad")
    faces, log = messages(caplog, tmp_path)
    assert "its source has changed" in log
    names = [faces.class_names[label] for label in faces.labels]
    expected = {"added": ["happy"] * 3 + ["sad"], "removed": ["happy"] * 2, "renamed": ["sad"] * 3}
    assert names == expected.get(change, ["happy"] * 3)
