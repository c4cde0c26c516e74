"""The images of several stores as one: rows are taken from each, and nothing is copied together."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from fer_lightning.data.digests import digests
from fer_lightning.data.perceptual_hash import perceptual_hashes
from fer_lightning.transforms.pixels import ImageStore, KnownImages


class JoinedImages:
    """The images of several stores, one store after the other.

    Args:
        stores: of images of one shape; at least one.

    Raises:
        ValueError: their images differ in shape.
    """

    def __init__(self, stores: Sequence[ImageStore]) -> None:
        if len(shapes := {tuple(store.shape[1:]) for store in stores}) != 1:
            raise ValueError(f"images of the shapes {', '.join(map(str, sorted(shapes)))} cannot be joined")
        self._whole = _Whole(stores)
        self._rows = torch.arange(self._whole.count)  # of each image, in all stores together

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self._whole.stores[0].shape[1:]

    @property
    def digests(self) -> Tensor:
        return self._whole.digests[self._rows]

    @property
    def hashes(self) -> Tensor:
        return self._whole.hashes[self._rows]

    @property
    def sums(self) -> Tensor:
        return self._whole.sums[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any, /) -> Tensor:
        """Returns the images of some rows, uint8 (B, C, H, W); of one row, uint8 (C, H, W)."""
        wanted = self._rows[rows].contiguous()
        if wanted.ndim == 0:
            return self._whole.taken(wanted.view(1))[0]
        return self._whole.taken(wanted)

    def chosen(self, rows: Tensor) -> "JoinedImages":
        """Returns some rows, int64 (n,), which are not taken out of their stores yet."""
        images = object.__new__(JoinedImages)
        images._whole, images._rows = self._whole, self._rows[rows]
        return images


class _Whole:
    """All images of the stores, and what is known of them, once for all choices of rows."""

    def __init__(self, stores: Sequence[ImageStore]) -> None:
        self.stores = tuple(stores)
        self.ends = torch.tensor([len(store) for store in stores]).cumsum(0)  # of the rows of each store
        self.count = int(self.ends[-1])

    @cached_property
    def digests(self) -> Tensor:
        return torch.cat([digests(store) for store in self.stores])

    @cached_property
    def hashes(self) -> Tensor:
        return torch.cat([perceptual_hashes(store) for store in self.stores])

    @cached_property
    def sums(self) -> Tensor:
        return torch.cat([store.sums if isinstance(store, KnownImages) else _sums(store) for store in self.stores])

    def taken(self, rows: Tensor) -> Tensor:
        batch = torch.empty(len(rows), *self.stores[0].shape[1:], dtype=torch.uint8)
        which = torch.bucketize(rows, self.ends, right=True)
        for place, store in enumerate(self.stores):
            here = (which == place).nonzero().flatten()
            if len(here):
                batch[here] = store[rows[here] - (int(self.ends[place]) - len(store))]
        return batch


def _sums(images: ImageStore) -> Tensor:
    """Returns int64 (N, C, 2): the sums of each channel's pixels, and of their squares."""
    sums = []
    for rows in torch.arange(len(images)).split(128):
        pixels = images[rows].flatten(2).to(torch.int64)
        sums.append(torch.stack([pixels.sum(2), pixels.square().sum(2)], 2))
    return torch.cat(sums)
