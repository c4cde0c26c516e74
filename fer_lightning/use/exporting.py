"""Writes a trained network as one file for other programs, once the file has answered as the network does."""

import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram

from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.signature import refuse_out_of_range
from fer_lightning.transforms.face_crop import BOX_MARGIN
from fer_lightning.use.card import Card, Flip, Weights, refuse_unknown
from fer_lightning.use.export import Format
from fer_lightning.use.export_packages import refuse_without_packages
from fer_lightning.use.face_module import FaceModule
from fer_lightning.use.gate import COMPACT, INT8, SAME, Comparison, Probabilities, Tolerance, compared
from fer_lightning.use.known_faces import KnownFaces, drawn_faces, known_faces, run_data
from fer_lightning.use.onnx_network import FACES, PROBABILITIES, OnnxNetwork
from fer_lightning.use.run_network import RunNetwork, run_folder
from fer_lightning.use.speed import in_turns, int8_instructions

ENDINGS: dict[Format, str] = {"onnx": ".onnx", "onnx-int8": ".int8.onnx", "pt2": ".pt2"}

OPSET = 18
"""Of ONNX: what onnxruntime and its JavaScript have read for years."""

TIMED = 64
"""Faces in a call, where float32 and int8 are compared."""

EXAMPLES = 3
"""Faces that a network is traced with: exporters take one, and sometimes two, for a size that never changes."""


@dataclass(frozen=True)
class Export:
    """A file that was written, and how it compares with its network."""

    file: Path
    card: Card
    comparison: Comparison
    speed: str = ""  # of one that computes in int8, compared with float32, in words


def export(
    run: Path | str,
    format: Format = "onnx",
    out: Path | None = None,
    name: str | None = None,
    weights: Weights = "float32",
    tta: Flip = "none",
    faces: KnownFaces | None = None,
    data: Path | None = None,
    margin: float = BOX_MARGIN,
) -> Export:
    """Writes the network of a run, once the file has answered as the network does.

    Args:
        run: the folder of a finished run, a checkpoint, or a model.safetensors.
        format: "onnx"; "onnx-int8", which computes in int8; or "pt2" for `torch.export.load`.
        out: the file; None for model.onnx, model.int8.onnx or model.pt2 in the run's folder.
        name: what the network is called; None for the name of the run's folder.
        weights: how they are stored in an ONNX file.
        tta: "flip" makes it average over each face and its mirror image.
        faces: to compare it on; None for the val split of the run, or drawn ones where the run's are not at hand.
        data: where the run's faces are now; None for where they were. int8 needs those to train on and val.
        margin: side of the square that is cut around a face's box, as a multiple of the box's width.

    Raises:
        ConfigError: there is no such network, it cannot be exported, or the file answers otherwise.
    """
    for key, value, kind in (("format", format, Format), ("weights", weights, Weights), ("tta", tta, Flip)):
        refuse_unknown(key, value, kind)
    if format == "pt2" and weights != "float32":
        raise ConfigError(f"weights is {weights}, which only an ONNX file can be stored with")
    if format == "onnx-int8" and weights != "float32":
        raise ConfigError(f"weights is {weights}, but onnx-int8 has weights in int8: leave it out")
    try:
        refuse_out_of_range(Card, {"margin": margin})
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if format != "pt2":
        refuse_without_packages()
    run = Path(run)
    network = RunNetwork(run, tta, device="cpu")
    card = replace(network.card, name=name or network.card.name, tta=tta, weights=weights, margin=margin)
    if format == "onnx-int8":
        card = replace(card, weights="int8", arithmetic="int8")
    out = out or run_folder(run) / f"model{ENDINGS[format]}"
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"{out} is no name for a file: it is a folder, or in a folder that is not there")
    train = known_faces(run_data(run_folder(run), data), "train") if format == "onnx-int8" else None
    faces = faces or _faces(run_folder(run), card, data)
    content = _content(FaceModule(network.model, card.temperature, tta).eval(), card, format)
    speed = ""
    if train is not None:
        content, in_float = _quantized(content, train), content
        speed = _speed(in_float, content)
    with written_whole(out) as unfinished:
        unfinished.write_bytes(content)
        comparison = compared(network.probabilities, _loaded(unfinished, format), faces)
        if problems := comparison.problems(_tolerance(card)):
            raise ConfigError(
                f"{out} was not written, since it does not answer as {run} does: {'; '.join(problems)} ({comparison})"
            )
    return Export(out, card, comparison, speed)


def _tolerance(card: Card) -> Tolerance:
    if card.arithmetic == "int8":
        return INT8
    return SAME if card.weights == "float32" else COMPACT


def _faces(run: Path, card: Card, data: Path | None) -> KnownFaces:
    try:
        return known_faces(run_data(run, data), "val")
    except ConfigError as error:
        logging.getLogger(__name__).warning("compared on drawn faces, and on no others: %s", error)
        return drawn_faces(card)


def _content(module: FaceModule, card: Card, format: Format) -> bytes:
    """Returns the file. It is traced by torch.export alone: torch.onnx.export would try other ways where this fails."""
    example = torch.zeros(EXAMPLES, card.channels, card.size, card.size, dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about the exporters' own insides
            program = torch.export.export(module, (example,), dynamic_shapes={"faces": {0: Dim("N", min=1)}})
            return (_pt2 if format == "pt2" else _onnx)(program, card)
    except Exception as error:  # of a network of somebody's own, any
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(f"{type(module.net).__name__} cannot be exported as {format}: {first[:300]}") from error


def _onnx(program: ExportedProgram, card: Card) -> bytes:
    from fer_lightning.use.compact import compact, stripped

    exported = torch.onnx.export(
        program, input_names=[FACES], output_names=[PROBABILITIES], opset_version=OPSET, dynamo=True, verbose=False
    )
    assert exported is not None
    model = exported.model_proto
    stripped(model)
    if card.arithmetic == "float32":
        compact(model, card.weights)
    for key, value in card.metadata().items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


def _pt2(program: ExportedProgram, card: Card) -> bytes:
    content = io.BytesIO()
    torch.export.save(program, content, extra_files=card.metadata())
    return content.getvalue()


def _quantized(content: bytes, train: KnownFaces) -> bytes:
    from fer_lightning.use.quantized import quantized

    try:
        return quantized(content, train)
    except Exception as error:  # of onnxruntime's tools, any
        raise ConfigError(f"this network cannot be made to compute in int8: {str(error)[:300]}") from error


def _speed(in_float: bytes, in_int8: bytes) -> str:
    """Returns in words whether int8 is faster on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        calls = {}
        for name, content in (("float32", in_float), ("int8", in_int8)):
            unfinished = Path(folder) / f"{name}.onnx"
            unfinished.write_bytes(content)
            one = OnnxNetwork(unfinished, threads=1)
            images = drawn_faces(one.card, TIMED).images
            calls[name] = partial(one.probabilities, images)
        each = {name: float(np.median(times)) / TIMED * 1e3 for name, times in in_turns(calls, seconds=1.0).items()}
    ratio = each["float32"] / each["int8"]
    result = f"{ratio:.1f} times as fast" if ratio >= 1.05 else f"no faster ({ratio:.2f} times as fast)"
    return (
        f"int8 is {result} here as float32: {each['int8']:.3f} instead of {each['float32']:.3f} ms a face in "
        f"batches of {TIMED} on one thread; this processor has {int8_instructions()}"
    )


def _loaded(file: Path, format: Format) -> Probabilities:
    if format != "pt2":
        return OnnxNetwork(file).probabilities
    module: Callable[[torch.Tensor], torch.Tensor] = torch.export.load(io.BytesIO(file.read_bytes())).module()

    def probabilities(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return module(torch.from_numpy(faces)).numpy()

    return probabilities
