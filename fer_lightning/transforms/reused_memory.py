"""Memory for large batches that is used again: to ask the system for more costs more than to fill it."""

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

KEPT_BY_C_LIBRARY = 1 << 25
"""Bytes of the largest block that the C library keeps when it is freed (glibc's largest mmap threshold)."""


class ReusedMemory:
    """Gives tensors whose memory is used again once nobody has them or a view of them.

    The system gives a process new memory page by page, each with a fault and filled with zeros: for a batch of 128
    images of 224×224 in colour, 19,000 times. The C library keeps blocks of up to 32 MB; larger ones it gives back.

    Args:
        most_free: blocks of memory that are kept at most while nobody has them.
    """

    def __init__(self, most_free: int = 2) -> None:
        self._free: list[Tensor] = []
        self._most_free = most_free

    def empty(self, shape: Sequence[int]) -> Tensor:
        """Returns a float32 tensor of this shape, not filled."""
        count = torch.Size(shape).numel()
        block = self._free.pop() if self._free else torch.empty(count, dtype=torch.float32, device="cpu")
        if len(block) < count:
            block = torch.empty(count, dtype=torch.float32, device="cpu")
        held = block[:count].numpy()  # which torch refers to for as long as anything has the tensor's memory
        weakref.finalize(held, self._give_back, block).atexit = False
        return torch.from_numpy(held).view(shape)

    def _give_back(self, block: Tensor) -> None:
        if len(self._free) < self._most_free:
            self._free.append(block)
