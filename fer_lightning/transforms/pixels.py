"""Changes the size of whole batches of pixels; computes their mean and deviation."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


class ImageStore(Protocol):
    """Images uint8 (N, C, H, W), of which some are taken at a time. A tensor is one."""

    @property
    def shape(self) -> Sequence[int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Tensor:
        """Returns the images of some rows, int64 (B,), as uint8 (B, C, H, W); of one row, uint8 (C, H, W)."""


@runtime_checkable
class KnownImages(ImageStore, Protocol):
    """Images that are decoded when they are taken, of which is known what each would have to be decoded for."""

    @property
    def digests(self) -> Tensor:
        """Returns int64 (N,), equal where two images are equal to the byte."""

    @property
    def hashes(self) -> Tensor:
        """Returns int64 (N, 2), which differ in few bits where two images look alike."""

    @property
    def sums(self) -> Tensor:
        """Returns int64 (N, C, 2): the sums of each channel's pixels, and of their squares."""

    def chosen(self, rows: Tensor) -> "KnownImages":
        """Returns some rows, int64 (n,), which are not decoded."""


def chosen_images(images: ImageStore, rows: Tensor) -> ImageStore:
    """Returns some rows of images, int64 (n,), which are not decoded where the others are not."""
    return images.chosen(rows) if isinstance(images, KnownImages) else images[rows]


def resized(images: Tensor, size: int) -> Tensor:
    """Returns images, float (B, C, H, W), at this height and width, antialiased."""
    if size == images.shape[-1] == images.shape[-2]:
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True)


def as_picture(image: Tensor) -> NDArray[Any]:
    """Returns an image (C, H, W) as matplotlib and Pillow take it: (H, W) for grey, (H, W, 3) for RGB."""
    return np.asarray(image[0] if len(image) == 1 else image.permute(1, 2, 0))


def mean_and_std(images: ImageStore, rows: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns mean and deviation of pixel / 255 of each channel over these rows, from exact integer sums."""
    if isinstance(images, KnownImages):
        return _mean_and_std_of_sums(images.sums[rows], images.shape[-1] * images.shape[-2])
    histograms = np.zeros((images.shape[1], 256), np.int64)
    for chunk in rows.split(1024):
        pixels = images[chunk].numpy()
        for channel, histogram in enumerate(histograms):
            histogram += np.bincount(pixels[:, channel].ravel(), minlength=256)
    value, counts = np.arange(256) / 255, histograms.sum(1)
    means = [float((histogram * value).sum() / count) for histogram, count in zip(histograms, counts, strict=True)]
    variances = [
        float((histogram * (value - mean) ** 2).sum() / count)
        for histogram, mean, count in zip(histograms, means, counts, strict=True)
    ]
    return tuple(means), tuple(max(variance**0.5, 1 / 255) for variance in variances)


def _mean_and_std_of_sums(sums: Tensor, pixels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the same of images of which the sums are known, int64 (N, C, 2), and the pixels of each channel."""
    count, totals = 255 * pixels * len(sums), sums.sum(0).tolist()
    means = tuple(float(Fraction(total, count)) for total, _ in totals)
    variances = (Fraction(squares * pixels * len(sums) - total**2, count**2) for total, squares in totals)
    return means, tuple(max(float(variance) ** 0.5, 1 / 255) for variance in variances)
