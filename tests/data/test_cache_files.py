"""A cache may be read by whom its source may be read, and is written whole."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fer_lightning.data.readers.source import read_faces
from fer_lightning.files import written_whole
from tests.data.faces_files import CSV, IMAGES, assert_are_the_faces, write_image


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
