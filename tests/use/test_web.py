"""The page without a server: in the visitor's browser, detector and network give the numbers of predict.py."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_lightning.errors import ConfigError
from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.faces import Detection, Face
from fer_lightning.use.predictor import Predictor
from fer_lightning.use.tables import answer_values
from fer_lightning.use.tracks import Tracks
from fer_lightning.use.web import RUNTIME, write_page
from tests.browser import needs_browser
from tests.devtools import Tab, chromium
from tests.scripts import REPOSITORY
from tests.use.brightness_network import write_network
from tests.use.page_checks import SEEN, problems
from tests.use.photograph import group, hopper
from tests.use.serving import encoded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, with a network, and pictures beside it."""
    folder = tmp_path_factory.mktemp("web")
    write_network(folder / "model.onnx", unsure_below=0.5)
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    try:
        write_page(folder / "page", folder / "model.onnx")
    except ConfigError as error:
        pytest.skip(f"needs what npm fetches: {error}")
    page = folder / "page"  # whose host has the pictures too
    hopper().save(page / "one.png")
    close = hopper().crop((183, 120, 353, 333)).resize((600, 752))
    close.save(page / "close.png")  # where nothing is found until it is looked at again
    Image.fromarray(group([(-40, 150, 250), (400, 20, 330)])).save(page / "edge.png")
    Image.fromarray(group([(200, 300, 1500), (1800, 100, 700)], (2700, 1900))).save(page / "large.png")
    with (folder / "camera.mjpeg").open("wb") as stream:
        for number in range(12):
            stream.write(encoded(group([(150 + 6 * abs(6 - number), 60, 280)]), "JPEG"))
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Of the page, at a host of static files as any."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "page"))) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{host.server_address[1]}/"
        host.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Tab]:
    options = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with chromium(*options, f"--use-file-for-fake-video-capture={folder / 'camera.mjpeg'}") as tab:
        yield tab


@needs_browser
def test_the_browser_gives_the_numbers_of_predict(browser: Tab, address: str, folder: Path) -> None:
    browser.open(address)
    predictor = Predictor(folder / "model.onnx", threads=1)
    for name, count in (("one", 1), ("close", 1), ("edge", 2), ("large", 2)):
        (expected,) = (answer_values(answer) for answer in predictor.answers(folder / "page" / f"{name}.png"))
        assert len(expected["faces"]) == count, name
        blob = f"await (await fetch('{name}.png')).blob()"
        found = browser.value(f"(async () => (await import('./browser/local.js')).answerToFile({blob}))()")
        for face, wanted in zip(found["faces"], expected["faces"], strict=True):
            assert (face["face"], face["label"], face["best"]) == (wanted["face"], wanted["label"], wanted["best"])
            for key in ("x", "y", "width", "height"):
                assert face[key] == pytest.approx(wanted[key], abs=0.02), (name, key)
            assert face["score"] == pytest.approx(wanted["score"], abs=1e-3)
            assert face["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-3), name
            assert np.allclose(face["landmarks"], wanted["landmarks"], atol=0.02)
        assert {key: found[key] for key in ("width", "height", "note", "frame", "time_s")} == {
            key: expected[key] for key in ("width", "height", "note", "frame", "time_s")
        }
    assert browser.complaints == []


@needs_browser
@pytest.mark.parametrize("channels", [1, 3])
def test_faces_are_cut_out_to_the_same_bytes(browser: Tab, address: str, channels: int) -> None:
    browser.open(address)
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (90, 120, 3), np.uint8)
    picture = Image.fromarray(pixels)
    for size, box in ((24, (20.3, 10.6, 61.0, 70.0)), (48, (-9.5, 30.0, 30.5, 80.0)), (64, (50.0, 5.0, 119.0, 95.5))):
        expected = PixelFormat(size, 3 if channels == 3 else 1)(face_square(picture, box, 1.24))
        left, top, right, bottom = box
        card = {"size": size, "channels": channels, "margin": 1.24}
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        data = (
            f"{{width: 120, height: 90, bands: 3, data: new Uint8ClampedArray({json.dumps(pixels.ravel().tolist())})}}"
        )
        script = f"faceBytes({data}, {json.dumps(place)}, {json.dumps(card)})"
        found = browser.value(f"import('./browser/cropping.js').then(({{faceBytes}}) => [...{script}])")
        assert found == expected.ravel().tolist()


@needs_browser
def test_pictures_are_shrunk_to_the_same_bytes(browser: Tab, address: str) -> None:
    browser.open(address)
    pixels = np.random.default_rng(4).integers(0, 256, (83, 131, 3), np.uint8)
    data = f"{{width: 131, height: 83, bands: 3, data: Uint8Array.of(...{pixels.ravel().tolist()})}}"
    for width, height in ((64, 41), (20, 13), (131, 40), (13, 83), (9, 2)):
        small = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
        script = f"[...resizedByBlocks({data}, {width}, {height}, 2).data]"
        found = browser.value(f"import('./browser/resampling.js').then(({{resizedByBlocks}}) => {script})")
        assert found == np.asarray(small).ravel().tolist(), (width, height)


@needs_browser
def test_tracks_are_those_of_predict(browser: Tab, address: str) -> None:
    browser.open(address)
    rng = np.random.default_rng(5)
    tracks, frames, expected = Tracks(), [], []
    time_s = 0.0
    for number in range(40):
        time_s += float(rng.uniform(0.02, 0.4))
        places = [(10.0 + 9 * number, 20.0, 60.0), (380.0 - 9 * number, 40.0, 66.0)]  # they cross
        if 12 < number < 16:
            places = places[:1]  # one is hidden, or lost
        faces = []
        for place, (x, y, width) in enumerate(places):
            happy = float(rng.uniform(0, 1))
            shown = {"happy": happy, "sad": 1 - happy}
            faces.append(Face("a", number, time_s, place, Detection(x, y, width, 1.2 * width), "happy", shown))
        expected.append([[face.track, face.smoothed] for face in tracks.followed(faces, time_s)])
        plain = [{**asdict(face.detection), "probabilities": dict(face.probabilities)} for face in faces]
        frames.append({"time": time_s, "faces": plain})
    script = f"""import('./browser/tracks.js').then(({{Tracks}}) => {{
      const tracks = new Tracks();
      return {json.dumps(frames)}.map(({{time, faces}}) =>
        tracks.followed(faces, time).map(face => [face.track, face.smoothed]));
    }})"""
    found = browser.value(script)
    assert [[track for track, _ in faces] for faces in found] == [[track for track, _ in faces] for faces in expected]
    assert len({track for faces in expected for track, _ in faces}) >= 2
    for one, other in zip(found, expected, strict=True):
        for (_, smoothed), (_, wanted) in zip(one, other, strict=True):
            assert smoothed == pytest.approx(wanted, abs=1e-9)


@needs_browser
def test_a_camera_is_followed_in_the_browser(browser: Tab, address: str) -> None:
    browser.show(1200, 800)
    browser.complaints.clear()
    browser.open(address)
    assert "Nothing that you show leaves this machine." in browser.text("#where")
    browser.click("#camera")
    browser.wait_for("parseInt(document.querySelector('#rows').textContent) > 5")
    assert browser.value("[...document.querySelector('#followed').options].map(one => one.value)") == ["1"]
    browser.click("#camera")
    browser.wait_for("document.querySelector('#status').textContent === 'The camera is off.'")
    assert len(browser.value(SEEN)) == 1
    assert problems(browser) == {}


def test_a_folder_that_has_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty, and nothing is overwritten"):
        write_page(tmp_path, write_network(tmp_path / "model.onnx"))


def test_where_npm_is_missing_that_is_said(tmp_path: Path) -> None:
    model = write_network(tmp_path / "model.onnx")
    command = [sys.executable, "-m", "fer_lightning.use.web", str(tmp_path / "out"), "--model", str(model)]
    environment = os.environ | {"PATH": str(tmp_path)}
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f"`npm pack {RUNTIME}`" in result.stderr
    assert "--runtime FILE.tgz" in result.stderr
    assert not (tmp_path / "out").exists()


def test_another_runtime_than_the_known_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(ConfigError, match=r"other.tgz is not onnxruntime-web@.*integrity is sha512-"):
        write_page(tmp_path / "out", write_network(tmp_path / "model.onnx"), tmp_path / "other.tgz")
    assert not (tmp_path / "out").exists()
