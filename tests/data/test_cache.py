"""A source is parsed once; what is kept of it is used only while it holds."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fer_lightning.data import identity
from fer_lightning.data.cache import cache_dir, save_reading
from fer_lightning.data.faces import Reading
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.source import read_faces
from fer_lightning.files import written_whole
from tests.data.faces_files import BAD, CSV, FLAT, IMAGES, assert_are_the_faces, csv_bytes, messages, write_image
from tests.fuzz import CASES
from tests.scripts import run_in


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
    assert content.count(b'"schema":"9"') == 1
    cache.write_bytes(content.replace(b'"schema":"9"', b'"schema":"0"'))


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
        (of_an_older_schema, "of schema 0, not 9"),
        (with_other_part_names, "damaged (its checksum differs)"),
        *((flipped(place), "") for place in (0, 0.001, 0.01, 0.02)),
        *((flipped(place), "damaged (its checksum differs)") for place in (0.1, 0.5, 0.99, 0.99999)),
    ],
)
def test_a_cache_that_does_not_hold_is_rebuilt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path, Path], None], why: str
) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    read_faces(path)
    cache = tmp_path / ".fer_lightning" / "fer2013.csv.safetensors"
    harm(path, cache)
    faces, log = messages(caplog, path)
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES)
    assert f"cache rebuilt: {cache}: {why}" in log
    assert "parsed in" in log
    again, log = messages(caplog, path)
    assert np.array_equal(again.images[:, 0].numpy(), IMAGES)
    assert again.parts.tolist() == faces.parts.tolist()
    assert "from the cache" in log


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


def test_a_moved_folder_keeps_its_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "fer2013.csv").write_bytes(CSV)
    read_faces(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert "from the cache" in messages(caplog, tmp_path / "there")[1]


def test_the_user_s_cache_serves_where_the_folder_cannot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, own_cache_dir: Path
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fer2013.csv").write_bytes(CSV if folder == "one" else BAD)
        (tmp_path / folder / ".fer_lightning").write_text("a file, so no folder of this name can be made")
    faces, log = messages(caplog, tmp_path / "one")
    assert_are_the_faces(faces)
    assert f"cannot save a cache at {tmp_path / 'one' / '.fer_lightning'}" in log
    assert f"saving it at {own_cache_dir}" in log
    assert len(read_faces(tmp_path / "two", on_bad_rows="drop")) == 2
    for folder in ("one", "two"):  # each its own, though the files have the same name
        assert "from the cache" in messages(caplog, tmp_path / folder, on_bad_rows="drop")[1]
    assert len(list(own_cache_dir.glob("fer2013.csv-*.safetensors"))) == 2
    assert cache_dir() == own_cache_dir


def test_without_a_place_for_a_cache_the_faces_are_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    (tmp_path / ".fer_lightning").write_text("a file")
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(tmp_path / ".fer_lightning" / "cache"))
    for _ in range(2):
        faces, log = messages(caplog, tmp_path)
        assert_are_the_faces(faces)
        assert f"cannot save a cache at {tmp_path / '.fer_lightning' / 'cache'}" in log
        assert f"either (Not a directory); {tmp_path / 'fer2013.csv'} is parsed on every run" in re.sub(
            r"\(\[Errno \d+\] (Not a directory): [^)]*\)", r"(\1)", log
        )


def test_a_cache_that_is_not_finished_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    blocking = tmp_path / ".fer_lightning" / "fer2013.csv.safetensors"
    blocking.mkdir(parents=True)  # a file cannot take the place of a folder
    assert_are_the_faces(read_faces(tmp_path))
    assert os.listdir(tmp_path / ".fer_lightning") == ["fer2013.csv.safetensors"]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_who_may_read_the_source_may_read_the_cache(tmp_path: Path) -> None:
    for mask, source, cache in ((0o022, 0o444, 0o644), (0, 0o640, 0o640), (0o077, 0o644, 0o600), (0, 0o600, 0o600)):
        folder = tmp_path / f"{mask}-{source}"
        folder.mkdir()
        (folder / "fer2013.csv").write_bytes(CSV)
        (folder / "fer2013.csv").chmod(source)
        with umask(mask):
            read_faces(folder)
        assert mode(folder / ".fer_lightning" / "fer2013.csv.safetensors") == cache


def test_a_cache_of_images_is_for_those_who_may_read_all_of_them(tmp_path: Path) -> None:
    for number, image in enumerate(IMAGES[:3]):
        write_image(tmp_path / "happy" / f"{number}.png", image)
    (tmp_path / "happy" / "1.png").chmod(0o600)
    with umask(0o022):
        read_faces(tmp_path)
    assert mode(tmp_path / ".fer_lightning" / f"{tmp_path.name}.safetensors") == 0o600


def test_a_cache_in_the_user_s_cache_directory_is_theirs_alone(tmp_path: Path, own_cache_dir: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    (tmp_path / ".fer_lightning").write_text("a file, so no folder of this name can be made")
    with umask(0o022):
        read_faces(tmp_path)
    assert [mode(file) for file in own_cache_dir.iterdir()] == [0o600]


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_a_file_written_whole_has_the_umask_s_permissions(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        with written_whole(tmp_path / "text") as unfinished:
            unfinished.write_text("written")
        with written_whole(tmp_path / "model.safetensors") as unfinished:
            save_file({"weight": torch.zeros(1)}, unfinished)
        with written_whole(tmp_path / "model.pth") as unfinished:
            torch.save({"weight": torch.zeros(1)}, unfinished)
    assert {mode(file) for file in tmp_path.iterdir()} == {0o666 & ~mask}
    assert len(os.listdir(tmp_path)) == 3


def test_only_what_is_open_for_writing_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    synced: list[int] = []

    def fsync_of_windows(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            return  # which are not synced there
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        synced.append(handle)

    monkeypatch.setattr(os, "fsync", fsync_of_windows)
    with written_whole(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    (tmp_path / "fer2013.csv").write_bytes(CSV)
    read_faces(tmp_path)
    assert os.listdir(tmp_path / ".fer_lightning") == ["fer2013.csv.safetensors"]
    assert len(synced) == 2


ROUNDS = max(3, CASES // 300)
AT_ONCE = """
import os, shutil, sys
from pathlib import Path
from fer_lightning.data.readers.source import read_faces

def answer():
    start_read.read()  # ends when the parent closes the other end: all begin at once
    faces = read_faces(folder)
    return f"{len(faces)} {int(faces.images.sum())}"

folder = Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    start, go = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw"))
    start_read, answers = start, []
    for _ in range(8):
        out, into = os.pipe()
        if os.fork() == 0:
            go.close()
            os.write(into, answer().encode())
            os._exit(0)
        os.close(into)
        answers.append(os.fdopen(out))
    go.close()
    print(*(one.read() for one in answers), *os.listdir(folder / ".fer_lightning"), sep=",")
    for _ in answers:
        os.wait()
    shutil.rmtree(folder / ".fer_lightning")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, so that they start at once")
def test_eight_processes_that_fill_one_cache_at_once_all_succeed(tmp_path: Path) -> None:
    rows = [f"{number % 7},{FLAT},Training" for number in range(500)]
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "fer2013.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    (tmp_path / "at_once.py").write_text(AT_ONCE)
    result = run_in(tmp_path, str(tmp_path / "at_once.py"), "faces", str(ROUNDS), timeout=60 + 10 * ROUNDS)
    assert result.returncode == 0, result.stderr
    one_round = ",".join([f"500 {500 * 2304 * 7}"] * 8 + ["fer2013.csv.safetensors"])
    assert result.stdout.splitlines() == [one_round] * ROUNDS


NO_FACES = {
    "labels": lambda faces: {"labels": faces.labels + 7},
    "parts": lambda faces: {"parts": faces.parts + 100},
    "images": lambda faces: {"images": faces.images[:, 1:].contiguous()},
    "numbers": lambda faces: {"numbers": faces.numbers.float()},
}


@pytest.mark.parametrize("name", NO_FACES)
def test_a_cache_of_somebody_else_is_used_only_if_it_holds_faces(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    faces = replace(read_faces(path), **NO_FACES[name](read_faces(path)))
    save_reading(Reading(faces, "CSV", 0, ()), path, file_identity(path))  # with a checksum that holds
    again, log = messages(caplog, path)
    assert "its tensors are no faces" in log
    assert np.array_equal(again.images[:, 0].numpy(), IMAGES)


def test_the_cache_is_memory_mapped(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    read_faces(path)
    images = read_faces(path).images
    assert isinstance(images, torch.Tensor)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux says what is mapped where")
    mapped = [line.split() for line in maps.read_text().splitlines() if line.endswith("fer2013.csv.safetensors")]
    ranges = [[int(end, 16) for end in line[0].split("-")] for line in mapped]
    assert any(start <= images.data_ptr() < end for start, end in ranges)


def test_what_is_known_of_persons_comes_back_from_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    faces = read_faces(path)
    persons = torch.arange(len(faces)) % 2
    for known in (replace(faces, persons=persons), replace(faces, several_of_each=True)):
        save_reading(Reading(known, "CSV", 0, ()), path, file_identity(path))
        cached = read_faces(path)
        assert cached.several_of_each is known.several_of_each
        assert (cached.persons is None) == (known.persons is None)
        assert cached.persons is None or torch.equal(cached.persons, persons)
