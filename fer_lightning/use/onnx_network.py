"""A network in an ONNX file, run by onnxruntime. Imports no torch."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fer_lightning.errors import ConfigError
from fer_lightning.use.card import Card, Flip, card_in, refuse_unknown
from fer_lightning.use.endable_runs import run
from fer_lightning.use.face_batches import in_batches
from fer_lightning.use.onnx_session import onnx_session

FACES, PROBABILITIES = "faces", "probabilities"
"""The input and the output of an exported network."""

LARGEST_ONNX = 2_000_000_000
"""Bytes: a larger file holds its weights elsewhere, which is not what we export."""

OTHER_FILE = b"\n\x08location\x12"
"""In an ONNX file, the beginning of the name of another file that has a part of the weights."""

_NEWER = f"newer than onnxruntime {onnxruntime.__version__} reads: pip install -U onnxruntime"

REASONS = {
    "Unsupported model IR version": f"its format is {_NEWER}",
    "Current official support": f"its opset is {_NEWER}",
    "Missing opset": "it does not say which opset it is of",
    "INVALID_GRAPH": "its operators are not those of its opset, which may be too old for them",
}
"""Parts of onnxruntime's messages, and what they mean."""


ROUNDING = 1e-3
"""By which a probability may be above 1."""


class OnnxNetwork:
    """An exported network: uint8 faces in, calibrated probabilities out.

    Args:
        path: the ONNX file.
        threads: that one call uses; None for as many as the machine has cores.
        tta: "flip" averages over each face and its mirror image.

    Raises:
        ConfigError: there is no such file, or it holds no network of this program.
    """

    card: Card

    def __init__(self, path: Path | str, threads: int | None = None, tta: Flip = "none") -> None:
        refuse_unknown("tta", tta, Flip)
        self._path = path = Path(path)
        if not path.is_file():  # to read a pipe or a device might never end
            raise ConfigError(f"{path} is not a file")
        if path.stat().st_size > LARGEST_ONNX:
            raise ConfigError(f"{path} is larger than {LARGEST_ONNX:,} bytes: this program has not exported it")
        self._session = _session(path, threads)
        self.card = card_in(self._session.get_modelmeta().custom_metadata_map, path)
        _refuse_other_shapes(self._session, self.card, path)
        self._flips = tta == "flip" and self.card.tta == "none"  # otherwise it does so by itself

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the probability of each class, float32 (N, K), of faces, uint8 (N, C, size, size).

        Raises:
            ValueError: faces of another type or shape.
            RunEndedError: see `endable_runs`.
        """
        return in_batches(self._probabilities, faces, self.card)

    def _probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities = self._run(faces)
        if self._flips:
            probabilities = (probabilities + self._run(np.ascontiguousarray(faces[..., ::-1]))) / np.float32(2)
        return probabilities

    def _run(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        (answer,) = run(self._session, [PROBABILITIES], {FACES: faces})
        probabilities = np.asarray(answer, np.float32)
        of_each_face = probabilities.shape == (len(faces), len(self.card.class_names))
        if not of_each_face or not ((probabilities >= 0) & (probabilities <= 1 + ROUNDING)).all():
            raise ConfigError(f"{self._path}: its answers are no probabilities. Export the network again")
        return probabilities


def _session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    content = path.read_bytes()
    _refuse_other_files(content, path)
    try:
        return onnx_session(content, threads or 0)
    except Exception as error:  # onnxruntime's own kinds have no base but this
        raise ConfigError(
            f"{path} cannot be read as an ONNX file: {_reason(str(error))}. Give one that `python -m "
            f"fer_lightning.use.export` wrote"
        ) from error


def _refuse_other_files(content: bytes, path: Path) -> None:
    """Refuses a file with weights in other files: onnxruntime would read whichever it names."""
    if OTHER_FILE in content:
        raise ConfigError(
            f"{path} has weights in another file beside it: an exported network is one file. Export its run again, "
            f"or save it as one, by onnx.save(onnx.load(…), …)"
        )


def _reason(message: str) -> str:
    """Returns in words what onnxruntime says of a file."""
    plain = "".join(letter if letter.isprintable() else " " for letter in message)  # it may name parts of the file
    return next((words for part, words in REASONS.items() if part in message), plain[:300])


def _refuse_other_shapes(session: onnxruntime.InferenceSession, card: Card, path: Path) -> None:
    """Refuses a file whose input or output is not as its card says: the metadata of one file in another."""
    taken = {one.name: (one.type, one.shape[1:]) for one in session.get_inputs()}
    given = {one.name: (one.type, one.shape[1:]) for one in session.get_outputs()}
    side = [card.channels, card.size, card.size]
    if taken != {FACES: ("tensor(uint8)", side)}:
        raise ConfigError(f"{path} is no network of fer_lightning: it takes {taken}, and by its card uint8 (N, {side})")
    if given != {PROBABILITIES: ("tensor(float)", [len(card.class_names)])}:
        raise ConfigError(
            f"{path} is no network of fer_lightning: it gives {given}, and by its card float (N, "
            f"{len(card.class_names)})"
        )
