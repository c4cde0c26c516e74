"""The page in a real browser: pictures and a camera go in, and what it shows is what predict.py says."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from tests.browser import needs_browser
from tests.devtools import Tab, chromium
from tests.use.answers import CLASSES
from tests.use.brightness_network import write_network
from tests.use.page_checks import SEEN, problems
from tests.use.photograph import HOPPER, group, hopper
from tests.use.serving import Served, encoded, predicted, served

pytestmark = needs_browser

NEWEST_ROW = """Object.fromEntries([...document.querySelectorAll("th")].map((cell, place) =>
  [cell.textContent, document.querySelector("tbody tr").cells[place].textContent]))"""

FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, pictures, and what a camera sees: a face that moves and grows darker and brighter."""
    folder = tmp_path_factory.mktemp("files")
    write_network(folder / "model.onnx", unsure_below=0.5)
    hopper().save(folder / "one.png")
    places = [(10 + 105 * (number % 6), 20 + 220 * (number // 6), 100) for number in range(11)]
    Image.fromarray(group(places)).save(folder / "eleven.png")
    Image.new("RGB", (400, 300), "green").save(folder / "none.png")
    hopper().save(folder / "one.tiff")
    (folder / "notes.txt").write_text("hello")
    with (folder / "camera.mjpeg").open("wb") as stream:
        for number in range(12):
            seen = Image.fromarray(group([(150 + 6 * abs(6 - number), 60, 280)]))
            stream.write(encoded(ImageEnhance.Brightness(seen).enhance(0.7 + 0.1 * abs(6 - number)), "JPEG"))
    return folder


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[Served]:
    with served(files / "model.onnx") as running:
        yield running


@pytest.fixture(scope="module")
def browser(files: Path) -> Iterator[Tab]:
    with chromium(*FAKE_CAMERA, f"--use-file-for-fake-video-capture={files / 'camera.mjpeg'}") as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab, server: Served) -> Tab:
    browser.show(1200, 800)
    browser.complaints.clear()
    browser.open("about:blank")
    browser.open(server.printed)
    return browser


def percents(probabilities: dict[str, float]) -> list[str]:
    return [f"{value:.1%}" for value in probabilities.values()]


def shows(tab: Tab, count: int) -> None:
    """Waits until that many faces of a picture are shown."""
    status = "document.querySelector('#status').textContent"
    tab.wait_for(f"!['', 'Looking …'].includes({status}) && document.querySelectorAll('.face').length === {count}")


def test_the_empty_page_has_nothing_to_complain_of(tab: Tab) -> None:
    assert problems(tab) == {}
    assert "An expression is not a feeling." in tab.text("header")
    assert tab.text("#where") == "Pictures are sent to the server at this address, which keeps nothing."


def test_the_numbers_on_the_page_are_those_of_predict(tab: Tab, files: Path, tmp_path: Path) -> None:
    (face,) = predicted(files / "one.png", files / "model.onnx")["faces"]
    tab.choose("#file", files / "one.png")
    shows(tab, 1)
    assert tab.value(SEEN) == [percents(face["probabilities"])]
    assert tab.text("#status") == f"1 face: unsure, perhaps {face['best']}, {face['confidence']:.1%}."
    assert "ms from the picture to its answer" in tab.text("#speed")
    tab.download_into(tmp_path)
    tab.click("#download")
    until = time.monotonic() + 20
    while not (tmp_path / "faces.csv").is_file() and time.monotonic() < until:
        time.sleep(0.05)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "faces.csv").read_text("utf-8")))
    assert (row["source"], row["label"], row["note"]) == ("one.png", "unsure", f"perhaps {face['best']}")
    assert {name: float(row[name]) for name in ("x", "y", "width", "height", "score")} == {
        name: face[name] for name in ("x", "y", "width", "height", "score")
    }
    assert {name: float(row[f"p_{name}"]) for name in face["probabilities"]} == face["probabilities"]
    assert problems(tab) == {}


def test_the_box_lies_on_the_picture_that_was_looked_at(tab: Tab, files: Path) -> None:
    (face,) = predicted(files / "one.png", files / "model.onnx")["faces"]
    tab.choose("#file", files / "one.png")
    shows(tab, 1)
    at = "Array.from(document.querySelector('#picture').getContext('2d').getImageData({}, {}, 1, 1).data).slice(0, 3)"
    edge = tab.value(at.format(round(face["x"]), round(face["y"] + face["height"] / 2)))
    assert min(edge) > 240  # a white line, and within it the picture
    inside = round(face["x"] + face["width"] / 2), round(face["y"] + face["height"] / 2)
    assert tab.value(at.format(*inside)) == [*hopper().getpixel(inside)]  # type: ignore[misc]


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_pictures_can_be_pasted_and_dropped(tab: Tab, files: Path, way: str) -> None:
    expected = predicted(files / "eleven.png", files / "model.onnx")["faces"]
    tab.give(way, files / "eleven.png")
    shows(tab, len(expected))
    assert len(expected) == 11
    assert tab.value(SEEN) == [percents(face["probabilities"]) for face in expected]
    assert tab.text("#status").startswith("11 faces: ")
    # The numbers on the picture, in the list and in the table are the same.
    numbers = [str(number) for number in range(1, 12)]
    heads = tab.value("[...document.querySelectorAll('.face h3 span')].map(one => one.textContent.split(':')[0])")
    assert heads == numbers
    tab.value("document.querySelector('details').open = true")
    tab.wait_for("document.querySelectorAll('tbody tr').length === 11")
    cells = (
        "[...document.querySelectorAll('tbody tr')].map(one => [one.cells[0].textContent, one.cells[4].textContent])"
    )
    assert tab.value(cells) == [[number, str(place)] for place, number in enumerate(numbers)]
    assert tab.value("document.querySelector('th').textContent") == "on the picture"
    assert problems(tab) == {}


def test_a_picture_without_a_face_says_so(tab: Tab, files: Path) -> None:
    tab.choose("#file", files / "none.png")
    shows(tab, 0)
    assert tab.text("#status") == "No face was found."
    assert "at least some ten pixels" in tab.text("#none")
    assert problems(tab) == {}


def test_a_file_that_is_no_picture_is_refused(tab: Tab, files: Path) -> None:
    tab.choose("#file", files / "one.png")
    shows(tab, 1)
    tab.choose("#file", files / "notes.txt")
    tab.wait_for("document.querySelector('#error').textContent")
    assert tab.text("#error").startswith("notes.txt: it is no picture: expected jpg, png")
    assert tab.text("#status") == "What is shown is still the picture before."
    assert [one for one in tab.complaints if "415" not in one] == []  # the browser itself logs what was refused
    tab.complaints.clear()
    assert problems(tab) == {}
    tab.choose("#file", files / "none.png")
    tab.wait_for("!document.querySelector('#error').textContent")


def test_a_form_that_the_browser_cannot_show_has_its_boxes(tab: Tab, files: Path) -> None:
    tab.choose("#file", files / "one.tiff")
    shows(tab, 1)
    assert "This browser cannot show a picture of this form." in tab.text("#status")


def test_a_camera_is_followed_until_it_is_stopped(tab: Tab) -> None:
    tab.click("#camera")
    tab.wait_for("parseInt(document.querySelector('#rows').textContent) > 8")
    assert tab.text("#camera") == "Stop the camera"
    assert "ms from the frame to its answer" in tab.text("#speed")
    assert tab.value("document.querySelector('#followed').value") == "1"
    assert "Probability of each class in the last minute: face 1 shows" in tab.value(
        "document.querySelector('#strip').getAttribute('aria-label')"
    )
    tab.click("#numbers summary")
    tab.wait_for("document.querySelectorAll('tbody tr').length > 5")
    tab.click("#camera")
    tab.wait_for("document.querySelector('#status').textContent === 'The camera is off.'")
    newest = tab.value(NEWEST_ROW)
    assert newest["track"] == "1"
    best = max(CLASSES, key=lambda name: float(newest[f"smoothed_{name}"]))
    assert tab.text(".best").splitlines() == [best, f"{float(newest[f'smoothed_{best}']):.1%}"]
    for part, side, column in (("i", "width", f"smoothed_{best}"), ("b", "left", f"p_{best}")):
        drawn = tab.value(f"parseFloat(document.querySelector('.best .level {part}').style.{side})")
        assert drawn == pytest.approx(100 * float(newest[column]), abs=0.01)
    assert newest[f"smoothed_{best}"] != newest[f"p_{best}"]
    assert problems(tab) == {}
    before = tab.text("#rows")
    time.sleep(0.3)
    assert tab.text("#rows") == before


def test_a_picture_ends_the_camera(tab: Tab, files: Path) -> None:
    tab.click("#camera")
    tab.wait_for("parseInt(document.querySelector('#rows').textContent) > 2")
    tab.choose("#file", files / "eleven.png")
    shows(tab, 11)
    assert tab.text("#camera") == "Use the camera"
    assert tab.text("#rows") == "11 rows"
    assert tab.value("document.querySelector('#minute').hidden")
    assert problems(tab) == {}


def test_all_can_be_reached_by_keyboard(tab: Tab, files: Path) -> None:
    tab.choose("#file", files / "one.png")
    shows(tab, 1)
    tab.value("document.activeElement.blur()")
    reached = []
    for _ in range(5):
        tab.press("Tab")
        focused = "document.activeElement"
        reached.append(tab.value(f"{focused}.id || {focused}.className || {focused}.tagName"))
        shown = "document.querySelector('.actions:has(#file:focus-visible) .button') ?? document.activeElement"
        assert tab.value(f"getComputedStyle({shown}).outlineStyle") != "none", reached
    assert reached == ["skip", "file", "camera", "download", "SUMMARY"]


def test_motion_is_reduced_where_the_visitor_says_so(tab: Tab, files: Path) -> None:
    tab.choose("#file", files / "one.png")
    shows(tab, 1)
    for still, expected in ((False, "0.12s"), (True, "0s")):
        tab.show(1200, 800, still=still)
        assert tab.value("getComputedStyle(document.querySelector('.level i')).transitionDuration") == expected


def test_a_token_is_in_the_address_and_needed(tab: Tab, files: Path) -> None:
    with served(files / "model.onnx", "--token", "only-for-us") as server:
        tab.open(server.address)
        tab.wait_for("document.querySelector('#error').textContent")
        assert "the token is missing or wrong" in tab.text("#error")
        tab.open("about:blank")
        tab.complaints.clear()
        tab.open(server.printed)
        tab.choose("#file", HOPPER)
        shows(tab, 1)
        tab.click("#camera")
        tab.wait_for("parseInt(document.querySelector('#rows').textContent) > 2")
        tab.click("#camera")
        assert tab.complaints == []
        tab.open("about:blank")
