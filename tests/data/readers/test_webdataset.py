"""webdataset's tars give exactly these faces, in place and bounded."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.readers import webdataset
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import messages
from tests.data.readers.test_image_table import CLASSES, PARTS, PERSONS, assert_true, faces_by_shade
from tests.data.readers.test_parquet import encoded, of_part

Members = list[tuple[str, bytes]]


def write_tar(file: Path, members: Members) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def with_cls(image: int, folder: str = "") -> Members:
    return [(f"{folder}{image:06}.PNG", encoded(image)), (f"{folder}{image:06}.cls", f"{CLASSES[image]}\n".encode())]


def with_json(image: int) -> Members:
    fields = {"emotion": CLASSES[image], "subject": PERSONS[image], "box": [1, 2], "split": PARTS[image]}
    return [(f"{image}.json", json.dumps(fields).encode()), (f"{image}.face.png", encoded(image))]


@pytest.mark.parametrize("form", ["shards", "folders", "json"])
def test_tars_give_these_faces(form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if form == "json":
        write_tar(tmp_path / "faces.tar", [member for image in range(6) for member in with_json(image)])
    for part in ("train", "val", "test") if form != "json" else ():
        images = of_part(part)
        for shard, some in enumerate((images[:2], images[2:])):
            name = f"{part}/{shard:06}.tar" if form == "folders" else f"fer-{part}-{shard:06}.tar"
            write_tar(tmp_path / name, [member for image in some for member in with_cls(image, "./x/")])
    for came_from in ("parsed", "from the cache"):
        faces, log = messages(caplog, tmp_path)
        assert_true(faces, person=form == "json")
        assert f"webdataset (train, val, test), {came_from}" in log
    unpacked = [file for file in tmp_path.rglob("*") if file.suffix not in ("", ".tar", ".safetensors")]
    assert [file.name for file in unpacked] == []


def test_numbers_need_a_numbering(tmp_path: Path) -> None:
    members = [(f"{image}.png", encoded(image)) for image in range(6)]
    members += [(f"{image}.cls", str(image).encode()) for image in range(6)]
    write_tar(tmp_path / "faces.tar", members)
    with pytest.raises(DataError, match="its classes are numbers"):
        read_faces(tmp_path / "faces.tar")
    faces = faces_by_shade(read_faces(tmp_path / "faces.tar", classes=ClassOptions("affectnet")))
    assert [faces[image][0] for image in range(6)] == ["neutral", "happy", "sad", "surprise", "fear", "disgust"]


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ([("7.png", encoded(0))], "7: found no class: there is no .cls and no .json"),
        ([("7.cls", b"happy")], "7: has a class and no image"),
        ([("7.png", encoded(0)), ("7.cls", b"")], "7: found the label '', expected a class or its whole number"),
        ([("7.png", encoded(0)), ("7.json", b"{")], "7: its .json is none"),
        ([("7.png", encoded(0)), ("7.json", b"[3]")], "7: its .json is '[3]', expected fields"),
        ([("7.png", encoded(0)), ("7.json", b'{"x": 1}')], "7: found no class: its .json has x"),
        ([("7.png", b"x"), ("7.cls", b"happy")], "7.png: found an unreadable image"),
    ],
)
def test_a_sample_that_cannot_be_used_is_bad(extra: Members, why: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "faces.tar", [*(m for image in range(6) for m in with_cls(image)), *extra])
    with pytest.raises(DataError, match="1 of 7 images are bad") as caught:
        read_faces(tmp_path)
    assert f"- faces.tar/{why}" in str(caught.value)
    assert_true(read_faces(tmp_path, "drop"), part=False, person=False)


def test_a_tar_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "faces.tar", [member for image in range(6) for member in with_cls(image)])
    content = (tmp_path / "faces.tar").read_bytes()
    with tarfile.open(tmp_path / "faces.tar") as tar:
        fifth = tar.getmembers()[4]
    for kept in (fifth.offset + 100, fifth.offset, fifth.offset_data + 10, 2048):  # also between two members
        (tmp_path / "faces.tar").write_bytes(content[:kept])
        with pytest.raises(DataError, match=r"faces\.tar: damaged or cut short"):
            read_faces(tmp_path)


def test_members_and_classes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tar(tmp_path / "faces.tar", [*with_cls(0), ("7.png", encoded(0)), ("7.cls", b"x" * 2_000_000)])
    with pytest.raises(DataError, match=r"faces\.tar: 7\.cls has 2,000,000 bytes, expected a class"):
        read_faces(tmp_path)
    write_tar(tmp_path / "faces.tar", [member for image in range(6) for member in with_cls(image)])
    monkeypatch.setattr(webdataset, "MOST_IMAGES", 4)
    with pytest.raises(DataError, match=r"faces\.tar: holds more than 2,000,000 files"):
        read_faces(tmp_path)
