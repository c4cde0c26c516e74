"""2. From the data set to augmented batches, without a network."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import ours, people
from benchmarks.side_by_side import markdown, medians, timed
from fer_lightning.data.export import export

COUNT = 60
"""Batches of 128 faces that each way makes at a time."""


def table(csv: Path, repeats: int = 3) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(csv, folder / "images")
        data = ours.experiment(folder / "run", f"data.path={csv}", "augmentation=standard").datamodule
        frame, images = people.DataFrameFaces(csv), people.image_folder(folder / "images" / "Training")
        ways: dict[str, Callable[[], object]] = {"fer_lightning": lambda: ours.make_batches(data, COUNT)}
        for what, dataset in (("data frame", frame), ("ImageFolder", images)):
            for workers in (0, 2):
                loader = people.loader(dataset, workers)
                ways[f"{what}, PIL, {workers} workers"] = lambda loader=loader: people.batches(loader, COUNT)
        seconds = medians({name: timed(way) for name, way in ways.items()}, repeats)
        fastest_other = min(value for way, value in seconds.items() if way != "fer_lightning")
    rows = [
        {
            "way": way,
            "images/s": f"{COUNT * 128 / value:,.0f}",
            "fer_lightning is faster by": "" if way == "fer_lightning" else f"{value / seconds['fer_lightning']:.1f}×",
        }
        for way, value in seconds.items()
    ]
    rows[0]["fer_lightning is faster by"] = f"at least {fastest_other / seconds['fer_lightning']:.1f}×"
    return markdown("Augmented batches (rotation, shift, scale, flip, brightness, contrast), no network", rows)
