"""Blur and noise of a batch of faces, each by an amount of its own."""

import torch
from torch import Generator, Tensor


def blurred(images: Tensor, deviations: Tensor) -> Tensor:
    """Returns images, float (B, C, H, W), blurred by Gaussians of deviations (B,), as a share of width and height.

    As a product with a matrix of weights from each row to each other, and of columns; at the edge, what is inside
    counts.
    """
    height, width = (_weights(length, deviations * length, images.dtype) for length in images.shape[-2:])
    return height @ images @ width.transpose(-1, -2)


def noisy(images: Tensor, deviations: Tensor, generator: Generator | None) -> Tensor:
    """Returns images, float (B, C, H, W) in 0…1, with normal noise of deviations (B,) on each value, cut at 0 and 1.

    It is drawn where the images are, by a seed from the given generator on the CPU.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    noise = torch.randn(images.shape, generator=Generator(images.device).manual_seed(seed), device=images.device)
    return torch.addcmul(images, noise, deviations.view(-1, 1, 1, 1)).clamp_(0, 1)


def _weights(length: int, deviations: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns how much each pixel of a line takes from each: (B, 1, length, length), rows of sum 1."""
    positions = torch.arange(length, device=deviations.device, dtype=torch.float32)
    squared = (positions[:, None] - positions) ** 2
    return (-squared / (2 * deviations.view(-1, 1, 1, 1).clamp(min=1e-2) ** 2)).softmax(-1).to(dtype)
