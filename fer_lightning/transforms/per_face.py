"""Adapts augmentations that know nothing of this program: torchvision's v2 transforms, and those of somebody's own."""

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from fer_lightning.transforms.augment import Augmentation
from fer_lightning.transforms.pixels import resized

TRIED = 16
"""Faces that a transform is tried out on; most have a branch that not every face takes."""

OUTSIDE = 0.25
"""Share of their pixels that may leave 0…1, and is then cut off: RandomErasing fills rectangles with noise."""


class PerFace(Augmentation):
    """Applies a transform to each face by itself, as a batch of one, float (1, C, H, W) in 0…1.

    torchvision's v2 draws one set of parameters for all that it is given at once: of a batch, all faces would be turned
    alike. So this takes its time: on a CPU some 0.7 ms for a face, where `Augmentation` takes 0.07. A face that comes
    back in another size is resized to that of the others; a colour one that comes back grey has three equal channels.

    What is drawn is a function of the generator, whether by torch, numpy or Python's random: these are set from it, and
    afterwards as they were.

    Args:
        transform: from a face to a face.

    Raises:
        ValueError: it gives something else than a face.
    """

    def __init__(self, transform: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.transform = transform
        with _own_random_states():
            tried = torch.cat([self._tried(face) for face in torch.rand(TRIED, 1, 48, 48).split(1)])
        if not tried.isfinite().all() or (tried != tried.clamp(0, 1)).float().mean() > OUTSIDE:
            raise ValueError(
                f"{self.name} gives pixels from {tried.min():.2f} to {tried.max():.2f}; expected are 0…1: to normalise "
                f"them is left to data.normalize"
            )

    @property
    def name(self) -> str:
        function = self.transform.func if isinstance(self.transform, functools.partial) else self.transform
        return getattr(function, "__name__", type(function).__name__)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        seed = int(torch.randint(2**32, (1,), generator=generator))
        with _own_random_states(*[images.device] * images.is_cuda):
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            faces = [self._resized(self.transform(face), images) for face in images.split(1)]
        return torch.cat(faces).clamp_(0, 1)

    def _resized(self, face: Tensor, images: Tensor) -> Tensor:
        face = face.as_subclass(Tensor).to(images.dtype)
        if face.shape[1] == 1 < images.shape[1]:
            face = face.expand(-1, images.shape[1], -1, -1)
        return face if face.shape[-2:] == images.shape[-2:] else resized(face, images.shape[-1])

    def _tried(self, face: Tensor) -> Tensor:
        try:
            found = self.transform(face)
        except Exception as error:  # of somebody's own, any
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ValueError(f"{self.name} does not take a face, float (1, 1, H, W) in 0…1 ({reason})") from error
        if isinstance(found, Tensor) and found.is_floating_point() and found.ndim == 4 and found.shape[:2] == (1, 1):
            return self._resized(found, face)
        what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise ValueError(f"{self.name} gives {what}; expected is a face, float (1, 1, H, W) in 0…1")


@contextmanager
def _own_random_states(*gpus: torch.device) -> Iterator[None]:
    """Leaves the random states of torch, also on these GPUs, of numpy and of Python as they were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(gpus):
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
