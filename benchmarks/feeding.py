"""2. From the data set to augmented batches on the CPU, without a network."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import ours, people
from benchmarks.side_by_side import markdown, medians
from fer_lightning.data import FERDataModule
from fer_lightning.data.write_images import export

COUNT = 40
"""Batches of 128 faces that each way makes at a time; ours are those of an epoch, scaled to as many."""


def table(csv: Path, repeats: int = 3) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(csv, folder / "images")
        run = ours.experiment(folder / "run", f"data.path={csv}", "augmentation=standard", "trainer.accelerator=cpu")
        frame, images = people.DataFrameFaces(csv), people.image_folder(folder / "images" / "Training")
        ways: dict[str, Callable[[], float]] = {"fer_lightning": lambda: of_an_epoch(run.datamodule)}
        for what, dataset in (("data frame", frame), ("ImageFolder", images)):
            for workers in (0, 2):
                loader = people.loader(dataset, workers)
                ways[f"{what}, PIL, {workers} workers"] = partial(people.seconds_of_batches, loader, COUNT)
        seconds = medians(ways, repeats)
    reference = seconds["fer_lightning"]
    fastest_other = min(value for way, value in seconds.items() if way != "fer_lightning")
    rows = [
        {
            "way": way,
            "images/s": f"{COUNT * 128 / value:,.0f}",
            "fer_lightning is faster by": f"{value / reference:.1f}×" if value != reference else "",
        }
        for way, value in seconds.items()
    ]
    rows[0]["fer_lightning is faster by"] = f"at least {fastest_other / reference:.1f}×"
    return markdown("Augmented batches (rotation, shift, scale, flip, brightness, contrast), no network", rows)


def of_an_epoch(data: FERDataModule) -> float:
    """Seconds of COUNT batches, made along with all others: so few faces again and again would stay in the cache."""
    batches = len(data.train_dataloader())
    return ours.seconds_of_batches(data, batches) * COUNT / batches
