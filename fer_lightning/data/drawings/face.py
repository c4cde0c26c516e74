"""A face at rest and what its action units do to it: a person's measures become shapes on a sketch.

The number before an `au[n]` is how far action unit n, at full strength, moves that point (in face units) or
changes that measure (as a share of it); expression.NAMES tells the units' names.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fer_lightning.data.drawings.canvas import Points, Sketch, bezier, ellipse, loop, mirrored, shifted
from fer_lightning.data.drawings.expression import ActionUnits

BOTH_SIDES = (-1, 1)
EYE_Y = -0.25
PUPIL, MOUTH_INSIDE, TEETH = 22, 45, 222


@dataclass(frozen=True)
class Person:
    """A person's measures, whatever the face does: lengths in face units, tones as greys from 0 to 255."""

    skin: float
    hair: float
    iris: float
    lips: float
    width: float
    jaw: float
    chin: float
    eye_spacing: float
    eye_width: float
    eye_opening: float
    eye_tilt: float
    iris_radius: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    nose_width: float
    nose_length: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    resting_smile: float
    age: float
    gaze: float


def person(rng: Generator) -> Person:
    skin, age = rng.uniform(95, 225), rng.beta(1.2, 2.0)
    hair = rng.uniform(12, 75) if rng.random() < 0.75 or skin < 140 else rng.uniform(90, 190)
    if age > 0.65 and rng.random() < 0.6:
        hair = rng.uniform(140, 225)
    return Person(
        skin=skin,
        hair=hair,
        iris=rng.uniform(25, 70) if skin < 150 or rng.random() < 0.5 else rng.uniform(70, 130),
        lips=skin * rng.uniform(0.62, 0.82),
        width=rng.uniform(0.88, 1.05),
        jaw=rng.uniform(0.72, 0.92),
        chin=rng.uniform(1.17, 1.34),
        eye_spacing=rng.uniform(0.39, 0.46),
        eye_width=rng.uniform(0.195, 0.25),
        eye_opening=rng.uniform(0.085, 0.145),
        eye_tilt=rng.uniform(-0.02, 0.05),
        iris_radius=rng.uniform(0.095, 0.12),
        brow_height=rng.uniform(0.25, 0.34),
        brow_thickness=rng.uniform(0.045, 0.10),
        brow_arch=rng.uniform(0.02, 0.10),
        nose_width=rng.uniform(0.15, 0.24),
        nose_length=rng.uniform(0.23, 0.36),
        mouth_y=rng.uniform(0.66, 0.76),
        mouth_width=rng.uniform(0.30, 0.39),
        upper_lip=rng.uniform(0.045, 0.09),
        lower_lip=rng.uniform(0.06, 0.115),
        resting_smile=rng.normal(0.0, 0.018),
        age=age,
        gaze=rng.normal(0.0, 0.25),
    )


def head(sketch: Sketch, who: Person, au: ActionUnits) -> Points:
    """Ears and the head's outline, which is returned."""
    right_half = [
        (0.0, -1.42),
        (0.55 * who.width, -1.28),
        (0.95 * who.width, -0.75),
        (who.width, -0.1),
        (0.94 * who.width + 0.04 * au[12], 0.35),
        (who.jaw * who.width, 0.78),
        (0.38 * who.jaw, who.chin - 0.03 + 0.14 * au[26]),
        (0.0, who.chin + 0.15 * au[26]),
    ]
    outline = loop(mirrored(right_half))
    for side in BOTH_SIDES:
        ear = ellipse(side * (who.width + 0.05), -0.02, 0.13, 0.27)
        sketch.fill(ear, who.skin * 0.86)
        sketch.fill(ear * (1.0, 0.6), who.skin * 0.70)
    sketch.fill(outline, who.skin)
    return outline


def eyes(sketch: Sketch, who: Person, au: ActionUnits) -> None:
    upper = who.eye_opening * (1.0 + 0.85 * au[5] - 0.35 * au[7] - 0.25 * au[6] - 0.4 * au[9])
    lower = who.eye_opening * (0.62 + 0.12 * au[5] - 0.38 * au[7] - 0.45 * au[6] - 0.4 * au[9])
    upper, lower = max(upper, 0.025), max(lower, 0.0)
    w = who.eye_width
    for side in BOTH_SIDES:
        centre = np.array([side * who.eye_spacing, EYE_Y])
        flip = np.array([side, 1.0])
        inner, outer = (-w, 0.03), (w, -who.eye_tilt - 0.01)
        upper_lid = bezier([inner, (-0.55 * w, -1.3 * upper), (0.5 * w, -1.5 * upper), outer]) * flip + centre
        lower_lid = bezier([inner, (-0.4 * w, 1.3 * lower), (0.5 * w, 1.45 * lower), outer]) * flip + centre
        sketch.fill(np.vstack([upper_lid, lower_lid[::-1]]), 115 + 0.5 * who.skin)
        gaze = shifted(centre, 0.5 * w * who.gaze, -0.01)
        for radius, grey in ((who.iris_radius, who.iris), (0.5 * who.iris_radius, PUPIL)):
            disc = ellipse(gaze[0], gaze[1], radius, radius)
            sketch.fill(between(disc, upper_lid, lower_lid), grey)
        sketch.fill(between(ellipse(gaze[0] + 0.04, gaze[1] - 0.045, 0.028, 0.028), upper_lid, lower_lid), 250)
        sketch.stroke(lower_lid, who.skin * 0.72, 0.025)
        sketch.stroke(upper_lid, min(who.hair, who.skin * 0.35), 0.05)
        crease = shifted(upper_lid, 0.0, -0.055 - 0.03 * au[5])
        sketch.stroke(crease[1:-1], who.skin * 0.74, 0.02)
        bag = shifted(lower_lid[2:-1], 0.0, 0.07)
        sketch.stroke(bag, who.skin * (0.95 - 0.15 * who.age - 0.15 * au[6]), 0.03)


def brows(sketch: Sketch, who: Person, au: ActionUnits) -> None:
    w, t = who.eye_width, who.brow_thickness
    y = EYE_Y - who.brow_height
    lowered = au[4] * (1.0 - 0.7 * au[1])  # against the inner raiser, the lowerer draws the brows together only
    inner = (who.eye_spacing - 1.1 * w - 0.11 * au[4], y - 0.22 * au[1] + 0.17 * lowered + 0.08 * au[9])
    middle = (
        who.eye_spacing - 0.2 * w - 0.04 * au[4],
        y - 0.03 - 0.12 * au[1] - 0.08 * au[2] + 0.13 * lowered,
    )
    peak = (who.eye_spacing + 0.6 * w, y - 1.6 * who.brow_arch - 0.24 * au[2] + 0.05 * lowered)
    outer = (who.eye_spacing + 1.5 * w, y + 0.08 - 0.17 * au[2] + 0.03 * au[1] + 0.03 * lowered)
    centreline = bezier([inner, middle, peak, outer])
    thickness = np.zeros_like(centreline)
    thickness[:, 1] = t * np.linspace(1.0, 0.25, len(centreline)) * 0.5
    grey = min(who.hair * 1.15, who.skin * 0.62)
    for side in BOTH_SIDES:
        band = np.vstack([centreline - thickness, (centreline + thickness)[::-1]])
        sketch.fill(band * (side, 1.0), grey)


def nose(sketch: Sketch, who: Person, au: ActionUnits) -> None:
    w = who.nose_width * (1.0 + 0.25 * au[9] + 0.12 * au[12])
    y = who.nose_length - 0.08 * au[9]
    for side in BOTH_SIDES:
        nostril = ellipse(side * 0.45 * w, y + 0.06, 0.24 * w, 0.025)
        sketch.fill(nostril, who.skin * 0.5)
        wing = bezier([(side * 0.9 * w, y - 0.1), (side * 1.25 * w, y), (side * 0.9 * w, y + 0.08)])
        sketch.stroke(wing, who.skin * (0.76 - 0.15 * au[9]), 0.028)
    septum = bezier([(-0.3 * w, y + 0.085), (0.0, y + 0.105), (0.3 * w, y + 0.085)])
    sketch.stroke(septum, who.skin * 0.78, 0.028)


def mouth(sketch: Sketch, who: Person, au: ActionUnits) -> None:
    thin = 1.0 - 0.6 * max(au[23], au[24]) - 0.25 * au[12] - 0.2 * au[20]
    half = who.mouth_width + 0.15 * au[12] + 0.12 * au[20] + 0.03 * au[15] - 0.09 * au[23] - 0.05 * au[26]
    half -= 0.03 * au[24]
    corner_y = who.mouth_y - who.resting_smile - 0.17 * au[12] + 0.15 * au[15] + 0.05 * au[20] + 0.06 * au[26]
    corner_y += 0.03 * au[17]
    middle = who.mouth_y + 0.03 * au[12] - 0.07 * au[17] - 0.03 * au[15] - 0.02 * au[9]
    top = middle - 0.03 * au[25] - 0.05 * au[26] - 0.10 * au[10] - 0.03 * au[9]
    bottom = middle + 0.10 * au[25] + 0.36 * au[26] + 0.09 * au[16]
    left, right = (-half, corner_y), (half, corner_y)

    def lip(y: float, square: float) -> Points:
        """Returns a line from corner to corner through the height y; the squarer, the longer it stays there."""
        pull = 4.0 / 3.0 * (y - corner_y) + corner_y
        return bezier([left, (-square * half, pull), (square * half, pull), right])

    upper_inner, lower_inner = lip(top, 0.55 + 0.25 * au[10]), lip(bottom, 0.6 + 0.25 * au[20])
    upper_outer = lip(top - who.upper_lip * thin - 0.02, 0.3 + 0.3 * au[10])
    lower_outer = lip(bottom + who.lower_lip * thin, 0.45 + 0.2 * au[20])
    sketch.fill(np.vstack([upper_outer, upper_inner[::-1]]), who.lips * 0.88)
    sketch.fill(np.vstack([lower_inner, lower_outer[::-1]]), who.lips)
    gap = bottom - top
    if gap > 0.05:
        sketch.fill(np.vstack([upper_inner, lower_inner[::-1]]), MOUTH_INSIDE)
        teeth = upper_inner + (lower_inner - upper_inner) * min(0.75, 0.11 / gap + 0.3 * au[12])
        if au[12] + au[10] + au[20] + au[16] > 0.25 or au[26] > 0.3:
            sketch.fill(np.vstack([upper_inner[1:-1], teeth[-2:0:-1]]), TEETH)
    sketch.stroke(upper_inner, who.lips * 0.42, 0.03)
    shadow = shifted(lower_outer[2:-2], 0.0, 0.06)
    sketch.stroke(shadow, who.skin * (0.84 - 0.2 * au[17]), 0.045)


def wrinkles(sketch: Sketch, who: Person, au: ActionUnits) -> None:
    def crease(control: list[tuple[float, float]], strength: float, width: float = 0.03) -> None:
        if strength > 0.12:
            sketch.stroke(bezier(control), who.skin * (1.0 - 0.38 * min(strength, 1.0)), width)

    old = who.age
    for row in range(3):
        y = EYE_Y - who.brow_height - 0.24 - 0.13 * row
        sag = 0.04 - 0.10 * au[1] * (1.0 - au[2])
        forehead = (0.35 + 0.6 * old) * 0.5 * (au[1] + au[2]) + 0.25 * max(old - 0.5, 0.0)
        crease([(-0.5, y + sag), (-0.15, y - 0.04), (0.15, y - 0.04), (0.5, y + sag)], forehead)
    for side in BOTH_SIDES:
        crease([(side * 0.08, EYE_Y - 0.34), (side * 0.06, EYE_Y - 0.15)], 0.9 * au[4], 0.04)
        for row in range(3 if au[6] > 0.2 else 0):
            x, y = who.eye_spacing + who.eye_width + 0.05, EYE_Y + 0.05 * (row - 0.5)
            crease([(side * x, y), (side * (x + 0.15), y + 0.07 * (row - 1))], au[6] * (0.4 + old))
        for row in range(3 if au[9] > 0.15 else 0):
            y = -0.22 + 0.085 * row
            crease([(side * 0.02, y), (side * 0.16, y + 0.07)], au[9], 0.03)
        fold = 0.18 + 0.35 * old + 0.55 * au[12] + 0.6 * au[9] + 0.55 * au[10] + 0.2 * au[20]
        x = who.mouth_width + 0.10 + 0.14 * au[12] + 0.05 * au[9]
        start = (side * (who.nose_width + 0.05), who.nose_length - 0.05 - 0.07 * au[9])
        crease([start, (side * (x - 0.02), who.nose_length + 0.1), (side * x, who.mouth_y - 0.06)], fold, 0.04)
        droop = who.mouth_y + 0.1
        crease([(side * (x - 0.1), droop), (side * (x - 0.05), droop + 0.17)], 0.8 * au[15] + 0.2 * old)


def between(shape: Points, upper: Points, lower: Points) -> Points:
    """Returns a shape cut off at two lids that run from one corner of the eye to the other."""
    order = 1 if upper[0, 0] < upper[-1, 0] else -1
    x = shape[:, 0]
    top = np.interp(x, upper[::order, 0], upper[::order, 1])
    bottom = np.interp(x, lower[::order, 0], lower[::order, 1])
    return np.column_stack([x, np.minimum(np.maximum(shape[:, 1], top), bottom)])
