import gzip
import io
import logging
import lzma
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data.cache import cache_dir
from fer_lightning.data.faces import DataError, Faces
from fer_lightning.data.source import find_fer2013, read_faces
from tests.data.faces_files import FLAT, LABELS, USAGES, csv_bytes, fer2013_csv, random_images, write_image

IMAGES = random_images()
CSV = fer2013_csv(IMAGES)
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


def assert_are_the_faces(faces: Faces) -> None:
    assert np.array_equal(faces.images.numpy(), IMAGES)
    assert faces.labels.tolist() == list(LABELS)
    assert [faces.part_names[part] for part in faces.parts] == list(USAGES)


def messages(caplog: pytest.LogCaptureFixture, path: Path | str, **how: str) -> tuple[Faces, str]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        faces = read_faces(path, **how)  # type: ignore[arg-type]
    return faces, caplog.text


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_recognised_and_read_then_taken_from_the_cache(
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
def test_a_folder_or_a_folder_around_it_stands_for_the_one_data_file_in_it(tmp_path: Path, name: str) -> None:
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


def test_kaggles_test_csv_alone_is_refused_because_it_has_no_labels(tmp_path: Path) -> None:
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


BAD = csv_bytes("emotion,pixels,Usage", [f"{label},{FLAT},Training" for label in (0, 7, 1, 8, 9, 10, 11, 12, 13)])


def test_bad_rows_are_refused_with_their_count_the_first_five_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data.tgz").write_bytes(tarred("w:gz", **{"fer2013/fer2013.csv": BAD}))
    with pytest.raises(DataError) as caught:
        read_faces(tmp_path / "data.tgz")
    expected = "expected a whole number from 0 to 6"
    assert str(caught.value) == (
        f"{tmp_path / 'data.tgz'}, member fer2013/fer2013.csv: 7 of 9 rows are bad:\n"
        f"- row 2 (line 3), column emotion: found '7', {expected}\n"
        f"- row 4 (line 5), column emotion: found '8', {expected}\n"
        f"- row 5 (line 6), column emotion: found '9', {expected}\n"
        f"- row 6 (line 7), column emotion: found '10', {expected}\n"
        f"- row 7 (line 8), column emotion: found '11', {expected}\n"
        "- … and 2 more\n"
        "Correct them, or leave them out with data.on_bad_rows=drop."
    )


def test_dropped_rows_are_announced_on_every_reading_and_refused_again_without_drop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(BAD)
    for came_from in ("parsed", "from the cache"):
        faces, log = messages(caplog, path, on_bad_rows="drop")
        assert faces.labels.tolist() == [0, 1]
        assert came_from in log
        assert f"{path}: dropped 7 of 9 rows:\n- row 2 (line 3), column emotion: found '7'" in log
    with pytest.raises(DataError, match="7 of 9 rows are bad"):
        read_faces(path)


def test_dropping_every_row_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(csv_bytes("emotion,pixels", ["7,7", "8,8"]))
    with pytest.raises(DataError, match="all 2 rows are bad, so none is left"):
        read_faces(path, on_bad_rows="drop")


def test_on_bad_rows_takes_two_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.on_bad_rows=ignore: expected error or drop"):
        read_faces(tmp_path, on_bad_rows="ignore")  # type: ignore[arg-type]


def with_other_content(path: Path, _: Path) -> None:
    path.write_bytes(CSV.replace(b"Training", b"PublicTest"))


def with_other_time(path: Path, _: Path) -> None:
    os.utime(path, ns=(1, 1))


def truncated(_: Path, cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:-1])


def emptied(_: Path, cache: Path) -> None:
    cache.write_bytes(b"")


def replaced_by_text(_: Path, cache: Path) -> None:
    cache.write_text("this is no safetensors file")


def of_an_older_schema(_: Path, cache: Path) -> None:
    content = cache.read_bytes()
    assert content.count(b'"schema":"1"') == 1
    cache.write_bytes(content.replace(b'"schema":"1"', b'"schema":"0"'))


def with_other_part_names(_: Path, cache: Path) -> None:
    content = cache.read_bytes()
    assert content.count(b"PublicTest") == 1
    cache.write_bytes(content.replace(b"PublicTest", b"PublicTent"))


def flipped(place: float) -> Callable[[Path, Path], None]:
    def flip(_: Path, cache: Path) -> None:
        content = bytearray(cache.read_bytes())
        content[int(place * len(content))] ^= 1
        cache.write_bytes(content)

    flip.__name__ = f"a_byte_flipped_at_{place}"
    return flip


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (with_other_content, "its source has changed"),
        (with_other_time, "its source has changed"),
        (truncated, "damaged or unreadable"),
        (emptied, "damaged or unreadable"),
        (replaced_by_text, "damaged or unreadable"),
        (of_an_older_schema, "of schema 0, not 1"),
        (with_other_part_names, "damaged (its checksum differs)"),
        *((flipped(place), "") for place in (0, 0.001, 0.01, 0.02)),
        *((flipped(place), "damaged (its checksum differs)") for place in (0.1, 0.5, 0.99, 0.99999)),
    ],
)
def test_a_cache_that_does_not_hold_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path, Path], None], why: str
) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    read_faces(path)
    cache = tmp_path / ".fer_lightning" / "fer2013.csv.safetensors"
    harm(path, cache)
    faces, log = messages(caplog, path)
    assert np.array_equal(faces.images.numpy(), IMAGES)
    assert f"cache made anew: {cache}: {why}" in log
    assert "parsed in" in log
    again, log = messages(caplog, path)
    assert np.array_equal(again.images.numpy(), IMAGES)
    assert again.parts.tolist() == faces.parts.tolist()
    assert "from the cache" in log


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
    assert faces.labels.tolist() == {"added": [3, 3, 3, 4], "removed": [3, 3], "renamed": [4] * 3}.get(change, [3] * 3)


def test_a_moved_folder_keeps_its_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "fer2013.csv").write_bytes(CSV)
    read_faces(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert "from the cache" in messages(caplog, tmp_path / "there")[1]


def test_where_the_folder_takes_no_cache_the_user_s_cache_directory_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, own_cache_dir: Path
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fer2013.csv").write_bytes(CSV if folder == "one" else BAD)
        (tmp_path / folder / ".fer_lightning").write_text("a file, so no folder of this name can be made")
    faces, log = messages(caplog, tmp_path / "one")
    assert_are_the_faces(faces)
    assert f"cannot keep a cache at {tmp_path / 'one' / '.fer_lightning'}" in log
    assert f"keeping it at {own_cache_dir}" in log
    assert len(read_faces(tmp_path / "two", on_bad_rows="drop")) == 2
    for folder in ("one", "two"):  # each its own, though the files have the same name
        assert "from the cache" in messages(caplog, tmp_path / folder, on_bad_rows="drop")[1]
    assert len(list(own_cache_dir.glob("fer2013.csv-*.safetensors"))) == 2
    assert cache_dir() == own_cache_dir


def test_where_nothing_takes_a_cache_the_faces_are_used_without_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    (tmp_path / ".fer_lightning").write_text("a file")
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(tmp_path / ".fer_lightning" / "cache"))
    for _ in range(2):
        faces, log = messages(caplog, tmp_path)
        assert_are_the_faces(faces)
        assert f"cannot keep a cache at {tmp_path / '.fer_lightning' / 'cache'}" in log
        assert f"either (Not a directory); {tmp_path / 'fer2013.csv'} is parsed on every run" in re.sub(
            r"\(\[Errno \d+\] (Not a directory): [^)]*\)", r"(\1)", log
        )


def test_a_cache_that_cannot_be_finished_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    blocking = tmp_path / ".fer_lightning" / "fer2013.csv.safetensors"
    blocking.mkdir(parents=True)  # a file cannot take the place of a folder
    assert_are_the_faces(read_faces(tmp_path))
    assert os.listdir(tmp_path / ".fer_lightning") == ["fer2013.csv.safetensors"]


def test_whoever_may_read_the_source_may_read_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    path.chmod(0o444)
    read_faces(path)
    assert (tmp_path / ".fer_lightning" / "fer2013.csv.safetensors").stat().st_mode & 0o777 == 0o644


def test_two_processes_that_fill_one_cache_at_once_both_succeed(tmp_path: Path) -> None:
    rows = [f"{number % 7},{FLAT},Training" for number in range(2000)]
    (tmp_path / "fer2013.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    script = (
        "import sys; from fer_lightning.data.source import read_faces\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "faces = read_faces(sys.argv[1]); print(len(faces), int(faces.images.sum()))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"  # its imports are done, so both parse at the same time
        other.stdin.write("\n")
        other.stdin.flush()
        faces = read_faces(tmp_path)
        answer = other.communicate(timeout=60)[0]
    assert answer == f"2000 {2000 * 2304 * 7}\n"
    assert (len(faces), int(faces.images.sum())) == (2000, 2000 * 2304 * 7)
    assert os.listdir(tmp_path / ".fer_lightning") == ["fer2013.csv.safetensors"]
    assert len(read_faces(tmp_path)) == 2000


def test_the_cache_is_memory_mapped(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    read_faces(path)
    images = read_faces(path).images
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux says what is mapped where")
    mapped = [line.split() for line in maps.read_text().splitlines() if line.endswith("fer2013.csv.safetensors")]
    ranges = [[int(end, 16) for end in line[0].split("-")] for line in mapped]
    assert any(start <= images.data_ptr() < end for start, end in ranges)


def test_fer2013_is_looked_for_where_the_environment_says_and_else_in_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
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
    monkeypatch.setenv("FER2013", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"No FER2013 in \$FER2013: .*nowhere: there is no such file or folder"):
        find_fer2013()
