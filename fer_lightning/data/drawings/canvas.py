"""Draws: the pose of a head, a list of shapes, and the curves that shapes are made of.

Lengths are in face units: 1 is half the width of the head, x goes right, y down, and (0, 0) is the bridge of
the nose seen from the front. Everything is drawn four times too large and reduced: that is the antialiasing.
"""

from dataclasses import dataclass
from functools import cache
from math import comb, cos, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fer_lightning.data.faces import SIDE

Points = NDArray[np.float64]
"""(n, 2): x and y."""

OVERSAMPLING = 4


@dataclass(frozen=True)
class Pose:
    """The place and turn of a head: angles in radians, scale and position in pixels of the finished picture."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    x: float
    y: float

    def turned(self, points: Points) -> Points:
        """Applies yaw and pitch, as if points lay on an ellipsoid: near ones move most, the far side narrows."""
        depth = np.sqrt(np.maximum(1.0 - (points * points) @ (0.9, 0.4), 0.0)) - 0.6
        turned: Points = points * (cos(self.yaw), cos(self.pitch))
        return turned + np.outer(depth, (sin(self.yaw), sin(self.pitch)))

    def placed(self, points: Points) -> Points:
        """Returns the pixels of turned face units."""
        c, s = self.scale * cos(self.roll), self.scale * sin(self.roll)
        rotated: Points = points @ np.array([[c, s], [-s, c]])
        return shifted(rotated, self.x, self.y)


class Sketch:
    """A list of shapes in face units, each over the ones before it.

    They are placed together when the picture is asked for: one by one, that takes longer than drawing.
    """

    def __init__(self, pose: Pose, background: float) -> None:
        self.pose = pose
        self._background = round(background)
        self._shapes: list[Points] = []
        self._inks: list[tuple[int, int]] = []

    def fill(self, points: Points, grey: float) -> None:
        self._shapes.append(points)
        self._inks.append((round(grey), 0))

    def stroke(self, points: Points, grey: float, width: float) -> None:
        self._shapes.append(points)
        self._inks.append((round(grey), max(1, round(width * self.pose.scale * OVERSAMPLING))))

    def picture(self) -> NDArray[np.float32]:
        """Returns grey values (48, 48), from 0 to 255."""
        canvas = Image.new("L", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING), self._background)
        draw = ImageDraw.Draw(canvas)
        placed = self.pose.placed(self.pose.turned(np.concatenate(self._shapes))) * OVERSAMPLING
        numbers, start = placed.ravel().tolist(), 0
        for shape, (grey, width) in zip(self._shapes, self._inks, strict=True):
            end = start + shape.size
            if width:
                draw.line(numbers[start:end], fill=grey, width=width)
            else:
                draw.polygon(numbers[start:end], fill=grey)
            start = end
        return np.asarray(canvas.reduce(OVERSAMPLING), dtype=np.float32)


def mirrored(right_half: list[tuple[float, float]]) -> Points:
    """Returns a closed outline from its right half, which starts and ends on the axis."""
    right = np.array(right_half)
    return np.vstack([right, right[-2:0:-1] * (-1.0, 1.0)])


def ellipse(x: float, y: float, half_width: float, half_height: float) -> Points:
    return shifted(_circle() * (half_width, half_height), x, y)


def bezier(control: list[tuple[float, float]]) -> Points:
    """Returns ten points along the Bézier curve of these control points."""
    curve: Points = _bernstein(len(control)) @ np.array(control)
    return curve


def loop(points: Points) -> Points:
    """Returns a closed Catmull-Rom spline through the points, five steps from one to the next."""
    curve: Points = _catmull_rom(len(points)) @ points
    return curve


def smooth(points: Points) -> Points:
    """Returns an open line through the points, rounded: half of the loop that runs along it and back."""
    there_and_back = np.vstack([points, points[-2:0:-1]])
    return loop(there_and_back)[: 5 * (len(points) - 1) + 1]


def shifted(points: Points, right: float, down: float) -> Points:
    moved: Points = points + np.array((right, down))
    return moved


@cache
def _circle() -> Points:
    angle = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)])


@cache
def _bernstein(count: int) -> NDArray[np.float64]:
    t = np.linspace(0.0, 1.0, 10)[:, None]
    k = np.arange(count)
    weights = np.array([comb(count - 1, i) for i in k])
    basis: NDArray[np.float64] = weights * t**k * (1.0 - t) ** (count - 1 - k)
    return basis


@cache
def _catmull_rom(count: int) -> NDArray[np.float64]:
    basis = np.zeros((count, 5, count))
    t = np.linspace(0.0, 1.0, 5, endpoint=False)
    weights = 0.5 * np.stack([-(t**3) + 2 * t**2 - t, 3 * t**3 - 5 * t**2 + 2, -3 * t**3 + 4 * t**2 + t, t**3 - t**2])
    for point in range(count):
        for offset, weight in enumerate(weights):
            basis[point, :, (point + offset - 1) % count] = weight
    return basis.reshape(-1, count)
