"""Faces that must be found in a larger picture first: what that costs, and which crop of them a network knows best."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.clips import SIZE, Amount, Row
from benchmarks.whole_line import cut_out, timed_networks
from fer_lightning.transforms.face_crop import BOX_MARGIN
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame

SIDES = (60, 200)
"""Side of a face that is put into a picture, in pixels: the smallest and the largest."""

MARGINS = (1.0, 1.06, 1.1, 1.14, 1.16, 1.18, 1.21, BOX_MARGIN, 1.28)
"""Sides of the square around a face's box that are compared, as multiples of the box's width."""

PLACES = 3
"""Pictures that each face is put into, where crops are compared."""

VAL_FRACTION = 0.05
"""Share of Training that is val: the package's networks have not learned from it, so that a crop is chosen on it."""


def accuracy(amount: Amount) -> list[Row]:
    """Returns the accuracy on faces that were put into larger pictures, and on the same faces as they are.

    Each face of PublicTest lies somewhere in a picture of 640×480 of shades that change smoothly, enlarged to a side of
    60 to 200 pixels. It is found if the middle of the best box is in it; one that is not found is counted as wrong.
    """
    images, labels, class_names = _faces(amount, "test")
    rows = []
    rng = np.random.default_rng(0)
    pictures = [(face, *_placed(face, rng)) for face in images]
    detector = YuNet(threads=2)
    places = [_found(detector, picture, place) for _, picture, place in pictures]
    found = np.array([box is not None for box in places])
    for network in timed_networks(2):
        card = network.card
        if card.class_names != class_names:
            continue
        to_pixels = PixelFormat(card.size, card.channels, card.fit)
        direct = np.stack([to_pixels(Image.fromarray(face)) for face in images])
        right = network.probabilities(direct).argmax(1) == labels
        boxed = zip(pictures, places, strict=True)
        cuts = [cut_out(picture, box, to_pixels, card.margin) for (_, picture, _), box in boxed if box]
        end_to_end = np.zeros(len(labels), bool)
        if cuts:
            end_to_end[found] = network.probabilities(np.stack(cuts)).argmax(1) == labels[found]
        rows.append(
            {
                "accuracy": f"{len(labels):,} faces, by {card.name}",
                "found": f"{found.mean():.1%}",
                "given directly": f"{right.mean():.1%}",
                "found in pictures, others wrong": f"{end_to_end.mean():.1%}",
                "of those found: directly": f"{right[found].mean() if found.any() else 0:.1%}",
                "and in pictures": f"{end_to_end[found].mean() if found.any() else 0:.1%}",
            }
        )
    return rows


def margins(amount: Amount) -> list[Row]:
    """Returns the accuracy with each margin, on the val faces that the detector finds, each in three pictures."""
    images, labels, class_names = _faces(amount, "val")
    rng = np.random.default_rng(0)
    detector = YuNet(threads=2)
    found, right_labels = [], []
    for face, label in zip(np.repeat(images, PLACES, axis=0), np.repeat(labels, PLACES), strict=True):
        picture, place = _placed(face, rng)
        if box := _found(detector, picture, place):
            found.append((picture, box))
            right_labels.append(label)
    rows = []
    for network in timed_networks(2):
        card = network.card
        if card.class_names != class_names or not found:
            continue
        to_pixels = PixelFormat(card.size, card.channels, card.fit)
        row = {"accuracy by the crop's margin": f"{len(found):,} faces, by {card.name}"}
        for margin in MARGINS:
            cuts = np.stack([cut_out(picture, box, to_pixels, margin) for picture, box in found])
            right = network.probabilities(cuts).argmax(1) == np.array(right_labels)
            row[f"{margin:g}"] = f"{right.mean():.1%}"
        rows.append(row)
    return rows


def _faces(amount: Amount, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Returns the faces to be found, uint8 (N, S, S), their labels and the classes' names."""
    from fer_lightning.data import FERDataModule
    from fer_lightning.data.drawings.demo import drawn

    data = FERDataModule(amount.data or drawn(faces=70), splits={"test": "PublicTest"}, val_fraction=VAL_FRACTION)
    data.setup()
    assert data.faces is not None
    rows = data.rows[split][: amount.faces]
    return data.faces.images[rows][:, 0].numpy(), data.faces.labels[rows].numpy(), data.class_names


def _placed(face: NDArray[np.uint8], rng: np.random.Generator) -> tuple[Image.Image, tuple[int, int, int]]:
    """Returns a picture with a face in it, and the face's left, top and side."""
    shades = rng.integers(40, 216, (6, 8, 3), np.uint8)
    picture = Image.fromarray(shades).resize(SIZE, Image.Resampling.BICUBIC)
    side = int(rng.integers(*SIDES))
    left, top = (int(rng.integers(0, length - side)) for length in SIZE)
    picture.paste(Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC), (left, top))
    return picture, (left, top, side)


def _found(
    detector: YuNet, picture: Image.Image, place: tuple[int, int, int]
) -> tuple[float, float, float, float] | None:
    """Returns the box of the face, if it is found where it was put."""
    left, top, side = place
    inside = [
        detection
        for detection in detector(Frame("a", 0, None, np.asarray(picture)))
        if left <= (detection.box[0] + detection.box[2]) / 2 <= left + side
        and top <= (detection.box[1] + detection.box[3]) / 2 <= top + side
    ]
    return max(inside, key=lambda detection: detection.score).box if inside else None
