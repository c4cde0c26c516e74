"""The picture of a drawn face: pose, background, light on a round head, and what a camera does to it."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fer_lightning.data.drawings import face, hair, styling
from fer_lightning.data.drawings.canvas import Pose, Sketch, ellipse, shifted
from fer_lightning.data.drawings.expression import ActionUnits, action_units
from fer_lightning.data.drawings.face import BOTH_SIDES, EYE_Y, Person
from fer_lightning.data.faces import SIDE

Grey = NDArray[np.floating]
"""(48, 48)"""


def photo(emotion: str, rng: Generator) -> NDArray[np.uint8]:
    """Returns the picture of a person nobody has seen before, showing `emotion`: uint8 (48, 48)."""
    au = action_units(emotion, rng)
    who = face.person(rng)
    pose = Pose(
        yaw=rng.normal(0.0, 0.2),
        pitch=rng.normal(0.0, 0.09),
        roll=rng.normal(0.0, 0.13),
        scale=rng.normal(18.6, 1.2),
        x=(SIDE - 1) / 2 + rng.normal(0.0, 1.3),
        y=(SIDE - 1) / 2 + 1.0 + rng.normal(0.0, 1.3),
    )
    albedo, head = drawn(who, au, pose, rng)
    lit = albedo * (1.0 + head * (shading(who, au, pose, rng) - 1.0))
    return camera(lit, rng)


def drawn(who: Person, au: ActionUnits, pose: Pose, rng: Generator) -> tuple[Grey, Grey]:
    """Returns flat greys, 0 to 255, from the background to the front, and where the head is, 0 to 1."""
    sketch = Sketch(pose, rng.uniform(10, 245))
    for _ in range(rng.integers(0, 4)):
        left, top, width, height = rng.uniform((-2.2, -2.2, 0.4, 0.6), (0.8, 0.0, 1.8, 3.0))
        block = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
        sketch.fill(shifted(block, left, top), rng.uniform(10, 245))
    style = str(rng.choice(list(hair.HAIR), p=hair.HOW_OFTEN))
    hair.behind(sketch, who, style, rng)
    styling.neck_and_clothes(sketch, who, rng)
    outline = face.head(sketch, who, au)
    face.wrinkles(sketch, who, au)
    may_have_beard = style not in (*hair.LONG, "fringe", "scarf")
    if may_have_beard and rng.random() < 0.16:
        styling.beard(sketch, who, rng)
    face.nose(sketch, who, au)
    if may_have_beard and rng.random() < 0.12:
        styling.moustache(sketch, who, rng)
    face.mouth(sketch, who, au)
    face.eyes(sketch, who, au)
    face.brows(sketch, who, au)
    hair.HAIR[style](sketch, who, rng)
    if rng.random() < 0.15:
        styling.glasses(sketch, who, rng)
    for obstacle, chance in styling.OBSTACLES:
        if rng.random() < chance:
            obstacle(sketch, who, rng)
    mask = Sketch(pose, 0)
    mask.fill(outline, 255)
    mask.fill(ellipse(0.0, -0.6, 1.1 * who.width, 1.0), 255)
    return sketch.picture(), mask.picture() / 255.0


def shading(who: Person, au: ActionUnits, pose: Pose, rng: Generator) -> Grey:
    """Returns the light that each pixel of the head gets (1 = its own grey), by Lambert's law on a height map."""
    u, v = face_units(pose)
    height = np.sqrt(np.maximum(1.0 - (u / 1.12) ** 2 - (v / 1.62) ** 2, 0.03))
    bumps = np.array(relief(who, au))
    bumps[:, :2] = pose.turned(bumps[:, :2])
    x, y, half_width, half_height, rise = bumps.T.astype(np.float32)[:, :, None, None]
    height = height + (rise * np.exp(-(((u - x) / half_width) ** 2) - ((v - y) / half_height) ** 2)).sum(0)
    down, right = np.gradient(height * np.float32(pose.scale))  # per pixel
    side, above = rng.normal(0.0, 0.55), rng.normal(-0.45, 0.3)
    facing = (1.0 - side * right - above * down) / np.sqrt(1.0 + right**2 + down**2)
    facing = facing / np.sqrt(1.0 + side**2 + above**2)
    ambient = rng.uniform(0.25, 0.6)
    lit: Grey = ambient + (1.25 - ambient) * np.maximum(facing, 0.0)
    return lit


def relief(who: Person, au: ActionUnits) -> list[tuple[float, float, float, float, float]]:
    """Hills and hollows on the ellipsoid of a head: x, y, half width, half height, rise."""
    cheek_y = 0.25 - 0.12 * au[6] - 0.05 * au[12]
    cheek = 0.07 + 0.08 * au[6] + 0.06 * au[12]
    brow_y = EYE_Y - who.brow_height + 0.02 + 0.1 * au[4]
    chin_y = who.chin - 0.14 + 0.14 * au[26]
    hills = [
        (0.0, -0.08, 0.13, 0.30, 0.16),
        (0.0, who.nose_length - 0.04, 0.15, 0.13, 0.20),
        (0.0, who.mouth_y, 0.40, 0.24, 0.09),
        (0.0, who.mouth_y + 0.24, 0.22, 0.06, -0.05 - 0.03 * au[17]),
        (0.0, chin_y, 0.24, 0.15, 0.10 + 0.04 * au[17]),
    ]
    for sign in BOTH_SIDES:
        hills += [
            (sign * who.eye_spacing, EYE_Y, 0.26, 0.16, -0.11),
            (sign * who.eye_spacing, brow_y, 0.34, 0.10, 0.05 + 0.03 * au[4]),
            (sign * (who.nose_width + 0.02), who.nose_length, 0.09, 0.09, 0.07),
            (sign * 0.52, cheek_y, 0.24, 0.2, cheek),
        ]
    return hills


def face_units(pose: Pose) -> tuple[Grey, Grey]:
    """Returns every pixel's place on the turned head."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x, y = x + 0.5 - np.float32(pose.x), y + 0.5 - np.float32(pose.y)
    c, s = np.float32(np.cos(pose.roll) / pose.scale), np.float32(np.sin(pose.roll) / pose.scale)
    return x * c + y * s, y * c - x * s


def camera(scene: Grey, rng: Generator) -> NDArray[np.uint8]:
    """Adds uneven light over the picture, exposure and contrast, blur and noise."""
    slope = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)
    across, along = rng.normal(0.0, 0.2, 2)
    picture = scene * (1.0 + np.float32(across) * slope + np.float32(along) * slope[:, None])
    exposed = (picture - picture.mean()) / picture.std()
    picture = rng.normal(0.51, 0.08) + np.float32(rng.uniform(0.16, 0.27)) * exposed
    picture = np.clip(picture, 0.0, 1.0)
    if rng.random() < 0.5:
        soft = np.float32(rng.uniform(0.03, 0.2))
        for axis in (0, 1):
            neighbours = np.roll(picture, 1, axis) + np.roll(picture, -1, axis)
            picture = (1 - 2 * soft) * picture + soft * neighbours
    picture = picture + rng.normal(0.0, 0.035 * rng.random() ** 2, picture.shape)
    levels: NDArray[np.uint8] = np.clip(np.rint(picture * 255.0), 0, 255).astype(np.uint8)
    return levels
