"""The drawn faces: always the same ones, in FER2013's form and proportions, moved by their action units."""

import csv
import multiprocessing
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_lightning.config.build import build_data
from fer_lightning.data.drawings import face
from fer_lightning.data.drawings.canvas import Pose, Sketch
from fer_lightning.data.drawings.demo import FER2013_COUNTS, drawn, labels_and_parts
from fer_lightning.data.drawings.expression import EXPRESSIONS, NAMES, ActionUnits, action_units
from fer_lightning.data.drawings.photo import drawn as flat_picture
from fer_lightning.data.drawings.photo import shading
from fer_lightning.data.faces import EMOTIONS
from fer_lightning.errors import ConfigError
from tests.conftest import Compose
from tests.data.faces_files import Terminal

FRONTAL = Pose(yaw=0.0, pitch=0.0, roll=0.0, scale=18.0, x=24.0, y=24.0)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_same_number_and_seed_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = drawn(faces=70, seed=3).read_bytes()
    other_seed = drawn(faces=70, seed=4).read_bytes()
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(tmp_path / "elsewhere"))
    assert drawn(faces=70, seed=3).read_bytes() == here
    assert other_seed != here


def test_faces_are_drawn_once() -> None:
    path = drawn(faces=70)
    written = path.stat().st_mtime_ns
    assert drawn(faces=70) == path
    assert path.stat().st_mtime_ns == written


def test_every_call_says_that_these_are_drawings(caplog: pytest.LogCaptureFixture) -> None:
    drawn(faces=70)
    assert "Drawing 70 faces" in caplog.text
    caplog.clear()
    drawn(faces=70)
    assert "drawings" in caplog.text
    assert "data=fer2013 data.path=" in caplog.text
    assert "Drawing 70 faces" not in caplog.text


def test_a_terminal_shows_how_many_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    drawn(faces=70)
    assert "drawing:   0%" in terminal.getvalue()
    assert "/70 [" in terminal.getvalue()


def test_file_has_the_form_of_fer2013() -> None:
    with drawn(faces=700).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["emotion", "pixels", "Usage"]
    assert Counter(usage for _, _, usage in rows) == {"Training": 560, "PublicTest": 70, "PrivateTest": 70}
    for part in ("Training", "PublicTest", "PrivateTest"):
        assert {emotion for emotion, _, usage in rows if usage == part} == set("0123456")
    pixels = np.array([row[1].split(" ") for row in rows], dtype=int)
    assert pixels.shape == (700, 2304)
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    assert len(np.unique(pixels, axis=0)) == 700
    assert 0.45 < pixels.mean() / 255 < 0.57, "about as bright as FER2013, whose mean is 0.508"


def test_emotions_are_as_unequal_as_in_fer2013() -> None:
    rows = labels_and_parts(sum(FER2013_COUNTS), seed=0)
    counts = Counter(label for label, _ in rows)
    assert np.allclose([counts[label] for label in range(7)], FER2013_COUNTS, atol=3)
    assert Counter(part for _, part in rows) == {"Training": 28710, "PublicTest": 3588, "PrivateTest": 3589}


@pytest.mark.parametrize(
    ("faces", "seed", "name"), [(69, 0, "faces is 69"), (300_000_000, 0, "faces is 300000000"), (70, -1, "seed is -1")]
)
def test_impossible_numbers_are_refused_by_name(faces: int, seed: int, name: str, empty_cache: Path) -> None:
    with pytest.raises(ValueError, match=name):
        drawn(faces, seed)
    assert not empty_cache.exists()


def test_a_cache_that_takes_no_faces_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, composed: Compose
) -> None:
    (tmp_path / "full").write_text("a file, so that no folder can be made in it")
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(tmp_path / "full" / "cache"))
    with pytest.raises(ConfigError, match=r"cannot be written there .*Not a directory.*FER_LIGHTNING_CACHE") as caught:
        build_data(composed("data=demo"))
    assert "\n" not in str(caught.value)
    assert "with room for 56 MB" in str(caught.value)


@pytest.mark.skipif(
    not hasattr(os, "fork"), reason="a fresh interpreter imports for longer than the files take to write"
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_two_processes_at_once_both_get_the_whole_file(empty_cache: Path) -> None:
    both = [multiprocessing.get_context("fork").Process(target=drawn, args=(300,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    (file,) = (path for path in empty_cache.rglob("*") if path.is_file())
    assert file == drawn(300)
    assert len(file.read_text().splitlines()) == 301


def test_each_emotion_moves_the_muscles_of_its_prototype() -> None:
    # EMFACS, written out again here so that a slip in the table shows.
    prototypes = {
        "angry": {4, 5, 7},
        "disgust": {9},
        "fear": {1, 2, 4, 5, 20},
        "happy": {6, 12},
        "sad": {1, 4, 15},
        "surprise": {1, 2, 5, 26},
        "neutral": set(),
    }
    assert tuple(EXPRESSIONS) == EMOTIONS
    for emotion, prototype in prototypes.items():
        rng = np.random.default_rng(0)
        samples = [action_units(emotion, rng) for _ in range(400)]
        mean = {number: np.mean([units[number] for units in samples]) for number in NAMES}
        assert all(mean[number] > 0.2 for number in prototype), emotion
        foreign = set(NAMES) - {number for variant in EXPRESSIONS[emotion] for number in variant}
        assert all(mean[number] < 0.05 for number in foreign), emotion
        assert all(0.0 <= value <= 1.0 for units in samples for value in units.values())


def relaxed(**moved: float) -> ActionUnits:
    """All units at rest but those named `au12=1.0`."""
    units = dict.fromkeys(NAMES, 0.0)
    return units | {int(name.removeprefix("au")): value for name, value in moved.items()}


@pytest.mark.parametrize("number", NAMES)
def test_every_action_unit_changes_the_face(number: int) -> None:
    def picture(au: ActionUnits) -> NDArray[np.floating]:
        who = face.person(np.random.default_rng(5))
        flat, _ = flat_picture(who, au, FRONTAL, np.random.default_rng(6))
        lit: NDArray[np.floating] = flat * shading(who, au, FRONTAL, np.random.default_rng(7))
        return lit

    moved = np.abs(picture(relaxed(**{f"au{number}": 1.0})) - picture(relaxed()))
    assert (moved > 20).sum() >= 4, f"{NAMES[number]}: at least four pixels change clearly"


def ink(part: str, au: ActionUnits) -> NDArray[np.floating]:
    """How much darker than the skin one part of the face makes each pixel."""
    who = face.person(np.random.default_rng(5))
    sketch = Sketch(FRONTAL, who.skin)
    getattr(face, part)(sketch, who, au)
    darkness: NDArray[np.floating] = np.maximum(who.skin - sketch.picture(), 0.0)
    return darkness


def row_of(darkness: NDArray[np.floating]) -> float:
    """The mean row of the ink, in pixels from the top."""
    return float((darkness.sum(1) * np.arange(len(darkness))).sum() / darkness.sum())


def corner_below_middle(au: ActionUnits) -> float:
    darkness = ink("mouth", au)
    columns = np.flatnonzero(darkness.max(0) > 20)
    return row_of(darkness[:, columns[:2]]) - row_of(darkness[:, 23:25])


def test_lip_corner_puller_raises_and_depressor_lowers_the_mouth() -> None:
    smile, rest, droop = (corner_below_middle(au) for au in (relaxed(au12=1.0), relaxed(), relaxed(au15=1.0)))
    assert smile < rest - 2
    assert droop > rest + 2


def test_brows_follow_their_three_muscles() -> None:
    inner, outer = slice(18, 22), slice(8, 12)
    rest = ink("brows", relaxed())
    assert row_of(ink("brows", relaxed(au1=1.0))[:, inner]) < row_of(rest[:, inner]) - 1.5
    assert row_of(ink("brows", relaxed(au2=1.0))[:, outer]) < row_of(rest[:, outer]) - 1.5
    assert row_of(ink("brows", relaxed(au4=1.0))[:, inner]) > row_of(rest[:, inner]) + 1.5


def test_jaw_drop_opens_the_mouth() -> None:
    def open_pixels(au: ActionUnits) -> int:
        who = face.person(np.random.default_rng(5))
        return int((who.skin - ink("mouth", au) < face.MOUTH_INSIDE + 15).sum())

    assert open_pixels(relaxed()) == 0
    assert open_pixels(relaxed(au26=1.0)) > 15
