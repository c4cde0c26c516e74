"""Affine warps of a batch, which both augmentation and the spatial transformer do."""

import torch
from torch import Tensor


def affine_grid(theta: Tensor, height: int, width: int) -> Tensor:
    """Returns `F.affine_grid(theta, …, align_corners=False)`: float (B, 2, 3) → where to sample, (B, height, width, 2).

    By one broadcast sum over rows and columns instead of a batch of products of small matrices, which is slower on a
    CPU.
    """
    x, y = (
        (torch.arange(length, device=theta.device, dtype=theta.dtype) * 2 + 1) / length - 1
        for length in (width, height)
    )
    from_columns = theta[:, None, :, 0] * x[:, None]  # (B, width, 2)
    from_rows = theta[:, None, :, 1] * y[:, None] + theta[:, None, :, 2]  # (B, height, 2)
    return from_rows[:, :, None] + from_columns[:, None]
