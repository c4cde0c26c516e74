"""A source is parsed once; what is kept of it is used only while it holds."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lightning.data.cache import cache_dir, save_reading
from fer_lightning.data.faces import Reading
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.source import read_faces
from tests.data.faces_files import BAD, CSV, FLAT, IMAGES, assert_are_the_faces, csv_bytes, messages
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
