"""An archive from who knows where is read in place: nothing is written, nothing outside it read, nothing unbounded."""

import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from fer_lightning.data.faces import DataError
from fer_lightning.data.image_folder import MOST_PIXELS
from fer_lightning.data.source import read_faces
from tests.data.faces_files import CSV, IMAGES, write_image

NAMES = ["../fer2013.csv", "data/../../fer2013.csv", "/tmp/fer2013.csv", "..\\fer2013.csv", "C:\\fer2013.csv"]


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
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", CSV)
        member = zipfile.ZipInfo(name)
        member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
        archive.writestr(member, content)
    return file.getvalue()


def assert_refused(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + why):
        read_faces(path)
    assert os.listdir(path.parent) == [path.name]  # no cache, and nothing unpacked


@pytest.mark.parametrize("name", NAMES)
def test_a_member_outside_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "tgz").mkdir()
    (tmp_path / "zip").mkdir()
    why = re.escape(f"its member {name!r} is outside the archive's folder")
    assert_refused(tmp_path / "tgz" / "data.tgz", tar_of(tarfile.TarInfo(name), CSV), why)
    assert_refused(tmp_path / "zip" / "data.zip", zip_of(name, CSV), why)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_a_tar_is_refused(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("data/other.csv")
    member.type, member.linkname = kind, "/etc/passwd"
    assert_refused(tmp_path / "data.tgz", tar_of(member), "its member 'data/other.csv' is a link or device")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "a.zip", zip_of("x.csv", b"/etc/passwd", stat.S_IFLNK | 0o777), "is a link or device")


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
    for name in ("x" * 5000, "~nobody_of_this_name/fer2013.csv"):
        with pytest.raises(DataError, match="cannot be read"):
            read_faces(name)
