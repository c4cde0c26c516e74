"""Writes a trained network as one file for other programs: python -m fer_lightning.use.export RUN --format onnx

The file takes uint8 faces and returns calibrated probabilities. It is compared with the network of the run first, and
not written where it answers otherwise.
"""

import argparse
import io
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram

from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.use.card import Card, Flip, Weights, refuse_unknown
from fer_lightning.use.face_module import FaceModule
from fer_lightning.use.gate import COMPACT, SAME, Comparison, Probabilities, compared
from fer_lightning.use.known_faces import KnownFaces, drawn_faces, known_faces, run_data
from fer_lightning.use.onnx_network import FACES, PROBABILITIES, OnnxNetwork
from fer_lightning.use.run_network import RunNetwork, run_folder

Format = Literal["onnx", "pt2"]

OPSET = 18
"""Of ONNX: what onnxruntime and its JavaScript have read for years."""

EXAMPLES = 3
"""Faces that a network is traced with: exporters take one, and sometimes two, for a size that never changes."""


@dataclass(frozen=True)
class Export:
    """A file that was written, and how it compares with its network."""

    file: Path
    card: Card
    comparison: Comparison


def export(
    run: Path | str,
    format: Format = "onnx",
    out: Path | None = None,
    name: str | None = None,
    weights: Weights = "float32",
    tta: Flip = "none",
    faces: KnownFaces | None = None,
) -> Export:
    """Writes the network of a run, once the file has answered as the network does.

    Args:
        run: the folder of a finished run, a checkpoint, or a model.safetensors.
        format: "onnx", or "pt2" for `torch.export.load`.
        out: the file; None for model.onnx or model.pt2 in the run's folder.
        name: what the network is called; None for the name of the run's folder.
        weights: how they are stored in an ONNX file.
        tta: "flip" makes it average over each face and its mirror image.
        faces: to compare it on; None for the val split of the run, or drawn ones where the run's are not at hand.

    Raises:
        ConfigError: there is no such network, it cannot be exported, or the file answers otherwise.
    """
    for key, value, kind in (("format", format, Format), ("weights", weights, Weights), ("tta", tta, Flip)):
        refuse_unknown(key, value, kind)
    if format == "pt2" and weights != "float32":
        raise ConfigError(f"weights is {weights}, which only an ONNX file can be stored with")
    if format == "onnx" and not (find_spec("onnx") and find_spec("onnxscript")):
        raise ConfigError("ONNX files need the packages onnx and onnxscript: pip install 'fer_lightning[export]'")
    run = Path(run)
    network = RunNetwork(run, tta, device="cpu")
    card = replace(network.card, name=name or network.card.name, tta=tta, weights=weights)
    out = out or run_folder(run) / f"model.{format}"
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"{out} is no name for a file: it is a folder, or in a folder that is not there")
    faces = faces or _faces(run_folder(run), card)
    module = FaceModule(network.model, card.temperature, tta).eval()
    with written_whole(out) as unfinished:
        unfinished.write_bytes(_content(module, card, format))
        comparison = compared(network.probabilities, _loaded(unfinished, format), faces)
        if problems := comparison.problems(SAME if weights == "float32" else COMPACT):
            raise ConfigError(
                f"{out} was not written, since it does not answer as {run} does: {'; '.join(problems)} ({comparison})"
            )
    return Export(out, card, comparison)


def _faces(run: Path, card: Card) -> KnownFaces:
    try:
        return known_faces(run_data(run), "val")
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
            return {"onnx": _onnx, "pt2": _pt2}[format](program, card)
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
    compact(model, card.weights)
    for key, value in card.metadata().items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


def _pt2(program: ExportedProgram, card: Card) -> bytes:
    content = io.BytesIO()
    torch.export.save(program, content, extra_files=card.metadata())
    return content.getvalue()


def _loaded(file: Path, format: Format) -> Probabilities:
    if format == "onnx":
        return OnnxNetwork(file).probabilities
    module: Callable[[torch.Tensor], torch.Tensor] = torch.export.load(io.BytesIO(file.read_bytes())).module()

    def probabilities(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return module(torch.from_numpy(faces)).numpy()

    return probabilities


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fer_lightning.use.export", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder, a checkpoint or a model.safetensors")
    parser.add_argument("--format", choices=get_args(Format), default="onnx", help="onnx, or pt2 for torch.export")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the file to write (model.onnx in the run's folder)")
    parser.add_argument("--name", help="what the network is called (the name of the run's folder)")
    parser.add_argument("--weights", choices=get_args(Weights), default="float32", help="how they are stored (float32)")
    parser.add_argument("--tta", choices=get_args(Flip), default="none", help="flip: average over mirror images too")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        made = export(given.run, given.format, given.out, given.name, given.weights, given.tta)
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{made.comparison}\nwrote {made.file} ({made.file.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
