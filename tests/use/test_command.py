"""python predict.py as people start it: what it prints, what it writes, and how it ends."""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import av
import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.browser import in_browser, needs_browser
from tests.scripts import REPOSITORY, run_in
from tests.use.brightness_network import write_network
from tests.use.sound_videos import frame_times, packets, pictures, same_packets, walking

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"

UNLINKED = {"index.html", "faces.csv", "faces.jsonl", "videos/clip-–-ä-1.timeline.png"}

Predict = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a network, n.onnx, and a photograph, photo.jpg."""
    write_network(tmp_path / "n.onnx")
    (tmp_path / "photo.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    return tmp_path


@pytest.fixture
def predict(folder: Path) -> Predict:
    """Runs predict.py there: with options of subprocess.run afresh, otherwise forked, which starts at once."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        if not options:
            return run_in(folder, "predict.py", *words(*arguments)[2:], drawn=True)
        command = words(*arguments)
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False, **options)

    return run


def words(*arguments: str) -> list[str]:
    has_network = {"--network", "--run", "--model", "--help"} & {*arguments}
    network = [] if has_network else ["--model", "n.onnx"]
    return [sys.executable, str(REPOSITORY / "predict.py"), *arguments, *network]


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "faces.csv", dtype=str, keep_default_na=False)


def walking_video(file: Path, frames: int, rate: int = 25, size: tuple[int, int] = (400, 300)) -> Path:
    """Writes a video in which the photograph's face walks through the picture, with a tone."""
    return walking(file, PHOTOGRAPH, frames, rate, size)


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_a_photograph_becomes_a_table_a_picture_and_a_page(folder: Path, predict: Predict) -> None:
    done = predict("photo.jpg", env={**os.environ})
    assert done.returncode == 0, done.stderr
    header, line = done.stdout.splitlines()
    assert header.split() == ["source", "faces", "label", "confidence"]
    assert line.split()[:3] == ["photo.jpg", "1", "sad"]
    (results,) = (folder / "outputs" / "predict").iterdir()
    assert names(results) == {"faces.csv", "faces.jsonl", "index.html", "pictures/photo.jpg"}
    assert f"written to {results.relative_to(folder)}: index.html, faces.csv, faces.jsonl, pictures" in done.stderr
    (row,) = rows(results).to_dict("records")
    assert [float(row[name]) for name in ("x", "y", "width", "height")] == pytest.approx([183, 120, 170, 212], abs=6)
    head = json.loads((results / "faces.jsonl").read_text().splitlines()[0])
    assert head["network"]["sha256"] == "ab" * 32
    assert head["command"].endswith("predict.py photo.jpg --model n.onnx")
    assert head["thresholds"] == {"min_score": 0.8, "min_size": 0, "unsure_below": 0.0}


def test_a_video_has_a_row_a_time_and_a_track_for_each_frame(folder: Path, predict: Predict) -> None:
    clip = walking_video(folder / "clip.mp4", 40)
    done = predict("clip.mp4", "--out", "found")
    assert done.returncode == 0, done.stderr
    assert names(folder / "found") == {
        "faces.csv", "faces.jsonl", "index.html", "videos/clip.mp4", "videos/clip.timeline.png",
    }  # fmt: skip
    table = rows(folder / "found")
    assert [int(number) for number in table["frame"]] == [*range(40)]
    assert [float(time) for time in table["time_s"]] == pytest.approx(frame_times(clip), abs=1e-6)
    assert {*table["track"]} == {"1"}
    assert done.stdout.splitlines()[1].split()[:4] == ["clip.mp4", "#1", "mostly", "sad"]
    result = folder / "found" / "videos" / "clip.mp4"
    assert frame_times(result) == pytest.approx(frame_times(clip), abs=1e-6)
    assert same_packets(packets(result), packets(clip))
    assert len(pictures(result)) == 40


@needs_browser
def test_the_page_shows_all_of_it_in_a_browser(folder: Path, predict: Predict) -> None:
    photos = folder / "photos"
    photos.mkdir()
    (folder / "photo.jpg").rename(photos / "photo.jpg")
    walking_video(photos / "clip – ä#1.mp4", 10)
    (photos / "broken.jpg").write_bytes(b"")
    Image.new("RGB", (300, 200)).save(photos / "a photograph 100% with <odd> letters & a name that is long.png")
    done = predict("photos", "--out", "found")
    assert done.returncode == 0, done.stderr
    for width in (1200, 390):
        found, console = in_browser(folder / "found" / "index.html", width)
        assert "CONSOLE" not in console
        assert len(found["pictures"]) == 3  # two pictures, and a timeline
        assert all(complete and natural for complete, natural, _ in found["pictures"])
        assert not found["tooWide"]
        assert found["wide"] == 0
    page = (folder / "found" / "index.html").read_text("utf-8")
    links = [unquote(link) for link in re.findall(r'(?:src|href)="((?:pictures|videos)/.*?)"', page)]
    assert sorted(links) == sorted(names(folder / "found") - {"probed.html", "frame.html"} - UNLINKED)
    assert "broken.jpg" in page
    assert "http" not in page


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
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_standard_input_becomes_json_and_nothing_is_written(folder: Path, predict: Predict) -> None:
    with (folder / "photo.jpg").open() as stream:
        done = predict("-", "--json", stdin=stream)
    assert done.returncode == 0, done.stderr
    _, line = map(json.loads, done.stdout.splitlines())
    assert (line["source"], line["faces"][0]["label"]) == ("-", "sad")
    assert names(folder) == {"n.onnx", "photo.jpg"}


def test_json_is_printed_and_written_alike(folder: Path, predict: Predict) -> None:
    (folder / "wo\nrld ü.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    os.rename(folder / "photo.jpg", os.fsencode(folder) + b"/caf\xe9.jpg")
    done = predict("caf*", "wo*", "--json", "--out", "found", env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout == (folder / "found" / "faces.jsonl").read_text("utf-8")
    sources = [json.loads(line)["source"] for line in done.stdout.splitlines()[1:]]
    assert sources == [r"caf\xe9.jpg", "wo\nrld ü.jpg"]


def test_what_cannot_be_read_is_a_row_and_the_others_go_on(folder: Path, predict: Predict) -> None:
    (folder / "notes.jpg").write_text("no picture")
    done = predict("notes.jpg", "photo.jpg", "nowhere.jpg", "--out", "found")
    assert done.returncode == 0
    table = rows(folder / "found")
    assert [*table["source"]] == ["notes.jpg", "photo.jpg", "nowhere.jpg"]
    assert [bool(note) for note in table["note"]] == [True, False, True]
    for name, note in zip(table["source"], table["note"], strict=True):
        assert (f"not read: {name}: {note}" in done.stderr) == bool(note)


def test_only_if_nothing_could_be_read_it_fails(folder: Path, predict: Predict) -> None:
    done = predict("nowhere.jpg", "--out", "found")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(rows(folder / "found")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a picture, a video or a folder, or --webcam 0"),
        (["photo.jpg", "--webcam", "0"], "--webcam takes no paths"),
        (["photo.jpg", "--unsure", "1.5"], "1.5 is not between 0 and 1"),
        (["photo.jpg", "--min-score", "0"], "0 is not above 0"),
        (["photo.jpg", "--min-size", "-3"], "-3 is not a whole number"),
        (["photo.jpg", "--only", "table,sheet"], "'sheet' is none of table, pictures"),
        (
            ["photo.jpg", "--explain"],
            "--explain needs the network of a run: Grad-CAM needs a torch network. Give --run",
        ),
        (["photo.jpg", "--explain", "--network", "small"], "Grad-CAM needs a torch network. Give --run FOLDER"),
        (
            ["photo.jpg", "--explain", "--run", "n.onnx"],
            "--run: n.onnx is no run: it takes the folder of a run, or its",
        ),
        (["photo.jpg", "--run", "n.onnx"], "*.ckpt or *.safetensors; --model takes an exported file"),
        (["photo.jpg", "--run", "small"], "--run: small: there is no such folder or file of a run"),
        (["photo.jpg", "--model", "small"], "--model: small is no exported network: it takes an .onnx file"),
        (["photo.jpg", "--model", "."], "--model: . is no exported network"),
        (["photo.jpg", "--network", "n.onnx"], "--network: n.onnx is no network of the package"),
        (["photo.jpg", "--boxes", "b.csv", "--min-score", "0.5"], "are for the detector"),
        (["photo.jpg", "--boxes", "b.csv"], "there is no such file of boxes"),
        (["photo.jpg", "--out", "."], "it has something in it, and nothing is overwritten"),
        (["photo.jpg", "--out", "photo.jpg"], "it is a file, and nothing is overwritten"),
        (["."], "Say where they are to lie: --out FOLDER"),
        ([".", "--recursive"], "Say where they are to lie: --out FOLDER"),
        ([".", "--out", "found"], "--out found: it is in ., which is looked through, and nothing is written there"),
        (["*", "../", "--out", "a/b"], "--out a/b: it is in ../, which is looked through"),
        (["photo.jpg", "--network", "smal"], "--network: smal is no network of the package. Did you mean small?"),
        (["photo.jpg", "--outt", "x"], "--outt"),
    ],
)
def test_a_wrong_command_is_refused_before_any_work(
    folder: Path, predict: Predict, arguments: list[str], said: str
) -> None:
    done = predict(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert names(folder) == {"n.onnx", "photo.jpg"}


def test_a_full_disk_is_one_message(folder: Path, predict: Predict) -> None:
    walking_video(folder / "clip.mp4", 60)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4000, 4000))
    done = predict("clip.mp4", "--only", "table", "--out", "found", preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the results cannot be written: ")
    assert "Traceback" not in done.stderr


def test_only_what_is_asked_for_is_written(folder: Path, predict: Predict) -> None:
    walking_video(folder / "clip.mp4", 5)
    assert predict("photo.jpg", "clip.mp4", "--only", "table", "--out", "one").returncode == 0
    assert names(folder / "one") == {"faces.csv", "faces.jsonl"}
    assert predict("photo.jpg", "clip.mp4", "--only", "pictures,timelines", "--out", "two").returncode == 0
    assert names(folder / "two") == {"pictures/photo.jpg", "videos/clip.timeline.png"}


def test_sources_are_left_as_they_are(folder: Path, predict: Predict) -> None:
    sources = folder / "sources"
    sources.mkdir()
    (sources / "photo.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    walking_video(sources / "clip.mp4", 5)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in sources.iterdir()}
    assert predict("sources").returncode == 0
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in sources.iterdir()} == before


def test_many_pictures_are_counted_by_label(folder: Path, predict: Predict) -> None:
    (folder / "photos").mkdir()
    for number in range(31):
        os.link(folder / "photo.jpg", folder / "photos" / f"{number}.jpg")
    done = predict("photos", "--only", "table")
    assert done.stdout.splitlines()[0].split() == ["label", "faces", "share"]
    assert done.stdout.splitlines()[1].split() == ["sad", "31", "100.0%"]


def test_below_a_confidence_the_label_is_unsure(folder: Path, predict: Predict) -> None:
    done = predict("photo.jpg", "--unsure", "0.9", "--out", "found")
    assert done.stdout.splitlines()[1].split()[2] == "unsure"
    assert done.stdout.rstrip().endswith("perhaps sad")
    (row,) = rows(folder / "found").to_dict("records")
    assert (row["label"], row["note"]) == ("unsure", "perhaps sad")


def test_a_table_that_was_written_gives_boxes(folder: Path, predict: Predict) -> None:
    assert predict("photo.jpg", "--out", "found").returncode == 0
    done = predict("photo.jpg", "--boxes", "found/faces.csv", "--out", "again")
    assert done.returncode == 0, done.stderr
    one, again = (rows(folder / name).iloc[0] for name in ("found", "again"))
    for name in ("x", "p_sad"):
        assert float(one[name]) == pytest.approx(float(again[name]), abs=0.01)


def test_a_folder_of_a_networks_name_is_that_folder(folder: Path, predict: Predict) -> None:
    (folder / "small").mkdir()
    done = predict("photo.jpg", "--run", "small")
    assert (done.returncode, done.stdout) == (2, "")
    assert "small has no model.safetensors, which a finished run has" in done.stderr
    assert predict("photo.jpg", "--network", "small", "--json").returncode == 0


def test_a_box_outside_its_picture_is_a_note(folder: Path, predict: Predict) -> None:
    (folder / "other.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    (folder / "b.csv").write_text(
        "source,x,y,width,height\nphoto.jpg,9000,1,20,20\nphoto.jpg,183,120,170,212\nother.jpg,183,120,170,212\n"
    )
    done = predict("photo.jpg", "other.jpg", "--boxes", "b.csv", "--out", "found")
    assert done.returncode == 0, done.stderr
    first, second = rows(folder / "found").to_dict("records")
    outside = "its face box (9000.0, 1.0, 9020.0, 21.0) is not in the image of 512x600"
    assert first["note"] == f"1 of 2 faces could not be cut out: b.csv, line 2: {outside}"
    assert (first["label"], second["label"], second["note"]) == ("sad", "sad", "")


def test_boxes_of_a_misspelt_source_are_reported(folder: Path, predict: Predict) -> None:
    (folder / "b.csv").write_text("source,x,y,width,height\nphto.jpg,183,120,170,212\n")
    done = predict("photo.jpg", "--boxes", "b.csv", "--out", "one")
    assert done.returncode == 1
    assert "boxes of phto.jpg: no such source was read" in done.stderr
    assert "error: no source of b.csv was read" in done.stderr
    with (folder / "b.csv").open("a") as table:
        table.write("photo.jpg,183,120,170,212\n")
    done = predict("photo.jpg", "--boxes", "b.csv", "--out", "two")
    assert done.returncode == 0
    assert "boxes of phto.jpg: no such source was read" in done.stderr
    assert "error" not in done.stderr


def test_a_link_into_the_sources_is_no_way_around(folder: Path, predict: Predict) -> None:
    (folder / "photos").mkdir()
    (folder / "photo.jpg").rename(folder / "photos" / "photo.jpg")
    (folder / "elsewhere").symlink_to("photos", target_is_directory=True)
    (folder / "list.txt").write_text("photos\n")
    for arguments in (["photos"], ["phot*"], ["@list.txt"], ["photos/"]):
        done = predict(*arguments, "--out", "elsewhere/found")
        assert done.returncode == 2
        assert "which is looked through, and nothing is written there" in done.stderr
    assert names(folder / "photos") == {"photo.jpg"}


def test_a_cut_out_face_is_taken_as_it_is(folder: Path, predict: Predict) -> None:
    Image.fromarray(np.full((48, 48), 255, np.uint8)).save(folder / "white.png")
    done = predict("white.png", "--detector", "none", "--out", "found")
    assert done.stdout.splitlines()[1].split()[:3] == ["white.png", "1", "happy"]
    assert predict("white.png", "--out", "searched").stdout.splitlines()[1].split() == ["white.png", "0", "no", "face"]


@pytest.mark.parametrize("paths", [["photo.jpg"], ["clip.mp4"]])
def test_neither_torch_nor_a_network_connection_is_needed(folder: Path, paths: Sequence[str]) -> None:
    walking_video(folder / "clip.mp4", 5)
    code = (
        "import socket, sys; socket.socket = None; from fer_lightning.use.command import main; "
        f"status = main({[*paths, '--model', 'n.onnx']!r}); "
        "print(status, sorted({'torch', 'lightning', 'hydra', 'pandas', 'scipy', 'sklearn'} & sys.modules.keys()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_help_begins_with_examples_that_parse(predict: Predict) -> None:
    from fer_lightning.use.arguments import parsed

    done = predict("--help")
    assert done.returncode == 0
    examples = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ") and "predict.py" in line]
    assert len(examples) == 6
    for example in examples:
        typed, *_ = example.partition("predict.py ")[2].replace("… ", "…  ").split("  ")
        assert parsed(shlex.split(typed))


def test_a_video_is_written_without_what_fails(folder: Path, predict: Predict) -> None:
    with av.open(folder / "tall.mkv", "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 16, 17_000, "yuv420p"  # more than H.264 has
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(np.zeros((17_000, 16, 3), np.uint8), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    done = predict("tall.mkv", "--out", "found")
    assert done.returncode == 0
    assert len(rows(folder / "found")) == 2
    assert "the annotated video of tall.mkv could not be written" in done.stderr
    assert "index.html" in names(folder / "found")
