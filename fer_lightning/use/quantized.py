"""Makes an exported network compute in int8: static quantization, calibrated on training faces.

Activations are uint8, with one range each, and weights int8, with one for each output channel (QDQ). Weights take 7
bits of the 8: without VNNI, processors add up products in 16 bits, which overflow. So all give the same answers.
"""

import itertools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from fer_lightning.use.compact import LAYERS
from fer_lightning.use.known_faces import KnownFaces
from fer_lightning.use.onnx_network import FACES, OnnxNetwork

CALIBRATED_ON = 500
"""Faces whose activations give the ranges: of each class its share."""

CHOSEN_ON = 1000
"""Other faces, by which it is decided whether the first and the last layer stay in float32."""

AT_ONCE = 50
"""Faces in a call."""


def quantized(content: bytes, train: KnownFaces) -> bytes:
    """Returns the ONNX file of a network that computes in int8.

    The first and the last layer stay in float32 where more faces are right then.

    Args:
        content: the file of the same network in float32.
        train: faces with labels that it was trained on.
    """
    model = onnx.load_from_string(content)
    ends, outside = _ends_and_outside(model.graph)
    calibrating, choosing = drawn_by_class(train, CALIBRATED_ON, CHOSEN_ON)
    best, most = b"", -1
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "int8.onnx"
        for left in _choices(ends):
            _quantize(model, file, calibrating.images, [*left, *outside])
            predicted = OnnxNetwork(file).probabilities(choosing.images).argmax(1)
            right = int((predicted == choosing.labels).sum())
            if right > most:
                best, most = file.read_bytes(), right
    return best


def drawn_by_class(faces: KnownFaces, *counts: int) -> list[KnownFaces]:
    """Returns sets of different faces, drawn always alike, with as large a share of each class as there is of it.

    Where there are too few for all sets, the first ones take them, and a set without any takes those of the first.
    """
    assert faces.labels is not None
    order = np.random.default_rng(0).permutation(len(faces.labels))
    ranks = np.empty(len(order))
    for label in np.unique(faces.labels):  # evenly spread over 0…1, so that each beginning has the shares of the whole
        rows = order[faces.labels[order] == label]
        ranks[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    spread = np.argsort(ranks, kind="stable")
    sets: list[KnownFaces] = []
    start = 0
    for count in counts:
        rows = spread[start : start + count]
        sets.append(KnownFaces(faces.what, faces.images[rows], faces.labels[rows]) if len(rows) else sets[0])
        start += count
    return sets


def _choices(ends: Sequence[str]) -> Iterator[list[str]]:
    """Yields which of the end layers stay in float32: none of them, one, or both."""
    for count in range(len(ends) + 1):
        yield from map(list, itertools.combinations(ends, count))


class _Reader(CalibrationDataReader):
    """Gives the faces of calibration to onnxruntime."""

    def __init__(self, faces: NDArray[np.uint8]) -> None:
        self._batches = iter([faces[start : start + AT_ONCE] for start in range(0, len(faces), AT_ONCE)])

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {FACES: batch}


def _quantize(model: onnx.ModelProto, file: Path, faces: NDArray[np.uint8], in_float: Sequence[str]) -> None:
    whole = onnx.ModelProto()
    whole.CopyFrom(model)  # quantize_static changes what it is given
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)  # it asks to be given a model that is prepared, which an export is
    try:
        quantize_static(
            whole,
            file,
            _Reader(faces),
            QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(in_float),
        )
    finally:
        root.setLevel(level)


def _ends_and_outside(graph: onnx.GraphProto) -> tuple[list[str], list[str]]:
    """Returns the names of the first and the last layer, and of all nodes before the one and behind the other.

    The first is the first convolution, if there is one: resizing is a product with a matrix too, and comes before it.
    """
    layers = [node for node in graph.node if node.op_type in LAYERS]
    if not layers:
        return [], [node.name for node in graph.node]
    first = next((node for node in layers if node.op_type == "Conv"), layers[0])
    last = layers[-1]
    before, behind = set(first.input), set(last.output)
    outside = []
    for node in reversed(graph.node):  # which are in the order of computing
        if before & set(node.output):
            before |= set(node.input)
            outside.append(node.name)
    for node in graph.node:
        if behind & set(node.input):
            behind |= set(node.output)
            outside.append(node.name)
    return list(dict.fromkeys([first.name, last.name])), outside
