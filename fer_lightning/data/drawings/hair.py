"""Hair of several styles, scarves and hats: what is behind the head and what is on it."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from fer_lightning.data.drawings.canvas import Points, Sketch, bezier, ellipse, loop, mirrored, smooth
from fer_lightning.data.drawings.face import BOTH_SIDES, Person

Hairline = tuple[float, float, float, float, float, float, float]
"""Its height at each of HAIRLINE_X."""

HAIRLINE_X = (0.98, 0.87, 0.5, 0.0, -0.5, -0.87, -0.98)
SHORT: Hairline = (-0.25, -0.72, -0.98, -1.02, -0.98, -0.72, -0.25)
PARTED: Hairline = (-0.20, -0.62, -0.77, -0.90, -1.16, -0.78, -0.25)
FRINGE: Hairline = (-0.10, -0.60, -0.72, -0.70, -0.73, -0.60, -0.10)
RECEDING: Hairline = (-0.30, -0.88, -1.22, -1.08, -1.22, -0.88, -0.30)
CENTRE: Hairline = (0.25, -0.38, -0.82, -1.20, -0.82, -0.38, 0.25)
WAVY: Hairline = (0.30, -0.30, -0.80, -0.88, -1.10, -0.50, 0.20)

CROWN = ((1.08, -0.62), (0.95, -1.2), (0.5, -1.52), (0.0, -1.58))
"""The right half of the outer edge of hair, from above the ear to the top of the head."""

LONG = ("centre", "wavy")


def behind(sketch: Sketch, who: Person, style: str, rng: Generator) -> None:
    if style in LONG:
        spread = rng.uniform(1.15, 1.4)
        right = [
            (0.0, -1.6),
            (0.9, -1.35),
            (1.15, -0.5),
            (spread, 0.4),
            (0.95 * spread, 1.2),
            (0.8, 1.7),
            (0.0, 1.7),
        ]
        sketch.fill(loop(mirrored(right)), who.hair * 0.75)
    elif style == "afro":
        sketch.fill(ellipse(0.0, -0.55, 1.38, 1.12), who.hair * 0.85)


def bald(sketch: Sketch, who: Person, rng: Generator) -> None:
    for side in BOTH_SIDES:
        patch = np.array([(1.0, -0.2), (0.9, -0.75), (1.03, -0.7), (1.06, -0.2)]) * (side * who.width, 1.0)
        sketch.fill(patch, 0.5 * (who.hair + who.skin))


def grown(hairline: Hairline, volume: float) -> Callable[[Sketch, Person, Generator], None]:
    """Draws hair between a hairline and the crown, which `volume` raises."""

    def hair(sketch: Sketch, who: Person, rng: Generator) -> None:
        high = volume * rng.uniform(0.94, 1.08)
        lean = rng.choice(BOTH_SIDES)
        front = np.column_stack([HAIRLINE_X, hairline]) * (lean * who.width, 1.0)
        front[1:-1, 1] += rng.normal(0.0, 0.03, len(front) - 2)
        start, end = front[0], front[-1]
        outer = np.array(CROWN) * (lean * who.width * (0.5 + 0.5 * high), high)
        outer = np.vstack([outer, outer[-2::-1] * (-1.0, 1.0)])
        line = smooth(front)
        sideburns = np.array([end, start]) * (1.07, 1.0)
        sketch.fill(np.vstack([line, sideburns[:1], outer[::-1], sideburns[1:]]), who.hair)
        strands(sketch, line, who.hair, high, rng)

    return hair


def strands(sketch: Sketch, line: Points, hair: float, high: float, rng: Generator) -> None:
    """Draws lighter and darker locks from the hairline up to the crown; the lighter ones make the gloss."""
    crown = np.array([rng.uniform(-0.4, 0.4), -1.5 * high])
    for root, gloss in zip(rng.uniform(0.06, 0.94, 16), rng.normal(3.0, 6.0 + 0.1 * hair, 16), strict=True):
        start = line[int(root * len(line))] + (0.0, 0.04)
        bend = 0.5 * (start + crown) + (0.55 * start[0], -0.12)
        lock = bezier([tuple(start), tuple(bend), tuple(0.4 * start + 0.6 * crown)])
        sketch.stroke(lock, min(max(hair + gloss, 5), 245), rng.uniform(0.03, 0.09))


def afro(sketch: Sketch, who: Person, rng: Generator) -> None:
    line = smooth(np.column_stack([HAIRLINE_X, SHORT]) * (who.width, 1.0))
    top = ellipse(0.0, -0.62, 1.33, 1.0)
    sketch.fill(np.vstack([line, top[8:], top[:1]]), who.hair)
    for angle, radius, tone in zip(
        rng.uniform(np.pi, 2 * np.pi, 26), rng.uniform(0.75, 1.05, 26), rng.normal(1.0, 0.25, 26), strict=True
    ):
        x, y = 1.3 * radius * np.cos(angle), -0.66 + 0.98 * radius * np.sin(angle)
        sketch.fill(ellipse(x, y, 0.10, 0.10), min(max(who.hair * tone + 14 * (tone - 0.9), 5), 245))


def scarf(sketch: Sketch, who: Person, rng: Generator) -> None:
    cloth = rng.uniform(30, 225)
    around = loop(mirrored([(0.0, -1.62), (0.9, -1.3), (1.22, -0.4), (1.2, 0.6), (0.95, 1.4), (1.3, 2.2), (0.0, 2.2)]))
    opening = loop(mirrored([(0.0, -0.98), (0.62, -0.82), (0.88, -0.2), (0.8, 0.5), (0.45, 1.02), (0.0, 1.2)]))
    opening = opening * (who.width, 1.0)
    sketch.fill(np.vstack([around, around[:1], opening[:1], opening[::-1]]), cloth)
    for x in (0.98, 1.08):
        for side in BOTH_SIDES:
            fold = bezier([(side * 0.5 * x, -1.25 * x), (side * x, -0.8), (side * 1.02 * x, 0.6), (side * 0.6, 1.4)])
            sketch.stroke(fold, cloth * 0.8, 0.05)


def beanie(sketch: Sketch, who: Person, rng: Generator) -> None:
    cloth = rng.uniform(25, 190)
    dome = loop(mirrored([(0.0, -1.75), (0.8, -1.55), (1.1, -0.95), (1.06, -0.66), (0.5, -0.76), (0.0, -0.78)]))
    sketch.fill(dome * (who.width, 1.0), cloth)
    for y in (-0.72, -1.0):
        brim = bezier([(-1.1, y + 0.06), (-0.4, y - 0.08), (0.4, y - 0.08), (1.1, y + 0.06)])
        sketch.stroke(brim * (who.width, 1.0), cloth * 0.72, 0.06)


HAIR: dict[str, Callable[[Sketch, Person, Generator], None]] = {
    "short": grown(SHORT, 1.0),
    "parted": grown(PARTED, 1.04),
    "fringe": grown(FRINGE, 1.04),
    "receding": grown(RECEDING, 0.97),
    "centre": grown(CENTRE, 1.05),
    "wavy": grown(WAVY, 1.07),
    "afro": afro,
    "bald": bald,
    "scarf": scarf,
    "beanie": beanie,
}
HOW_OFTEN = (0.2, 0.16, 0.12, 0.08, 0.14, 0.12, 0.05, 0.05, 0.05, 0.03)
