"""Finds faces in frames: by YuNet, or by boxes that are given, or none is looked for. Needs onnxruntime and NumPy.

YuNet (Wu, Peng and Yu: YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 2023) is the file
face_detection_yunet_2023mar.onnx of the OpenCV Zoo, unchanged; its licence is beside it.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.use.faces import Detection, Frame
from fer_lightning.use.given_boxes import GivenBoxes as GivenBoxes

Detector = Callable[[Frame], list[Detection]]
"""Returns the faces in a frame, from the left to the right."""

YUNET = Path(__file__).parent / "yunet" / "face_detection_yunet_2023mar.onnx"

SIDE_IN = 640
"""Height and width, in pixels, of what YuNet takes: larger pictures are shrunk, smaller ones are not enlarged."""

CLOSE_UP = 200
"""Longer side, in pixels, of a second look where nothing was found: faces that fill a picture are found there."""

STRIDES = (8, 16, 32)

MOST_OVERLAP = 0.3
"""Intersection over union above which two boxes are one face: the default of OpenCV's FaceDetectorYN."""


class YuNet:
    """Finds faces from some 10 pixels of width on, up to a turn of about 45 degrees.

    Measured on 179 pictures with 304 faces: from a score of 0.6 on, all are found, and 7 that are none; 0.7: 99.0%, 3;
    0.8: 97.7%, none; 0.9: 85.2%, none.

    Args:
        min_score: of a face, from 0 to 1.
        min_size: width of a face's box, in pixels of the frame.
        threads: that compute one frame; 0 for as many as there are cores. With one, several frames can be searched at
            the same time, which is faster: two threads share a frame's work badly.

    Raises:
        ValueError: a number outside its range.
    """

    def __init__(self, min_score: float = 0.8, min_size: float = 0, threads: int = 0) -> None:
        if not 0 < min_score <= 1:
            raise ValueError(f"min_score is {min_score}; it must be above 0 and at most 1")
        if not 0 <= min_size < math.inf:
            raise ValueError(f"min_size is {min_size}; it must be a number of pixels, at least 0")
        from fer_lightning.use.onnx_session import onnx_session

        self.min_score, self.min_size = min_score, min_size
        self._network = onnx_session(yunet_model(), threads)
        self._outputs = [f"{part}_{stride}" for stride in STRIDES for part in ("cls", "obj", "bbox", "kps")]

    def __call__(self, frame: Frame) -> list[Detection]:
        """Returns the faces in a frame, from the left to the right; boxes can be beyond its edge in part."""
        longest = max(frame.pixels.shape[:2])
        found = self._found(frame.pixels, min(SIDE_IN / longest, 1))
        if not found and longest > CLOSE_UP:
            found = self._found(frame.pixels, CLOSE_UP / longest)
        return sorted(found, key=lambda detection: detection.x)

    def _found(self, pixels: NDArray[np.uint8], scale: float) -> list[Detection]:
        if scale < 1:
            size = [max(round(side * scale), 1) for side in pixels.shape[1::-1]]
            small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2))
        else:
            small = pixels
        height, width = small.shape[:2]
        grid = [-(-side // STRIDES[-1]) * STRIDES[-1] for side in (height, width)]
        blob = np.zeros((1, 3, *grid), np.float32)  # black to the right and below
        blob[0, :, :height, :width] = small[..., ::-1].transpose(2, 0, 1)  # BGR
        outputs = self._network.run(self._outputs, {"input": blob})
        rows = _decoded(outputs, grid[1], self.min_score)
        rows[:, 0:14:2] *= pixels.shape[1] / width
        rows[:, 1:14:2] *= pixels.shape[0] / height
        faces = (_detection(row) for row in rows[_apart(rows)].tolist())
        return [face for face in faces if face.width >= self.min_size and _overlaps(face, pixels.shape[1::-1])]


class WholePicture:
    """Takes every frame as a face, as it is: for pictures that were cut out before, like a data set's."""

    def __call__(self, frame: Frame) -> list[Detection]:
        """Returns one detection: the whole frame."""
        height, width = frame.pixels.shape[:2]
        return [Detection(0, 0, width, height, whole=True)]


def yunet_model() -> bytes:
    """Returns YuNet's ONNX file with the sizes of its input and the numbers of cells of its outputs left open.

    In the file they are of 640×640 pixels, but it computes the same for any multiples of 32, as OpenCV has it do. A
    wide picture needs no black bars then, which take as long as a picture: a second look is four times as fast.
    In ONNX's form, a dimension is one of two fields of the same length here: a number, or a name, which stands for any.
    """
    model = YUNET.read_bytes()
    for number, names in ((640, b"hw"), (6400, b"aaaaaa"), (1600, b"bbbbbb"), (400, b"cccccc")):
        fixed = bytes((0x0A, 3, 0x08, number & 0x7F | 0x80, number >> 7))
        if model.count(fixed) != len(names):
            raise ValueError(f"{YUNET} is not the file that this package has")
        for name in names:
            model = model.replace(fixed, bytes((0x0A, 3, 0x12, 1, name)), 1)
    return model


def _decoded(outputs: Sequence[NDArray[np.float32]], width: int, min_score: float) -> NDArray[np.float64]:
    """Returns what scores enough: float64 (faces, 15), with left, top, width, height, five landmarks' x, y, and score.

    Args:
        outputs: for each stride, the class and objectness (1, cells, 1), boxes (1, cells, 4) and landmarks (1, cells,
            10) of a grid of cells: middles and landmarks from a cell's corner, in strides, and sizes as logarithms.
        width: of what the network was given, in pixels.
        min_score: of the geometric mean of class and objectness.
    """
    rows = []
    for place, stride in enumerate(STRIDES):
        classes, objects, boxes, landmarks = outputs[4 * place : 4 * place + 4]
        scores = np.sqrt(classes[0, :, 0].clip(0, 1) * objects[0, :, 0].clip(0, 1))
        cells = np.flatnonzero(scores >= min_score)
        corner = np.stack((cells % (width // stride), cells // (width // stride)), axis=1).astype(np.float64)
        middle, size = corner + boxes[0, cells, :2], np.exp(boxes[0, cells, 2:])
        points = np.tile(corner, 5) + landmarks[0, cells]
        here = np.concatenate((middle - size / 2, size, points), axis=1) * stride
        rows.append(np.concatenate((here, scores[cells, None]), axis=1))
    return np.concatenate(rows)


def _apart(rows: NDArray[np.float64]) -> list[int]:
    """Returns the rows that are faces of their own, the surest first: the others overlap a surer one."""
    left, top, width, height = rows[:, :4].T
    kept: list[int] = []
    waiting = np.argsort(-rows[:, 14], kind="stable")
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        across = np.minimum((left + width)[waiting], left[best] + width[best]) - np.maximum(left[waiting], left[best])
        down = np.minimum((top + height)[waiting], top[best] + height[best]) - np.maximum(top[waiting], top[best])
        shared = across.clip(0) * down.clip(0)
        union = (width * height)[waiting] + width[best] * height[best] - shared
        waiting = waiting[shared <= MOST_OVERLAP * union]
    return kept


def _detection(row: Sequence[float]) -> Detection:
    points = tuple(zip(row[4:14:2], row[5:14:2], strict=True))
    return Detection(row[0], row[1], row[2], row[3], score=row[14], landmarks=points)


def _overlaps(face: Detection, size: tuple[int, ...]) -> bool:
    left, top, right, bottom = face.box
    return right > 0 and bottom > 0 and left < size[0] and top < size[1]
