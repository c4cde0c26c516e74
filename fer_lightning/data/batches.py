"""Whole batches by one index operation: the data set is small enough to lie in memory as uint8."""

from typing import Any

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


def loader(dataset: Batches, batch_size: int, sampler: DistributedSampler[Batch] | None = None) -> DataLoader[Batch]:
    """Without workers: to hand a batch over from one would take longer than to make it."""
    return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=_as_it_is, pin_memory=torch.cuda.is_available())


def _as_it_is(batch: Any) -> Any:
    return batch
