"""Draws what was found into a picture: a box in the colour of the emotion, and what is said of the face."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from fer_lightning.report import palette
from fer_lightning.use.faces import UNSURE, Face

EMOTION_COLOURS = {
    "angry": palette.VERMILION,
    "disgust": palette.GREEN,
    "fear": palette.PURPLE,
    "happy": palette.YELLOW,
    "sad": palette.BLUE,
    "surprise": palette.SKY,
    "neutral": "#b8b8b8",
    "contempt": palette.ORANGE,
}
"""Neutral is grey."""

OTHER_COLOURS = ("#882255", "#44aa99", "#999933", "#332288", "#ddcc77", "#117733", "#aa4499", "#6699cc")
"""Of classes that are no emotions, in turn: Paul Tol's muted scheme."""

UNSURE_COLOUR = "#ffffff"

LONGEST_CLASS_SHOWN = 24
"""Letters."""

LEAST_SIDE = 400
"""Pixels of an annotated picture's longer side at least: a smaller one is enlarged, or no text would fit."""

LEAST_TEXT = 11
"""Pixels of a letter's height at least."""


def emotion_colours(class_names: Iterable[str]) -> dict[str, str]:
    """Returns the colour of each class, and of "unsure"."""
    others = [name for name in class_names if name not in EMOTION_COLOURS]
    assigned = {name: OTHER_COLOURS[place % len(OTHER_COLOURS)] for place, name in enumerate(others)}
    return {UNSURE: UNSURE_COLOUR, **EMOTION_COLOURS, **assigned}


def text_on(colour: str) -> str:
    """Returns black or white: what can be read on this colour."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return "#000000" if 299 * red + 587 * green + 114 * blue > 128_000 else "#ffffff"


def annotated(
    pixels: NDArray[np.uint8],
    faces: Sequence[Face],
    colours: Mapping[str, str],
    least_side: int = LEAST_SIDE,
    least_text: int = LEAST_TEXT,
) -> Image.Image:
    """Returns a picture, uint8 (H, W, 3), with its faces marked.

    Text and lines grow with the picture, and text with its face, so that both can be read when the whole picture fills
    a window.

    Args:
        least_side: a smaller picture is enlarged by a whole factor; 0 leaves the size.
        least_text: pixels of a letter's height at least.
    """
    picture = Image.fromarray(pixels)
    factor = -(-least_side // max(picture.size)) if max(picture.size) < least_side else 1
    if factor > 1:
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)
    pen, are_numbered = _Pen(picture, least_text), len(faces) > 1
    for face in faces:
        pen.box(face, factor, colours.get(face.label, UNSURE_COLOUR))
    for face in faces:  # above all boxes
        pen.tag(face, factor, colours.get(face.label, UNSURE_COLOUR), spoken(face, are_numbered))
    return picture


def spoken(face: Face, is_numbered: bool = False) -> str:
    """Returns what is written beside a face, with the number of its track.

    Args:
        is_numbered: of a picture: with the face's own number, from 1, so that it is found again where faces are listed.
    """
    number = f"{face.number + 1} " if is_numbered else ""
    track = number if face.track is None else f"#{face.track} "
    name = short_class(face.best)
    share = f"{face.confidence:.0%}"
    return f"{track}{name}? {share}" if face.label == UNSURE else f"{track}{name} {share}"


def short_class(name: str) -> str:
    """Returns a class's name in one line that is not too long."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_CLASS_SHOWN else f"{line[: LONGEST_CLASS_SHOWN - 1]}…"


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Returns DejaVu Sans, which matplotlib ships: it has Latin, Greek, Cyrillic, Arabic and other letters."""
    matplotlib = find_spec("matplotlib")
    assert matplotlib
    assert matplotlib.origin
    file = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    return ImageFont.truetype(str(file), size)


class _Pen:
    def __init__(self, picture: Image.Image, least_text: int) -> None:
        self.draw = ImageDraw.Draw(picture)
        self.size = picture.size
        shorter = min(picture.size)
        self.line = max(2, least_text // 4, round(shorter * 0.005))
        self.casing = max(1, self.line // 3)
        self.texts = max(least_text, round(shorter * 0.018)), max(least_text + 3, round(shorter * 0.045))
        self.tags: list[tuple[float, float, float, float]] = []

    def box(self, face: Face, factor: int, colour: str) -> None:
        """Draws a face's box, between two thin dark lines: one of them is seen on any background."""
        left, top, right, bottom = (value * factor for value in face.detection.box)
        dark, out = self.casing, self.line + self.casing
        width, height = self.size  # beyond which nothing would be seen
        x, y = min(max(left - out, 0), width - 1), min(max(top - out, 0), height - 1)
        around = (x, y, max(min(right + out, width - 1), x), max(min(bottom + out, height - 1), y))
        radius = self.line * 2
        self.draw.rounded_rectangle(around, radius, outline="#000000", width=self.line + 2 * dark)
        inner = (x + dark, y + dark, max(around[2] - dark, x + dark), max(around[3] - dark, y + dark))
        self.draw.rounded_rectangle(inner, radius, outline=colour, width=self.line)

    def tag(self, face: Face, factor: int, colour: str, text: str) -> None:
        """Draws what is said of a face on a plate: above its box, or where there is room."""
        box = face.detection
        least, most = self.texts
        letters = font(int(min(max(box.width * factor * 0.15, least), most)))
        pad = max(2, letters.size // 4)
        width = self.draw.textlength(text, letters) + 2 * pad
        height = round(letters.size * 1.2) + pad
        plate = self._free_place(tuple(value * factor for value in box.box), width, height)
        self.tags.append(plate)
        self.draw.rounded_rectangle(plate, pad, fill=colour, outline="#000000", width=self.casing)
        middle = (plate[0] + width / 2, (plate[1] + plate[3]) / 2)
        self.draw.text(middle, text, text_on(colour), letters, anchor="mm")

    def _free_place(self, box: tuple[float, ...], width: float, height: float) -> tuple[float, float, float, float]:
        """Returns a plate inside of the picture, the first one that covers no other: above, below, inside the box."""
        left, top, right, bottom = box
        out = self.line + 2 * self.casing
        places = []
        for x in (left - out, right + out - width):
            for y in (top - out - height, bottom + out, bottom - height, top):
                x0 = min(max(x, 0), max(self.size[0] - width, 0))
                y0 = min(max(y, 0), max(self.size[1] - height, 0))
                places.append((abs(y0 - y) > height / 2, (x0, y0, x0 + width, y0 + height)))
        free = [(moved, plate) for moved, plate in places if not any(_overlap(plate, tag) for tag in self.tags)]
        return min(free or places, key=lambda place: place[0])[1]


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
