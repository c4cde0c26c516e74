"""The grid of a warp is torch's own."""

import torch
import torch.nn.functional as F

from fer_lightning.transforms.warp import affine_grid


def test_the_grid_and_its_gradient_are_those_of_torch() -> None:
    theta = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(5, 40, 48, 2, dtype=torch.float64)
    results = []
    for grid in (affine_grid(theta, 40, 48), F.affine_grid(theta, [5, 1, 40, 48], align_corners=False)):
        (gradient,) = torch.autograd.grad((grid * weights).sum(), theta)
        results.append((grid, gradient))
    torch.testing.assert_close(results[0], results[1])
