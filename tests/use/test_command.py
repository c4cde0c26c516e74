"""python predict.py as people start it: what it prints, what it writes, and how it ends."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import av
import numpy as np
import pytest
from PIL import Image

from tests.browser import in_browser, needs_browser
from tests.scripts import REPOSITORY
from tests.use.predicting import PHOTOGRAPH, Predict, names, rows, walking_video
from tests.use.sound_videos import frame_times, packets, pictures, same_packets

UNLINKED = {"index.html", "faces.csv", "faces.jsonl", "videos/clip-–-ä-1.timeline.png"}


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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names of files are text")
def test_folders_whose_names_are_no_text_are_taken(folder: Path, predict: Predict) -> None:
    odd = os.fsdecode(b"odd\xe4")
    (folder / odd).mkdir()
    (folder / "n.onnx").rename(folder / odd / "n.onnx")
    done = predict("photo.jpg", "--model", f"{odd}/n.onnx", "--out", f"{odd}/found")
    assert (done.returncode, "could not be written" in done.stderr) == (0, False)
    assert names(folder / odd / "found") == {"faces.csv", "faces.jsonl", "index.html", "pictures/photo.jpg"}
    head = json.loads((folder / odd / "found" / "faces.jsonl").read_text("utf-8").splitlines()[0])
    assert r"odd\xe4/n.onnx" in head["command"]
    for option in ("--run", "--model", "--boxes"):
        done = predict("photo.jpg", option, f"{odd}/none", *(["--model", f"{odd}/n.onnx"] * (option == "--boxes")))
        assert done.returncode == 2
        assert r"odd\xe4/none" in done.stderr
        assert "Traceback" not in done.stderr
