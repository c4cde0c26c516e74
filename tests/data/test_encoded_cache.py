"""The file of encoded images is made again where it does not hold, and no image is read wrongly from it."""

import logging
import os
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_lightning.data import encoded_cache as cache_module
from fer_lightning.data.readers.pixel_options import Keep
from fer_lightning.errors import DataError
from tests.data.faces_files import all_images
from tests.data.test_cache import AT_ONCE
from tests.data.test_encoded import cache_of, encoded, photographs, read
from tests.scripts import run_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return photographs(tmp_path / "faces")


def truncated(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:-1])


def without_its_images(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[5000:])


def emptied(cache: Path) -> None:
    cache.write_bytes(b"")


def flipped_in_its_table(cache: Path) -> None:
    content = bytearray(cache.read_bytes())
    content[-2000] ^= 1
    cache.write_bytes(content)


def of_other_decoders(cache: Path) -> None:
    rewritten(cache, lambda table: table.replace(b"pillow ", b"pillov "))


def of_an_image_beyond_its_end(cache: Path) -> None:
    table = cache.read_bytes()
    offsets = encoded(read(cache.parent.parent)).columns["offsets"]
    old = offsets.numpy().tobytes()
    assert table.count(old) == 1
    offsets[3] = 1 << 40
    rewritten(cache, lambda table: table.replace(old, offsets.numpy().tobytes()))


def rewritten(cache: Path, change: Callable[[bytes], bytes]) -> None:
    """Changed by somebody who gets the checksum right."""
    content, footer = cache.read_bytes(), cache_module.FOOTER
    start, length, _, magic = footer.unpack(content[-footer.size :])
    table = change(content[start : start + length])
    assert table != content[start : start + length]
    end = footer.pack(start, len(table), zlib.crc32(table), magic)
    cache.write_bytes(content[:start] + table + end)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (truncated, "damaged (its footer is not where it should be)"),
        (without_its_images, "damaged (its footer is not where it should be)"),
        (emptied, "damaged or unreadable (the file ends before it)"),
        (flipped_in_its_table, "damaged (its checksum differs)"),
        (of_other_decoders, "made with pillov "),
        (of_an_image_beyond_its_end, "its table does not fit its images"),
    ],
)
def test_an_encoded_cache_that_does_not_hold_is_rebuilt(
    folder: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None], why: str
) -> None:
    expected = all_images(read(folder))
    harm(cache_of(folder))
    caplog.set_level(logging.INFO)
    assert torch.equal(all_images(read(folder)), expected)
    assert f"cache rebuilt: {cache_of(folder)}: {why}" in caplog.text
    caplog.clear()
    assert torch.equal(all_images(read(folder)), expected)
    assert "from the cache" in caplog.text


def test_a_changed_source_is_encoded_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(folder)
    os.utime(folder / "train" / "angry" / "0.jpg", ns=(1, 1))
    caplog.set_level(logging.INFO)
    read(folder)
    assert f"cache rebuilt: {cache_of(folder)}: its source has changed" in caplog.text


@pytest.mark.parametrize("keep", ["encoded", "pixels"])
@pytest.mark.parametrize("change", [{"size": 20}, {"channels": 1}, {"fit": "pad"}])
def test_a_cache_for_other_options_names_both(
    folder: Path, caplog: pytest.LogCaptureFixture, keep: Keep, change: dict[str, Any]
) -> None:
    read(folder, keep)
    caplog.set_level(logging.INFO)
    read(folder, keep, **change)
    now = {"size": 24, "channels": 3, "fit": "crop"} | change
    words = " ".join(f"data.{key}={value}" for key, value in now.items())
    assert f"made with data.size=24 data.channels=3 data.fit=crop, not {words}" in caplog.text
    assert "its source has changed" not in caplog.text


def test_a_damaged_image_ends_a_run_in_one_message(folder: Path, tmp_path: Path) -> None:
    options = ("data=image_folder", f"data.path={folder}", "data.size=24", "data.channels=3", "data.keep=encoded")
    short = ("trainer.max_epochs=1", "trainer.accelerator=cpu", "model=deep_emotion", "hydra.run.dir=run")
    images = encoded(read(folder))
    row = next(row for row in range(60) if (folder / read(folder).files[row]).parts[-3] == "train")
    content = bytearray(cache_of(folder).read_bytes())
    content[int(images.columns["offsets"][row]) + 300] ^= 1
    cache_of(folder).write_bytes(content)
    result = run_in(tmp_path, "train.py", *options, *short)
    assert result.returncode == 1
    message = f"{cache_of(folder)}: the image {images.names[row]} in it cannot be read (its checksum differs). Delete"
    assert message in " ".join(result.stderr.split()) or message in " ".join(result.stdout.split())
    assert "Traceback" not in result.stdout + result.stderr
    cache_of(folder).unlink()
    assert torch.equal(all_images(read(folder)), all_images(read(folder, "pixels")))


def test_a_file_cut_short_while_in_use_ends_in_a_message(folder: Path) -> None:
    images = encoded(read(folder))
    os.truncate(cache_of(folder), 100)
    with pytest.raises(
        DataError, match=r"the image train/\w+/\d+\.\w+ in it cannot be read \(the file ends before it\)"
    ):
        images[torch.arange(60)]


def test_images_in_use_stay_when_the_cache_is_replaced(folder: Path) -> None:
    images = read(folder).images
    expected = images[torch.arange(60)]
    cache_of(folder).unlink()
    read(folder, size=20)
    assert torch.equal(images[torch.arange(60)], expected)


def test_encoded_images_lie_elsewhere_if_the_folder_is_full(
    folder: Path, own_cache_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".fer_lightning").write_text("a file, so no folder of this name can be made")
    expected = all_images(read(folder, "pixels"))
    assert torch.equal(all_images(read(folder)), expected)
    assert f"saving it at {own_cache_dir}" in caplog.text
    (file,) = own_cache_dir.glob("faces-*.encoded")
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(folder / ".fer_lightning"))
    with pytest.raises(DataError, match=r"its images cannot be kept encoded, neither at .* nor at .*data\.keep=pixels"):
        read(folder)


def test_the_encoded_cache_is_for_those_who_may_read_all(folder: Path) -> None:
    (folder / "train" / "angry" / "0.jpg").chmod(0o600)
    read(folder)
    assert cache_of(folder).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, so that they start at once")
def test_eight_processes_that_encode_at_once_all_succeed(folder: Path, tmp_path: Path) -> None:
    script = AT_ONCE.replace("read_faces(folder)", "read_faces(folder, pixels=PixelOptions(24, 3, keep='encoded'))")
    script = script.replace("faces.images.sum()", "faces.images[list(range(60))].sum()")
    imports = "from fer_lightning.data.readers.pixel_options import PixelOptions\n"
    (tmp_path / "at_once.py").write_text(imports + script)
    result = run_in(tmp_path, str(tmp_path / "at_once.py"), "faces", "2", timeout=120)
    assert result.returncode == 0, result.stderr
    total = int(all_images(read(folder, "pixels")).sum())
    assert result.stdout.splitlines() == [",".join([f"60 {total}"] * 8 + ["faces.encoded"])] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is forked")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_what_a_killed_writer_leaves_is_removed_later(folder: Path) -> None:
    expected, cache = all_images(read(folder, "pixels")), cache_of(folder)
    if (child := os.fork()) == 0:
        read(folder)
        os._exit(0)
    while not list(cache.parent.glob(".faces.encoded.*.tmp")) and not cache.exists():
        time.sleep(0.0001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    cache.unlink(missing_ok=True)
    left = {cache.with_name(".faces.encoded.0123456789abcdef.tmp"), *cache.parent.glob(".faces.encoded.*.tmp")}
    for file in left:
        file.touch()
    assert torch.equal(all_images(read(folder)), expected)
    assert all(file.exists() for file in left)
    for file in left:
        os.utime(file, (1, 1))
    cache.unlink()
    assert torch.equal(all_images(read(folder)), expected)
    assert not any(file.exists() for file in left)
