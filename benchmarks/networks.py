"""Trained networks side by side: python -m benchmarks.networks RUN FILE.onnx small … [--data fer2013.csv]

Accuracy, macro F1 and calibration error on the val split of the first run that is given, PublicTest of FER2013; the
size of the file; and milliseconds a face, in turns, so that a noisy machine is noisy for all of them.
"""

import argparse
import logging
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.side_by_side import markdown
from fer_lightning.errors import ConfigError
from fer_lightning.report.provenance import machine
from fer_lightning.training.model_file import MODEL_FILE
from fer_lightning.use.card import Card
from fer_lightning.use.known_faces import KnownFaces, known_faces, run_data
from fer_lightning.use.measured import measured
from fer_lightning.use.network import LARGEST_NETWORKS, NETWORKS, Network, network

BATCHES = (1, 64)
THREADS = (1, 2)
SECONDS = 1.0
"""That each network is timed for, of each batch size and number of threads."""


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
        networks = {name: network(name, threads=count, device="cpu") for name in names}
        for batch in batches:
            faces = {name: _faces(one.card, batch) for name, one in networks.items()}
            times: dict[str, list[float]] = {name: [] for name in names}
            started = time.perf_counter()
            while time.perf_counter() - started < seconds * len(names) or len(times[names[0]]) < 3:
                for name, one in networks.items():
                    times[name].append(_milliseconds(one, faces[name]))
            for name, values in times.items():
                counted = values[max(len(values) // 10, 1) :]
                found[name, batch, count] = float(np.median(counted)), float(np.percentile(counted, 95))
    torch.set_num_threads(before)
    return found


def table(names: Sequence[str], faces: KnownFaces, seconds: float = SECONDS) -> str:
    """Returns the networks side by side, in Markdown."""
    times = latencies(names, seconds=seconds)
    rows = []
    for name in names:
        result = measured(network(name, device="cpu"), faces)
        row = {
            "network": Path(name).name or name,
            "weights": result.card.weights,
            "bytes": f"{_bytes(name):,}",
            "accuracy (95% interval)": result.accuracy_in_words(),
            "macro F1": f"{result.f1:.1%}",
            "calibration error": f"{result.calibration_error:.3f}",
        }
        for count in THREADS:
            for batch in BATCHES:
                median, late = times[name, batch, count]
                row[f"ms a face, batch {batch}, {count} threads"] = f"{median:.3f} ({late:.3f})"
        rows.append(row)
    return markdown(f"Networks on {faces.what}; of times, the median and the 95th percentile", rows)


def _faces(card: Card, count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, card.channels, card.size, card.size), np.uint8)


def _milliseconds(one: Network, faces: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    one.probabilities(faces)
    return (time.perf_counter() - started) / len(faces) * 1e3


def _bytes(name: str) -> int:
    path = NETWORKS / f"{name}.onnx" if name in LARGEST_NETWORKS else Path(name)
    return (path / MODEL_FILE if path.is_dir() else path).stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("names", metavar="NETWORK", nargs="+", help="runs, .onnx files, small, large, ferplus")
    parser.add_argument("--data", type=Path, help="where the first run's faces are now (where they were)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="to time each one for, in each way")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    runs = [Path(name) for name in given.names if Path(name).is_dir()]
    try:
        if not runs:
            raise ConfigError("give the folder of a run too: its val split is what they are measured on")
        faces = known_faces(run_data(runs[0], given.data), "val")
        print(f"{machine('cpu')}; Python {platform.python_version()}, torch {torch.__version__}", flush=True)
        print(table(given.names, faces, given.seconds))
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
