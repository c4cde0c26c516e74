"""A signal, a gone reader, a closed stream or a full disk ends predict.py with its own status, and files are whole."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from fer_lightning.use.streams import READER_GONE
from tests.use.predicting import Predict, names, rows, walking_video, words
from tests.use.sound_videos import frame_times, packets


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 600 frames."""
    return walking_video(tmp_path_factory.mktemp("long") / "clip.mp4", 600)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_leaves_whole_files(folder: Path, long_clip: Path, number: signal.Signals) -> None:
    clip = Path(shutil.copy(long_clip, folder))
    process = subprocess.Popen(words("clip.mp4", "--out", "found"), cwd=folder, stderr=subprocess.PIPE, text=True)
    while not (folder / "found" / "faces.csv").exists() or len(rows(folder / "found")) < 20:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert said.startswith("stopped: this is what was found by then")
    table = rows(folder / "found")
    assert 20 <= len(table) < 600
    assert {*table["label"]} == {"sad"}
    lines = [json.loads(line) for line in (folder / "found" / "faces.jsonl").read_text().splitlines()]
    assert len(lines) == len(table) + 1
    result = folder / "found" / "videos" / "clip.mp4"
    assert frame_times(result) == pytest.approx(frame_times(clip)[: len(table)], abs=1e-6)
    assert 0 < len(packets(result)) < len(packets(clip))
    assert "was stopped" in (folder / "found" / "index.html").read_text()


def test_a_second_signal_ends_it_with_its_own_status(folder: Path, long_clip: Path) -> None:
    shutil.copy(long_clip, folder)
    process = subprocess.Popen(words("clip.mp4", "--out", "found"), cwd=folder, stderr=subprocess.PIPE, text=True)
    while not (folder / "found" / "faces.csv").exists() or len(rows(folder / "found")) < 100:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)  # what was found by then takes longer to write
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in said
    assert "stopped: this is what was found by then" not in said


def test_a_reader_that_goes_away_ends_it_without_a_word(folder: Path) -> None:
    for number in range(300):
        os.link(folder / "photo.jpg", folder / f"{number}.jpg")
    command = words(".", "--json")
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    assert json.loads(process.stdout.readline())["format_version"] == 1
    process.stdout.close()
    assert process.wait(60) == READER_GONE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_full_disk_is_one_message(folder: Path, predict: Predict) -> None:
    resource = pytest.importorskip("resource")  # which Windows does not have
    walking_video(folder / "clip.mp4", 60)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4000, 4000))
    done = predict("clip.mp4", "--only", "table", "--out", "found", preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the results cannot be written: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("closed", "arguments", "status"), [
    (">&-", ["--out", "found"], 0), ("2>&-", ["--out", "found"], 0), ("<&- >&- 2>&-", ["--out", "found"], 0),
    ("2>&-", ["--json"], 0), (">&-", ["--json"], 1), ("2>&-", ["--unsure", "2"], 2),
])  # fmt: skip
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_stream_that_is_closed_is_nowhere(folder: Path, closed: str, arguments: list[str], status: int) -> None:
    command = f"{shlex.join(words('photo.jpg', *arguments))} {closed}"
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    if "--out" in arguments:
        assert names(folder / "found") == {"faces.csv", "faces.jsonl", "index.html", "pictures/photo.jpg"}
        assert len(rows(folder / "found")) == 1
    elif closed == ">&-":
        assert done.stderr == "error: the results cannot be written: --json prints, and standard output is closed\n"


def test_a_disk_that_fills_later_is_reported_too(folder: Path, predict: Predict) -> None:
    resource = pytest.importorskip("resource")  # which Windows does not have
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4000, 4000))  # above the tables
    done = predict("photo.jpg", "--out", "found", preexec_fn=limit)
    assert done.returncode == 1
    assert names(folder / "found") == {"faces.csv", "faces.jsonl"}
    assert "annotated pictures of photo.jpg could not be written: [Errno 27] File too large" in done.stderr
    assert "written to found: faces.csv, faces.jsonl\n" in done.stderr
    assert done.stderr.endswith(
        "error: the results are not complete: annotated pictures, index.html could not be written\n"
    )
    assert "Traceback" not in done.stderr
