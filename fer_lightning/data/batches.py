"""Gathers whole batches by one index operation: the data set is small enough to lie in memory as uint8."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from fer_lightning.transforms.pixels import ImageStore

Batch = tuple[Tensor, Tensor]
"""Images uint8 (B, C, H, W) and targets: labels int64 (B,), or soft labels float32 (B, C)."""


class FacesDataset(Dataset[Batch]):
    """Some rows of a table of faces; `DataLoader` calls `__getitems__` with the positions of a whole batch."""

    def __init__(self, images: ImageStore, targets: Tensor, rows: Tensor) -> None:
        self.images, self.targets, self.rows = images, targets, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, positions: list[int]) -> Batch:
        rows = self.rows[positions]
        return self.images[rows], self.targets[rows]


class ResumableShuffleSampler(DistributedSampler[int]):
    """Shuffles the faces by (seed, epoch), and can begin within an epoch.

    Args:
        dataset: the faces.
        world_size: number of processes in the run.
        rank: number of this process, which gets every world_size-th face.
        seed: seed of the order.
        skip: faces of the first epoch that this process had before it was stopped.
    """

    def __init__(self, dataset: FacesDataset, world_size: int, rank: int, seed: int, skip: int) -> None:
        # Spread, since torch adds the epoch: otherwise runs with seeds 0 and 1 would see each other's orders.
        super().__init__(dataset, world_size, rank, shuffle=True, seed=seed << 20)
        self.skip = skip

    def __iter__(self) -> Iterator[int]:
        order = self.order()[self.skip :]
        self.skip = 0
        return iter(order)

    def order(self) -> list[int]:
        """Returns the positions of the whole running epoch, in their order."""
        return list(super().__iter__())


def seeds_of_step(seed: int, trainer: L.Trainer) -> tuple[int, int]:
    """Returns the seeds of augmentation and of dropout, as functions of (seed, epoch, step, rank).

    So what a step draws does not depend on what ran before it.
    """
    step = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    key = (seed, trainer.current_epoch, step, trainer.global_rank)
    first, second = np.random.SeedSequence(key).generate_state(2, np.uint64)
    return int(first >> 1), int(second >> 1)


def size_of_epoch(sizes: Sequence[int], trainer: L.Trainer) -> int:
    """Returns the image size of the running epoch, where each size has an equal share of the run's epochs.

    Raises:
        ValueError: the run has no end.
    """
    epochs = trainer.max_epochs
    if epochs is None or epochs < 1:
        raise ValueError("progressive_sizes shares out the run's epochs: the trainer needs max_epochs")
    return sizes[min(trainer.current_epoch * len(sizes) // epochs, len(sizes) - 1)]


def evaluation_batches(count: int, batch_size: int, processes: int, process: int) -> list[Tensor]:
    """Returns the positions, of count, that one of several processes measures, batch by batch: int64 (B,) each.

    Each position is in one batch of one process: none is repeated to make the division come out even. Yet all
    processes have the same number of batches, since DDP waits for all of them at each, so that batches differ in size
    by one. The first n batches of all processes together are the first positions. There must be at least as many
    positions as processes.
    """
    positions = torch.arange(count)
    if processes == 1:
        return list(positions.split(batch_size))
    batches = math.ceil(count / (max(2, batch_size) * processes))  # of one face, the last could be empty for some
    return [batch[process::processes] for batch in positions.tensor_split(batches)]


def training_loader(dataset: FacesDataset, batch_size: int, sampler: ResumableShuffleSampler) -> DataLoader[Batch]:
    return _loader(dataset, batch_size=batch_size, sampler=sampler)


def evaluation_loader(dataset: FacesDataset, batches: list[Tensor]) -> DataLoader[Batch]:
    return _loader(dataset, batch_sampler=[positions.tolist() for positions in batches])


def _loader(dataset: FacesDataset, **how: Any) -> DataLoader[Batch]:
    """Returns a loader without workers: to hand a batch over from one would take longer than to make it."""
    return DataLoader(dataset, collate_fn=_unchanged, pin_memory=torch.cuda.is_available(), **how)


def _unchanged(batch: Any) -> Any:
    return batch
