"""Replaces a network that comes with the package by that of a run, unless it is too large, or less accurate."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.installation import CHECKOUT
from fer_lightning.use.card import Weights
from fer_lightning.use.exporting import Export, export
from fer_lightning.use.known_faces import (
    KnownFaces,
    known_faces,
    measured_parts,
    run_data,
    run_seed,
    training_faces,
)
from fer_lightning.use.measured import Measured, measured, paired_difference
from fer_lightning.use.model_card import model_card
from fer_lightning.use.network import LARGEST_NETWORKS, NETWORKS, PACKAGED_MARGIN
from fer_lightning.use.onnx_network import OnnxNetwork
from fer_lightning.use.run_network import RunNetwork

BYTES: dict[Weights, int] = {"float32": 4, "float16": 2, "int8": 1}
"""Of one weight, in the order in which they are tried: the first that fits is taken."""


@dataclass(frozen=True)
class Packed:
    """A network that is in the package now.

    Attributes:
        measured: what it answers on each of `measured_parts`.
        difference: its accuracy on the first of these minus that of the one before, with the ends of the 95% interval;
            None if there was none.
    """

    made: Export
    measured: list[Measured]
    difference: tuple[float, float, float] | None


def pack(
    run: Path, name: str, data: Path | None = None, into: Path | None = None, margin: float = PACKAGED_MARGIN
) -> Packed:
    """Replaces a network of the package.

    Args:
        run: the folder of a finished run.
        name: small, large or ferplus.
        data: where the run's faces are now; None for where they were.
        into: the folder for NAME.onnx and NAME.md; None for the package's own, and its docs/networks.
        margin: side of the square that is cut around a face's box, as a multiple of the box's width.

    Raises:
        ConfigError: it is worse, too large, or something is not there; the one before stays.
    """
    if name not in LARGEST_NETWORKS:
        raise ConfigError(f"{name} is no network of the package; there are {', '.join(LARGEST_NETWORKS)}")
    if into is None and CHECKOUT is None:
        raise ConfigError("networks are packed in a checkout of the repository: this is an installed package")
    file = (into or NETWORKS) / f"{name}.onnx"
    page = (into or Path(str(CHECKOUT)) / "docs" / "networks") / f"{name}.md"
    faces = run_data(run, data)
    with tempfile.TemporaryDirectory() as folder:
        made = _fitting(run, name, Path(folder), known_faces(faces, "val"), margin)
        new = [measured(OnnxNetwork(made.file), part) for part in measured_parts(faces)]
        difference = _refuse_worse(new[0], file) if file.is_file() else None
        content = made.file.read_bytes()
    with written_whole(file) as unfinished:
        unfinished.write_bytes(content)
    with written_whole(page) as unfinished:
        unfinished.write_text(model_card(new, len(content), run_seed(run), training_faces(faces)), "utf-8")
    return Packed(Export(file, made.card, made.comparison), new, difference)


def _fitting(run: Path, name: str, folder: Path, faces: KnownFaces, margin: float) -> Export:
    """Returns an export that is small enough, with the most exact weights that are."""
    most = LARGEST_NETWORKS[name]
    count = sum(weight.numel() for weight in RunNetwork(run, device="cpu").model.net.parameters())
    size = count
    for weights, each in BYTES.items():
        if count * each <= most:
            made = export(run, "onnx", folder / f"{weights}.onnx", name, weights, faces=faces, margin=margin)
            size = made.file.stat().st_size
            if size <= most:
                return made
    raise ConfigError(f"{run} has {count:,} weights, in {size:,} bytes or more; {name} may have {most:,}")


def _refuse_worse(new: Measured, file: Path) -> tuple[float, float, float]:
    """Returns by how much the new network is better on the same faces.

    Raises:
        ConfigError: it is worse, or has other classes.
    """
    old = measured(OnnxNetwork(file), new.faces)
    if old.card.class_names != new.card.class_names:
        raise ConfigError(
            f"{file} has the classes {', '.join(old.card.class_names)}, and the run {', '.join(new.card.class_names)}: "
            f"they cannot be compared"
        )
    difference = paired_difference(new.right, old.right)
    if difference[0] < 0:
        raise ConfigError(
            f"{file} stays: on {new.faces.what} it has an accuracy of {old.accuracy_in_words()}, and the run of "
            f"{new.accuracy_in_words()}, which is worse by {-difference[0]:.2%} (95% interval of the difference "
            f"{difference[1]:.2%} to {difference[2]:.2%})"
        )
    return difference
