"""An archive from who knows where is read in place: nothing is written, nothing outside it read, nothing unbounded."""

import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fer_lightning.data.readers import archive, bounded
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import LONGEST_MESSAGE, DataError
from fer_lightning.transforms.image_file import MOST_PIXELS
from tests.data.faces_files import CSV, IMAGES, assert_are_the_faces, write_image

NAMES = ["../other.csv", "data/../../other.csv", "{}/other.csv", "..\\other.csv", "C:\\other.csv"]


def tar_of(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    """With this member behind an honest fer2013.csv."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        honest = tarfile.TarInfo("fer2013.csv")
        honest.size, member.size = len(CSV), len(content)
        tar.addfile(honest, io.BytesIO(CSV))
        tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def zip_of(name: str, content: bytes, mode: int = 0) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("fer2013.csv", CSV)
        member = zipfile.ZipInfo(name)
        member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
        zipped.writestr(member, content)
    return file.getvalue()


def assert_refused(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + why):
        read_faces(path)
    assert os.listdir(path.parent) == [path.name]  # no cache, and nothing unpacked


def assert_only_the_honest_member_is_read(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert_are_the_faces(read_faces(path))
    assert {file.relative_to(path.parent).as_posix() for file in path.parent.rglob("*") if file.is_file()} == {
        path.name,
        f".fer_lightning/{path.name}.safetensors",
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_member_outside_the_archive_is_never_written(name: str, tmp_path: Path) -> None:
    name = name.format(tmp_path)
    assert_only_the_honest_member_is_read(tmp_path / "tgz" / "data.tgz", tar_of(tarfile.TarInfo(name), b"not a table"))
    assert_only_the_honest_member_is_read(tmp_path / "zip" / "data.zip", zip_of(name, b"not a table"))
    assert sorted(os.listdir(tmp_path)) == ["tgz", "zip"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_an_archive_with_a_link_or_device_is_read_without_it(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("data/fer2013.csv")
    member.type, member.linkname = kind, "/etc/passwd"
    assert_only_the_honest_member_is_read(tmp_path / "tgz" / "data.tgz", tar_of(member))
    link = zip_of("data/fer2013.csv", b"/etc/passwd", stat.S_IFLNK | 0o777)
    assert_only_the_honest_member_is_read(tmp_path / "zip" / "data.zip", link)


def test_an_honest_archive_with_links_to_its_table_is_read(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        link = tarfile.TarInfo("latest.csv")
        link.type, link.linkname = kind, "fer2013.csv"
        assert_only_the_honest_member_is_read(tmp_path / f"tgz {kind!r}" / "data.tgz", tar_of(link))
    link_in_zip = zip_of("latest.csv", b"fer2013.csv", stat.S_IFLNK | 0o777)
    assert_only_the_honest_member_is_read(tmp_path / "zip" / "data.zip", link_in_zip)


def empty_members(count: int, suffix: str = "") -> dict[str, bytes]:
    """A tar and a zip of that many empty files."""
    files = {"data.tgz": io.BytesIO(), "data.zip": io.BytesIO()}
    with tarfile.open(fileobj=files["data.tgz"], mode="w:gz") as tar, zipfile.ZipFile(files["data.zip"], "w") as zipped:
        for number in range(count):
            tar.addfile(tarfile.TarInfo(f"{number}{suffix}"))
            zipped.writestr(f"{number}{suffix}", b"")
    return {name: file.getvalue() for name, file in files.items()}


def test_an_archive_of_far_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bounded.MOST_MEMBERS == 100_000
    for module in (archive, bounded):
        monkeypatch.setattr(module, "MOST_MEMBERS", 1000)
    for count in (1000, 1001):
        for name, content in empty_members(count).items():
            (tmp_path / name).write_bytes(content)
            why = r"more than 1,000 files\. Unpack" if count > 1000 else r"0, 1, 2, 3, 4, … and 995 more, but no \.csv"
            with pytest.raises(DataError, match=why):
                read_faces(tmp_path / name)


def test_a_list_of_zip_members_is_bounded_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBER_LIST", 1000)
    (tmp_path / "data.zip").write_bytes(empty_members(100)["data.zip"])
    with pytest.raises(DataError, match="holds more than 100,000 files"):
        read_faces(tmp_path / "data.zip")


def test_long_names_of_long_names_are_damage(tmp_path: Path) -> None:
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 5
    (tmp_path / "chain.tar").write_bytes((name.tobuf(tarfile.GNU_FORMAT) + b"long".ljust(512, b"\0")) * 3000)
    with pytest.raises(DataError, match="damaged or cut short"):
        read_faces(tmp_path / "chain.tar")


HEADER = b"emotion,pixels,Usage\n"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (b"\n" * 2_000_000, r"1,000,001 of its first 1,000,002 lines are blank"),
        (b"x\n" * 200_000, r"100,032 of its first 100,032 rows are bad:(\n- .*){5}\nThe rest was not read"),
    ],
)
def test_lines_that_never_end_in_a_face_are_refused(rows: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(HEADER + rows)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(HEADER + rows))
    for path in (tmp_path / "a.csv", tmp_path / "a.csv.gz"):
        with pytest.raises(DataError, match=why):
            read_faces(path, "drop")


def several(folder: Path) -> None:
    for number in range(100):
        (folder / f"{number}{'x' * 200}").mkdir()
        (folder / f"{number}{'x' * 200}" / "fer2013.csv").write_bytes(CSV)


def pax_names(folder: Path) -> None:
    with tarfile.open(folder / "fer2013.tgz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for letter in "xy":
            tar.addfile(tarfile.TarInfo(letter * 1_000_000 + ".csv"))


LONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "columns": (lambda folder: (folder / "a.csv").write_bytes(b"emotion,pixels" + b",x" * 400_000), "FER2013 CSV as"),
    "names of columns": (
        lambda folder: (folder / "a.csv").write_bytes(b"emotion,pixels," + b"x" * 100_000 + b"\n1\n2\n3\n4\n5\n"),
        "correct source as data.path",
    ),
    "tables of a zip": (
        lambda folder: (folder / "fer2013.zip").write_bytes(empty_members(500, ".csv")["data.zip"]),
        "or <emotion>/",
    ),
    "far too many tables": (
        lambda folder: (folder / "fer2013.zip").write_bytes(empty_members(1001, ".csv")["data.zip"]),
        "Give the one to read as data.path",
    ),
    "tables of a folder": (lambda folder: [(folder / f"{n}.csv").write_text("a") for n in range(300)], "or <emotion>/"),
    "fitting tables": (lambda folder: [(folder / f"{n}.csv").write_bytes(CSV) for n in range(300)], "keep only that"),
    "data sets": (several, "Give one of them as data.path"),
    "names of members": (pax_names, "or <emotion>/"),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_message_is_short_and_still_says_what_to_do(kind: str, tmp_path: Path) -> None:
    make, what_to_do = LONG[kind]
    make(tmp_path)
    with pytest.raises(DataError, match=what_to_do) as caught:
        read_faces(tmp_path)
    assert len(str(caught.value)) <= LONGEST_MESSAGE


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.csv.xz", "bomb.zip", "bomb.tgz"])
def test_what_unpacks_to_a_thousand_times_its_size_is_refused(name: str, tmp_path: Path) -> None:
    flat = b"emotion,pixels\n" + (b"3" + b",7" + b" 7" * 2303 + b"\n") * 6000  # 28 MB
    member = tarfile.TarInfo("bomb.csv")
    bomb = {
        "bomb.csv.gz": lambda: gzip.compress(flat, 1),
        "bomb.csv.xz": lambda: lzma.compress(flat, preset=0),
        "bomb.zip": lambda: zip_of("bomb.csv", flat),
        "bomb.tgz": lambda: tar_of(member, flat),
    }[name]()
    assert len(bomb) < 500_000
    assert_refused(tmp_path / name, bomb, r"unpacks to more than 16,777,216 bytes, [\d,]+ times its own size")


def test_a_line_that_never_ends_is_refused_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "endless.csv").open("wb") as file:
        file.write(b"emotion,pixels\n3,")
        file.truncate(1 << 33)  # eight gigabytes that take no space on the disk
    with pytest.raises(DataError, match="line 2 is longer than 1,048,576 bytes"):
        read_faces(tmp_path / "endless.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero")):
        with pytest.raises(DataError, match="neither a file nor a folder"):
            read_faces(path)
    write_image(tmp_path / "images" / "1.png", IMAGES[0])
    os.mkfifo(tmp_path / "images" / "2.png")
    listed = "file,part,emotion,label,row\n1.png,all,happy,3,1\n2.png,all,happy,3,2\n"
    (tmp_path / "images" / "labels.csv").write_text(listed)
    with pytest.raises(DataError, match=r"1 of 2 images are bad:\n- 2\.png: found an unreadable image \(not a file\)"):
        read_faces(tmp_path / "images")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    Image.new("1", (10_000, 10_000)).save(tmp_path / "happy" / "huge.png")
    assert (tmp_path / "happy" / "huge.png").stat().st_size < 30_000
    with pytest.raises(DataError, match=rf"huge\.png: .*10000x10000: more than {MOST_PIXELS:,} pixels"):
        read_faces(tmp_path)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,part,emotion,label,row\na\0b.png,all,happy,3,1\n")
    with pytest.raises(DataError, match=r"line 2: found the file 'a\\x00b\.png', expected one below the folder"):
        read_faces(tmp_path)
    for name, why in (("x" * 5000, "cannot be read"), ("~nobody_of_this_name/fer2013.csv", "there is no such file")):
        with pytest.raises(DataError, match=why):
            read_faces(name)
