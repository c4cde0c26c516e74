"""Names of classes: numbers in any script are numbers, and a name that nothing could hold is refused."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from fer_lightning.data import FERDataModule
from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.emotions import NUMBERINGS, folder_class, is_number, whole_number_in
from fer_lightning.data.readers import entries
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.readers.test_image_folder import write_folder
from tests.data.test_classes import names_of
from tests.scripts import run_in

ODD = os.fsdecode(b"caf\xe9")


def test_a_class_that_is_not_utf8_is_refused_in_one_message(tmp_path: Path) -> None:
    write_folder(tmp_path / "faces", ODD, "happy", "sad")
    done = run_in(tmp_path, "train.py", "data=image_folder", "data.path=faces", "trainer.max_epochs=1")
    assert done.returncode == 1
    said = r"faces: the name of a class is not in UTF-8: caf\xe9. Rename its folder"
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_no_image_is_read_of_a_set_that_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    write_folder(tmp_path / "one", ODD, "happy")
    write_folder(tmp_path / "other", "happy", "sad")
    for path in (tmp_path / "one", [tmp_path / "other", tmp_path / "one"]):
        with pytest.raises(DataError, match=r"one: the name of a class is not in UTF-8: caf\\xe9"):
            FERDataModule(path).setup()
    assert "reading" not in caplog.text


@pytest.mark.parametrize(("ending", "label"), [("cls", b"caf\xe9"), ("json", json.dumps({"label": "\ud800"}).encode())])
def test_labels_in_a_tar_are_refused_likewise(ending: str, label: bytes, tmp_path: Path) -> None:
    write_folder(tmp_path, "faces")
    with tarfile.open(tmp_path / "train-000000.tar", "w") as tar:
        for name, content in (("1.png", (tmp_path / "faces" / "face.png").read_bytes()), (f"1.{ending}", label)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(
        DataError, match=r"is not in UTF-8: (caf\\xe9|\\ud800)\. Rename its folder, or correct it where"
    ):
        read_faces(tmp_path / "train-000000.tar")


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        (("٠", "١"), (0, 1)),
        (("०", "१"), (0, 1)),
        (("１", "２"), (1, 2)),
        (("一", "三"), (1, 3)),
        (("①", "③"), (1, 3)),
        (("Ⅰ", "Ⅲ"), (1, 3)),
        (("00001", "00003"), (1, 3)),
        (("\N{ZERO WIDTH SPACE}1", "3\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}"), (1, 3)),
    ],
)
def test_numbers_of_any_script_are_bare_numbers(
    folders: tuple[str, ...], found: tuple[int, ...], tmp_path: Path
) -> None:
    write_folder(tmp_path, *folders)
    with pytest.raises(DataError, match="its classes are numbers, and a number does not say which emotion") as caught:
        read_faces(tmp_path)
    assert [int(line.split()[0]) for line in str(caught.value).splitlines()[2:4]] == [*found]
    numbering = {0: "fer2013", 1: "rafdb"}[found[0]]
    faces = read_faces(tmp_path, classes=ClassOptions(numbering))
    assert names_of(faces) == [NUMBERINGS[numbering][number] for number in found]


@pytest.mark.parametrize("folders", [("-1", "1"), ("1.0", "2.0"), ("十", "十一"), ("0,5", "1"), ("12345", "½")])
def test_numbers_that_no_order_has_are_refused(folders: tuple[str, ...], tmp_path: Path) -> None:
    write_folder(tmp_path, *folders)
    unreadable = ", ".join(sorted(name for name in folders if whole_number_in(name) is None))
    with pytest.raises(DataError, match=f"the classes {unreadable} are numbers, and none from 0 to 9999 that a"):
        read_faces(tmp_path, classes=ClassOptions("rafdb"))


def test_numbers_of_any_script_beside_words_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/٠", "train/三", "train/happy")
    with pytest.raises(DataError, match=r"some classes are numbers \(0, 3\), others are words \(happy\)"):
        read_faces(tmp_path, classes=ClassOptions("rafdb"))


@pytest.mark.parametrize("label", ["٣", "三", "③", "03"])
def test_tables_have_numbers_of_any_script_too(label: str, tmp_path: Path) -> None:
    write_folder(tmp_path, "images")
    (tmp_path / "labels.csv").write_text(f"image,label\nimages/face.png,{label}\n", "utf-8")
    with pytest.raises(DataError, match="its classes are numbers"):
        read_faces(tmp_path)
    assert names_of(read_faces(tmp_path, classes=ClassOptions("affectnet"))) == ["surprise"]


def test_two_spellings_of_a_number_are_one_class(tmp_path: Path) -> None:
    write_folder(tmp_path, "1", "01", "2")
    assert read_faces(tmp_path, classes=ClassOptions("rafdb")).labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["0-2", "18-25", "more than 70", "百合", "v2", "0_1", "😀", ""])
def test_names_with_numbers_in_them_stay_names(name: str) -> None:
    assert not is_number(name)
    assert folder_class(name) == name


def test_folders_that_lie_too_deep_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "happy", "sad/" + "/".join("d" * (entries.DEEPEST - 1)))
    assert len(read_faces(tmp_path)) == 2
    write_folder(tmp_path, "happy/" + "/".join("d" * entries.DEEPEST))
    with pytest.raises(DataError, match=r"happy(/d){32}: lies in more than 32 folders within each other, and what is"):
        read_faces(tmp_path)


def test_no_file_of_a_folder_is_left_out_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, "happy", "sad")
    monkeypatch.setattr(entries, "MOST_IMAGES", 3)
    for hidden in range(5):
        (tmp_path / "happy" / f".{hidden}").touch()
    assert len(entries.visible_entries(tmp_path / "happy")) == 1
    (tmp_path / "happy" / ".more").touch()
    with pytest.raises(DataError, match="happy: holds more than"):
        entries.visible_entries(tmp_path / "happy")
