"""Boxes and labels can be read: on any background, at any size, and by the colour-blind."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from fer_lightning.use.annotated_pictures import AnnotatedPictures
from fer_lightning.use.annotation import EMOTION_COLOURS, annotated, emotion_colours, font, spoken, text_on
from fer_lightning.use.faces import UNSURE, Frame
from fer_lightning.use.writers import SourceNames
from tests.use.answers import CLASSES, answer, face, frame, grey, probabilities

COLOURS = emotion_colours(CLASSES)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG."""

    def luminance(colour: str) -> float:
        parts = np.array(ImageColor.getrgb(colour)[:3]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def coloured(picture: Image.Image, name: str) -> NDArray[np.bool_]:
    """Which pixels have the colour of a class."""
    here: NDArray[np.bool_] = (np.asarray(picture) == ImageColor.getrgb(COLOURS[name])).all(-1)
    return here


def test_text_has_contrast_on_every_colour() -> None:
    for colour in emotion_colours(map(str, range(8))).values():
        assert contrast(colour, text_on(colour)) > 3.4  # large bold letters need 3


def test_every_class_has_a_colour_of_its_own() -> None:
    names = [*EMOTION_COLOURS, *"abcdefgh"]
    colours = emotion_colours(names)
    assert {*names, UNSURE} == colours.keys()
    assert len({*colours.values()}) == len(colours)
    assert len(emotion_colours(map(str, range(100)))) > 100


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("name", [*EMOTION_COLOURS])
def test_a_box_stands_out_from_any_background(value: int, name: str) -> None:
    pixels = grey(600, 800, value)
    found = face(frame(), 0, (300, 200, 150, 200), probabilities(name, names=tuple(EMOTION_COLOURS)))
    across = np.asarray(annotated(pixels, [found], emotion_colours(EMOTION_COLOURS)))[300, 280:320]
    seen = {f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in across.tolist()}
    background = f"#{value:02x}{value:02x}{value:02x}"
    assert seen == {background, "#000000", EMOTION_COLOURS[name]}
    assert max(contrast(background, colour) for colour in seen) > 3


@pytest.mark.parametrize(("width", "height"), [(100, 80), (640, 480), (4000, 3000)])
def test_letters_grow_with_the_picture(width: int, height: int) -> None:
    pixels = grey(height, width, 128)
    found = face(frame(), 0, (0.3 * width, 0.3 * height, 0.2 * width, 0.3 * height), probabilities("happy"))
    picture = annotated(pixels, [found], COLOURS)
    yellow = coloured(picture, "happy")
    above = yellow[: round(0.3 * picture.height) - picture.height // 100]  # the plate, and not the box
    rows = np.flatnonzero(above.any(1))
    assert 0.025 < len(rows) / picture.height < 0.1
    assert len(rows) >= 14
    assert max(picture.size) >= 400


@pytest.mark.parametrize(
    "box", [(-50, -50, 60, 60), (0, 0, 160, 120), (150, 110, 50, 50), (500, 500, 9, 9), (5, 5, 0, 0)]
)
def test_boxes_beyond_the_edge_are_drawn_within(box: tuple[float, float, float, float]) -> None:
    picture = annotated(grey(), [face(frame(), 0, box, probabilities("happy"))], COLOURS)
    yellow = coloured(picture, "happy")
    assert yellow.sum() > 300


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    pixels = grey(480, 640)
    names = ("happy", "sad", "fear", "disgust")
    boxes = [(200.0 + 40 * place, 200.0, 36.0, 44.0) for place in range(len(names))]
    found = [face(frame(), 0, box, probabilities(name)) for box, name in zip(boxes, names, strict=True)]
    together = annotated(pixels, found, COLOURS)
    for one in found:
        alone = coloured(annotated(pixels, [one], COLOURS), one.label).sum()
        assert coloured(together, one.label).sum() > 0.6 * alone  # of the box a part may be covered, of the plate none


@pytest.mark.parametrize("size", list(itertools.product((1, 2, 7), (1, 300))))
def test_the_smallest_pictures_are_drawn(size: tuple[int, int]) -> None:
    annotated(grey(*size), [face(frame(), 0, (0, 0, *size), probabilities("happy"))], COLOURS)


def test_what_is_said_fits_on_a_line() -> None:
    one = face(frame(), 0, (0, 0, 9, 9), {"a\nvery  long name of a class": 0.9, "b": 0.1})
    assert spoken(one) == "a very long name of a c… 90%"
    assert spoken(replace(one, track=3, label=UNSURE)) == "#3 a very long name of a c…? 90%"


@pytest.mark.parametrize("name", ["весёлый", "χαρά", "öfkeli", "سعيد"])
def test_letters_of_other_scripts_are_in_the_font(name: str) -> None:
    missing = font(24).getmask("\U0010ffff").getbbox(), bytes(font(24).getmask("\U0010ffff"))
    for letter in name:
        assert (font(24).getmask(letter).getbbox(), bytes(font(24).getmask(letter))) != missing


def test_pictures_of_the_same_name_get_a_file_each(tmp_path: Path) -> None:
    writer = AnnotatedPictures(tmp_path / "pictures", SourceNames(), COLOURS)
    expected = {
        "a/photo.jpg": "photo",
        "b/photo.png": "photo-2",
        "PHOTO.JPG": "PHOTO-3",
        "../x: y*?.jpg": "x-y",
        "con.png": "con-",
        "-": "standard-input",
        "wo\nrld.jpg": "wo-rld",
        ".jpg": "jpg",
        "ä" * 300 + ".jpg": "ä" * 50,
    }
    for source in expected:
        writer.write(answer(Frame(source, 0, None, grey()), ((30, 30, 40, 50), "happy")))
    writer.write(answer(Frame("clip.mp4", 0, 0.0, grey())))
    assert {file.name for file in (tmp_path / "pictures").iterdir()} == {f"{name}.jpg" for name in expected.values()}
    with Image.open(tmp_path / "pictures" / "photo.jpg") as picture:
        assert picture.size == (480, 360)


def test_pages_of_one_file_are_told_apart(tmp_path: Path) -> None:
    writer = AnnotatedPictures(tmp_path, SourceNames(), COLOURS)
    for index in range(3):
        writer.write(answer(Frame("scan.tiff", index, None, grey())))
    assert {file.name for file in tmp_path.iterdir()} == {"scan.jpg", "scan-page2.jpg", "scan-page3.jpg"}
