import gzip
import io
import lzma
import os
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.emotions import EMOTIONS, NUMBERINGS
from fer_lightning.data.readers.source import find_fer2013, read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import BAD, CSV, FLAT, IMAGES, assert_are_the_faces, csv_bytes, messages, write_image

ICML = CSV.replace(b"emotion,pixels,Usage", b"emotion,pixels, Usage")
TRAIN = csv_bytes("emotion,pixels", [f"3,{FLAT}"])
TEST = csv_bytes("pixels", [FLAT])


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(mode: str, **members: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


KAGGLE = {
    "fer2013/README": b"about",
    "fer2013/._fer2013.csv": b"macOS",
    "__MACOSX/fer2013/fer2013.csv": b"macOS",
    "fer2013/fer2013.csv": CSV,
    "fer2013/train.csv": TRAIN,
    "fer2013/test.csv": TEST,
}
FORMS: dict[str, bytes] = {
    "fer2013.csv": CSV,
    "icml_face_data.csv": ICML,
    "renamed.csv": CSV,
    "renamed": CSV,
    "fer2013.csv.gz": gzip.compress(CSV),
    "fer2013.csv.xz": lzma.compress(CSV),
    "fer2013.csv.zip": zipped(**{"fer2013.csv": CSV}),
    "archive.zip": zipped(**KAGGLE),
    "unnamed.zip": zipped(**{"a/test.csv": TEST, "a/faces.csv": CSV}),
    "data.tgz": tarred("w:gz", **KAGGLE),
    "fer2013.tar.gz": tarred("w:gz", **KAGGLE),
    "fer2013.tar.xz": tarred("w:xz", **KAGGLE),
    "data.tar": tarred("w", **KAGGLE),
}
MEMBERS = {
    "fer2013.csv.zip": "fer2013.csv",
    "unnamed.zip": "a/faces.csv",
    **dict.fromkeys(("archive.zip", "data.tgz", "fer2013.tar.gz", "fer2013.tar.xz", "data.tar"), "fer2013/fer2013.csv"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_recognised_read_and_then_cached(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[name])
    member = f", member {MEMBERS[name]}" if name in MEMBERS else ""
    faces, log = messages(caplog, path)
    assert_are_the_faces(faces)
    assert f"8 faces of {path}{member}, CSV (emotion,pixels,Usage), parsed in" in log
    faces, log = messages(caplog, str(path))
    assert_are_the_faces(faces)
    assert f"8 faces of {path}{member}, CSV (emotion,pixels,Usage), from the cache in" in log
    assert sorted(os.listdir(tmp_path)) == sorted([".fer_lightning", name])  # nothing was unpacked
    assert os.listdir(tmp_path / ".fer_lightning") == [f"{name}.safetensors"]


@pytest.mark.parametrize("name", [name for name in FORMS if "." in name])
def test_a_folder_stands_for_the_one_data_file_below_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data" / "fer2013"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(FORMS[name])
    (folder / "test.csv").write_bytes(TEST)
    (folder / "fer2013new.csv").write_bytes(b"Usage,Image name,neutral\n")
    (folder / "._fer2013.csv").write_bytes(b"macOS")
    assert_are_the_faces(read_faces(folder))
    assert_are_the_faces(read_faces(tmp_path / "data"))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["fer2013.csv", "icml_face_data.csv", "train.csv", "fer2013.csv.gz", "images"], "fer2013.csv"),
        (["fer2013.csv.gz", "icml_face_data.csv"], "fer2013.csv.gz"),
        (["icml_face_data.csv", "train.csv", "images"], "icml_face_data.csv"),
        (["train.csv", "other.csv", "images"], "images"),
        (["train.csv", "other.csv", "test.csv"], "train.csv"),
        (["other.csv", "test.csv"], "other.csv"),
    ],
)
def test_of_several_files_in_a_folder_the_documented_one_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: list[str], chosen: str
) -> None:
    content = {"test.csv": TEST, "fer2013.csv.gz": gzip.compress(CSV)}
    for name in names:
        if name == "images":
            write_image(tmp_path / "train" / "happy" / "face.png", IMAGES[0])
        else:
            (tmp_path / name).write_bytes(content.get(name, CSV))
    _, log = messages(caplog, tmp_path)
    where = tmp_path if chosen == "images" else tmp_path / chosen
    assert f"faces of {where}, " in log


def test_several_files_that_could_be_meant_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_bytes(CSV)
    with pytest.raises(DataError, match=r"several tables that could be meant: one\.csv, two\.csv\. Give the one"):
        read_faces(tmp_path)
    (tmp_path / "both.zip").write_bytes(zipped(**{"a/fer2013.csv": CSV, "b/fer2013.csv": CSV}))
    with pytest.raises(DataError, match=r"both\.zip: holds several .* a/fer2013\.csv, b/fer2013\.csv"):
        read_faces(tmp_path / "both.zip")


def test_several_data_sets_below_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "fer2013.csv").write_bytes(CSV)
    with pytest.raises(DataError, match=r"several data sets: .*one/fer2013\.csv, .*two/fer2013\.csv"):
        read_faces(tmp_path)


@pytest.mark.parametrize("name", ["missing.csv", "empty_folder", "notes.pdf", "letter.txt"])
def test_what_is_no_known_form_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty_folder").mkdir()
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\0")
    (tmp_path / "letter.txt").write_text("Dear Ann,\nhello\n")
    with pytest.raises(DataError, match=re.escape(name)) as caught:
        read_faces(tmp_path / name)
    if name in ("missing.csv", "empty_folder"):
        assert "Give as data.path one of:\n- fer2013.csv (emotion,pixels,Usage), icml_face_data.csv" in str(
            caught.value
        )
    else:
        assert "CSV" in str(caught.value)


def test_kaggles_test_csv_alone_is_refused_without_labels(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_bytes(TEST)
    for path in (tmp_path, tmp_path / "test.csv"):
        with pytest.raises(DataError, match=r"test\.csv: no column 'emotion'.*Kaggle's test\.csv .* no labels"):
            read_faces(path)


def test_an_archive_without_a_csv_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(zipped(**{"train/happy/1.png": b"", "train/happy/2.png": b""}))
    with pytest.raises(DataError, match=r"holds train/happy/1\.png, train/happy/2\.png, but no \.csv.*unpack it"):
        read_faces(tmp_path / "images.zip")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98, 1 - 1e-9])
@pytest.mark.parametrize("name", ["fer2013.csv.gz", "fer2013.csv.xz", "fer2013.csv.zip", "data.tgz", "fer2013.tar.xz"])
def test_a_truncated_archive_is_refused(tmp_path: Path, name: str, kept: float) -> None:
    whole = FORMS[name]
    (tmp_path / name).write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / name}: damaged or cut short")):
        read_faces(tmp_path / name)


@pytest.mark.parametrize("name", ["fer2013.csv.gz", "fer2013.csv.xz", "fer2013.csv.zip", "data.tgz", "fer2013.tar.xz"])
def test_an_archive_with_a_flipped_bit_is_refused(tmp_path: Path, name: str) -> None:
    content = bytearray(FORMS[name])
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(tmp_path / name)) + "(: damaged|, member .*: damaged| )"):
        read_faces(tmp_path / name)


def test_a_truncated_csv_is_refused_by_its_last_row(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV[:-5000])
    with pytest.raises(DataError, match=r"1 of 8 rows are bad:\n- row 8 \(line 9\), all columns: found 2 fields"):
        read_faces(tmp_path / "fer2013.csv")


def test_bad_rows_are_refused_with_the_first_five_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data.tgz").write_bytes(tarred("w:gz", **{"fer2013/fer2013.csv": BAD}))
    with pytest.raises(DataError) as caught:
        read_faces(tmp_path / "data.tgz")
    expected = "expected a whole number from 0 to 99 or an emotion"
    assert str(caught.value) == (
        f"{tmp_path / 'data.tgz'}, member fer2013/fer2013.csv: 7 of 9 rows are bad:\n"
        f"- row 2 (line 3), column emotion: found 'x7', {expected}\n"
        f"- row 4 (line 5), column emotion: found 'x8', {expected}\n"
        f"- row 5 (line 6), column emotion: found 'x9', {expected}\n"
        f"- row 6 (line 7), column emotion: found 'x10', {expected}\n"
        f"- row 7 (line 8), column emotion: found 'x11', {expected}\n"
        "- … and 2 more\n"
        "Correct them, or leave them out with data.on_bad_rows=drop."
    )


@pytest.mark.parametrize("on_bad_rows", ["error", "drop"])
def test_labels_of_1_to_7_are_refused_and_dropping_is_no_advice(tmp_path: Path, on_bad_rows: str) -> None:
    rows = [f"{label},{FLAT},Training" for label in (1, 2, 3, 4, 5, 6, 7)]
    (tmp_path / "rafdb.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    with pytest.raises(DataError, match=r"7 is no number of data\.numbering=fer2013, so the others may mean") as caught:
        read_faces(tmp_path / "rafdb.csv", on_bad_rows)  # type: ignore[arg-type]
    assert "drop" not in str(caught.value)
    faces = read_faces(tmp_path / "rafdb.csv", classes=ClassOptions("rafdb"))
    assert [faces.class_names[label] for label in faces.labels] == [*NUMBERINGS["rafdb"].values()]


def test_a_7_beside_fer2013_s_numbers_is_told_to_be_contempt(tmp_path: Path) -> None:
    rows = [f"{label},{FLAT},Training" for label in range(8)]
    (tmp_path / "some.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    with pytest.raises(DataError, match=r"7 is contempt: if this is that, data\.numbering=\[angry,") as caught:
        read_faces(tmp_path / "some.csv")
    names = str(caught.value).rpartition("[")[2].partition("]")[0].split(",")
    assert read_faces(tmp_path / "some.csv", classes=ClassOptions(names)).class_names == (*EMOTIONS, "contempt")


def test_a_column_called_label_has_no_numbering_of_its_own(tmp_path: Path) -> None:
    rows = [f"{label},{FLAT},Training" for label in range(7)]
    (tmp_path / "some.csv").write_bytes(csv_bytes("label,pixels,Usage", rows))
    with pytest.raises(DataError, match="its classes are numbers, and a number does not say which emotion"):
        read_faces(tmp_path / "some.csv")
    assert read_faces(tmp_path / "some.csv", classes=ClassOptions("fer2013")).labels.tolist() == [*range(7)]


def test_dropped_rows_are_announced_on_every_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(BAD)
    for came_from in ("parsed", "from the cache"):
        faces, log = messages(caplog, path, on_bad_rows="drop")
        assert faces.labels.tolist() == [0, 1]
        assert came_from in log
        assert f"{path}: dropped 7 of 9 rows:\n- row 2 (line 3), column emotion: found 'x7'" in log
    with pytest.raises(DataError, match="7 of 9 rows are bad"):
        read_faces(path)


def test_dropping_every_row_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(csv_bytes("emotion,pixels", ["7,7", "8,8"]))
    with pytest.raises(DataError, match="all 2 rows are bad, so none is left"):
        read_faces(path, on_bad_rows="drop")


def test_on_bad_rows_takes_two_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="on_bad_rows is 'ignore': it should be 'error' or 'drop'"):
        read_faces(tmp_path, on_bad_rows="ignore")  # type: ignore[arg-type]


def test_fer2013_is_looked_for_by_the_environment_then_in_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"No FER2013 in data/ \(and \$FER2013 is not set\): there is no such file"):
        find_fer2013()
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"No FER2013 in data/ \(and \$FER2013 is not set\)") as caught:
        find_fer2013()
    assert "- fer2013.csv (emotion,pixels,Usage), icml_face_data.csv or train.csv" in str(caught.value)
    assert str(caught.value).endswith("Say where it is with data.path=…; data=demo needs no files.")

    (tmp_path / "data" / "icml_face_data.csv").write_bytes(ICML)
    assert_are_the_faces(read_faces(find_fer2013()))
    (tmp_path / "elsewhere.csv").write_bytes(CSV)
    monkeypatch.setenv("FER2013", str(tmp_path / "elsewhere.csv"))
    assert find_fer2013() == tmp_path / "elsewhere.csv"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FER2013", "~/elsewhere.csv")
    assert_are_the_faces(read_faces(find_fer2013()))
    monkeypatch.setenv("FER2013", "x" * 5000)
    with pytest.raises(DataError, match=r"No FER2013 in \$FER2013: .*too long"):
        find_fer2013()
    monkeypatch.setenv("FER2013", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"No FER2013 in \$FER2013, .*nowhere: there is no such file or folder"):
        find_fer2013()
