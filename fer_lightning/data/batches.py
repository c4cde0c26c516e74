"""Whole batches by one index operation: the data set is small enough to lie in memory as uint8."""

from collections.abc import Iterator
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

Batch = tuple[Tensor, Tensor]
"""Images uint8 (B, 48, 48) and targets: labels int64 (B,), or soft labels float32 (B, C)."""


class Batches(Dataset[Batch]):
    """Some rows of a table of faces; `DataLoader` calls `__getitems__` with the positions of a whole batch."""

    def __init__(self, images: Tensor, targets: Tensor, rows: Tensor) -> None:
        self.images, self.targets, self.rows = images, targets, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, positions: list[int]) -> Batch:
        rows = self.rows[positions]
        return self.images[rows], self.targets[rows]


class EpochOrder(DistributedSampler[int]):
    """The faces in an order that is a function of (seed, epoch), from any face of the first epoch on.

    Args:
        dataset: the faces.
        world_size: in how many processes the run is.
        rank: which one this is: it gets each world_size-th face.
        seed: of the order.
        begun: how many faces of the first epoch this process has had before it was stopped.
    """

    def __init__(self, dataset: Batches, world_size: int, rank: int, seed: int, begun: int) -> None:
        # Spread, since torch adds the epoch: else runs with seeds 0 and 1 would see each other's orders.
        super().__init__(dataset, world_size, rank, shuffle=True, seed=seed << 20)
        self.begun = begun

    def __iter__(self) -> Iterator[int]:
        order = self.order()[self.begun :]
        self.begun = 0
        return iter(order)

    def order(self) -> list[int]:
        """Of the whole running epoch."""
        return list(super().__iter__())


def seeds_of_step(seed: int, trainer: L.Trainer) -> tuple[int, int]:
    """For augmentation and for dropout: functions of (seed, epoch, step, rank).

    So what a step draws does not depend on what ran before it.
    """
    step = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    key = (seed, trainer.current_epoch, step, trainer.global_rank)
    first, second = np.random.SeedSequence(key).generate_state(2, np.uint64)
    return int(first >> 1), int(second >> 1)


def loader(dataset: Batches, batch_size: int, sampler: EpochOrder | None = None) -> DataLoader[Batch]:
    """Without workers: to hand a batch over from one would take longer than to make it."""
    return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=_as_it_is, pin_memory=torch.cuda.is_available())


def loader_of(dataset: Batches, batches: list[Tensor]) -> DataLoader[Batch]:
    """The same for batches of given positions."""
    lists = [positions.tolist() for positions in batches]
    return DataLoader(dataset, batch_sampler=lists, collate_fn=_as_it_is, pin_memory=torch.cuda.is_available())


def _as_it_is(batch: Any) -> Any:
    return batch
