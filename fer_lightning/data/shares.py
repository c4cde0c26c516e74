"""Which faces each of several processes measures."""

import math

import torch
from torch import Tensor


def shares(count: int, batch_size: int, processes: int, process: int) -> list[Tensor]:
    """The positions, of count, that are one process's, batch by batch: int64 (B,) each.

    Each position is in one batch of one process, none is repeated to make the division come out even. Yet all
    processes have the same number of batches, since DDP waits for all of them at each: so batches differ in size by
    one. The first n batches of all processes together are the first positions. There must be at least as many as
    processes.
    """
    positions = torch.arange(count)
    if processes == 1:
        return list(positions.split(batch_size))
    batches = math.ceil(count / (max(2, batch_size) * processes))  # of one face, the last could be empty for some
    return [batch[process::processes] for batch in positions.tensor_split(batches)]
