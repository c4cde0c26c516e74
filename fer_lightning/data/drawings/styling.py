"""A person's beard and glasses, and things in front of the face: a hand, hair, the edge of a frame."""

import numpy as np
from numpy.random import Generator

from fer_lightning.data.drawings.canvas import Sketch, bezier, ellipse, loop, mirrored, shifted
from fer_lightning.data.drawings.face import BOTH_SIDES, EYE_Y, Person

LETTERS = (
    [[(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)]],
    [[(0.0, 0.0), (0.0, 1.0), (0.8, 1.0)]],
    [[(0.0, 0.0), (1.0, 0.0)], [(0.5, 0.0), (0.5, 1.0)]],
    [[(0.0, 0.0), (0.0, 1.0), (0.9, 1.0), (0.9, 0.0)]],
)


def neck_and_clothes(sketch: Sketch, who: Person, rng: Generator) -> None:
    clothes, neck, collar = rng.uniform(20, 220), rng.uniform(0.5, 0.68), rng.uniform(1.35, 1.6)
    throat = mirrored([(0.0, 0.8), (neck, 0.75), (neck, 1.3), (neck + 0.25, 1.9), (0.0, 1.9)])
    sketch.fill(loop(throat), who.skin * 0.62)
    shirt = [(0.0, collar + 0.3), (0.6, collar), (1.6, collar + 0.25), (1.8, 2.4), (0.0, 2.4)]
    sketch.fill(mirrored(shirt), clothes)


def beard(sketch: Sketch, who: Person, rng: Generator) -> None:
    """Draws a beard, before the mouth, which lies on it."""
    grey = 0.75 * who.hair + 0.25 * who.skin * rng.uniform(0.5, 1.0)
    low = who.chin + 0.06
    cheek = rng.uniform(0.3, 0.55)
    shape = [
        (0.0, low),
        (0.45 * who.jaw, low - 0.04),
        (1.02 * who.jaw * who.width, 0.78),
        (0.97 * who.width, cheek - 0.1),
    ]
    inside = [
        (0.8 * who.width, cheek),
        (0.52, who.mouth_y - 0.02),
        (0.3, who.nose_length + 0.2),
        (0.0, who.nose_length + 0.19),
    ]
    sketch.fill(mirrored(shape + inside), grey)
    for x, y in rng.uniform((-0.75, 0.75), (0.75, 1.25), (10, 2)):
        sketch.stroke(np.array([(x, y), (x * 0.9, y + 0.12)]), grey * rng.uniform(0.75, 1.35), 0.03)


def moustache(sketch: Sketch, who: Person, rng: Generator) -> None:
    y = who.nose_length + 0.19
    half = who.mouth_width * rng.uniform(0.7, 1.0)
    top = bezier([(-half, y + 0.14), (-0.5 * half, y - 0.03), (0.5 * half, y - 0.03), (half, y + 0.14)])
    bottom = bezier([(-half, y + 0.16), (-0.4 * half, y + 0.13), (0.4 * half, y + 0.13), (half, y + 0.16)])
    sketch.fill(np.vstack([top, bottom[::-1]]), who.hair * 1.1)


def glasses(sketch: Sketch, who: Person, rng: Generator) -> None:
    half_width, half_height = rng.uniform(0.27, 0.35), rng.uniform(0.2, 0.28)
    roundness, grey, width = rng.uniform(0.4, 1.0), rng.uniform(15, 110), rng.uniform(0.03, 0.065)
    for side in BOTH_SIDES:
        circle = ellipse(0.0, 0.0, 1.0, 1.0)
        superellipse = np.sign(circle) * np.abs(circle) ** roundness * (half_width, half_height)
        lens = shifted(superellipse, side * who.eye_spacing, EYE_Y + 0.02)
        sketch.stroke(np.vstack([lens, lens[:2]]), grey, width)
        edge = who.eye_spacing + half_width
        sketch.stroke(np.array([(side * edge, EYE_Y - 0.06), (side * who.width, EYE_Y - 0.1)]), grey, width)
        if rng.random() < 0.3:
            glint = np.array([(-0.3, -0.5), (0.1, 0.5)]) * (half_width, half_height)
            sketch.stroke(shifted(glint, side * who.eye_spacing, EYE_Y), 235, 0.03)
    gap = who.eye_spacing - half_width
    sketch.stroke(bezier([(-gap, EYE_Y), (0.0, EYE_Y - 0.07), (gap, EYE_Y)]), grey, width)


def hand(sketch: Sketch, who: Person, rng: Generator) -> None:
    """Fingers from below over the chin or a cheek."""
    side = rng.choice(BOTH_SIDES)
    tip = np.array([side * rng.uniform(0.35, 0.9), rng.uniform(0.35, 1.0)])
    for finger in range(4):
        end = shifted(tip, side * 0.2 * finger, 0.06 * finger * finger - 0.05 * finger)
        root = np.array([side * (0.8 + 0.18 * finger), 2.2])
        sketch.stroke(np.array([root, end]), who.skin * 0.6, 0.23)
        sketch.stroke(np.array([root, end]), who.skin * (0.95 - 0.03 * finger), 0.18)
        sketch.fill(ellipse(end[0], end[1], 0.09, 0.09), who.skin * (0.95 - 0.03 * finger))


def bar(sketch: Sketch, who: Person, rng: Generator) -> None:
    """Draws something straight at the edge of the picture: a frame, another person's shoulder."""
    edge, tilt, side = rng.uniform(0.45, 1.0), rng.uniform(-0.3, 0.3), rng.choice(BOTH_SIDES)
    block = np.array([(edge - tilt, -2.5), (3.0, -2.5), (3.0, 2.5), (edge + tilt, 2.5)]) * (side, 1.0)
    sketch.fill(block, rng.uniform(10, 240))


def loose_lock(sketch: Sketch, who: Person, rng: Generator) -> None:
    """Draws hair hanging over an eye."""
    side = rng.choice(BOTH_SIDES)
    for offset in (0.0, 0.08, 0.17):
        lock = bezier([(side * 0.1, -1.1), (side * (0.5 + offset), -0.8), (side * (0.75 + offset), 0.4)])
        sketch.stroke(lock, who.hair * (1.0 + offset), 0.08)


def watermark(sketch: Sketch, who: Person, rng: Generator) -> None:
    """Strokes that look like the lettering across many pictures of FER2013."""
    x, y, size = -1.1, rng.uniform(-0.9, 1.2), rng.uniform(0.12, 0.22)
    grey = rng.choice((235, 30))
    for kind in rng.integers(4, size=9):
        for stroke in LETTERS[kind]:
            sketch.stroke(np.array(stroke) * size + (x, y), grey, 0.035)
        x += 1.25 * size


OBSTACLES = ((hand, 0.05), (bar, 0.03), (loose_lock, 0.03), (watermark, 0.03))
"""The things that get in front of a face, each with its probability."""
