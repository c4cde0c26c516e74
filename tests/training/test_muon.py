"""Muon: what it does to which parameters."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (48, 48), (8, 5)])
def test_orthogonal_keeps_singular_vectors_and_evens_out_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    made = orthogonal(matrix) / math.sqrt(max(1, shape[0] / shape[1]))
    in_their_axes = u.T @ made @ v.T
    values = in_their_axes.diagonal()
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (in_their_axes - values.diag()).abs().max() < 0.1
    torch.testing.assert_close(orthogonal(1000 * matrix), orthogonal(matrix), rtol=0, atol=0.05)


def test_hidden_kernels_take_orthogonal_steps_the_rest_sgd_s() -> None:
    muon = partial(Muon, lr=0.1, weight_decay=0.5, rest_lr=0.2, rest_weight_decay=0.01)
    sgd = partial(SGD, lr=0.2, weight_decay=0.01, momentum=0.9, nesterov=True)
    before, of_muon, of_sgd = parameters_after(muon, 0), parameters_after(muon, 1), parameters_after(sgd, 1)
    kernels = {name for name, value in before.items() if name.startswith("layer") and value.ndim == 4}
    assert len(kernels) == 19
    for name, value in before.items():
        if name in kernels:
            step = ((1 - 0.1 * 0.5) * value - of_muon[name]) / 0.1
            sizes = torch.linalg.svdvals(step.flatten(1)) / math.sqrt(max(1, len(step) / step[0].numel()))
            assert sizes.min() > 0.3, name  # a random matrix has far smaller ones, beside the largest
            assert sizes.max() < 1.3, name
        else:
            assert torch.equal(of_muon[name], of_sgd[name]), name


def test_steps_after_loading_its_state_are_those_without_a_stop() -> None:
    whole, resumed = parameters_after(Muon, 4), parameters_after(Muon, 4, reload_at=2)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_learns_as_a_matrix_does_by_torchs_own_muon(memory_format: torch.memory_format) -> None:
    drawn = torch.Generator().manual_seed(2)
    kernel = torch.randn(16, 8, 3, 3, generator=drawn).to(memory_format=memory_format).requires_grad_()
    matrix = kernel.detach().flatten(1).clone().requires_grad_()
    options: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.9}
    ours, theirs = Muon([kernel], **options), torch.optim.Muon([matrix], **options)
    for _ in range(5):
        kernel.grad = torch.randn(kernel.shape, generator=drawn).to(memory_format=memory_format)
        matrix.grad = kernel.grad.flatten(1).clone()
        ours.step()
        theirs.step()
    # Both iterate in bfloat16, over columns in another order.
    torch.testing.assert_close(kernel.detach().flatten(1), matrix.detach(), rtol=0, atol=0.01)


@pytest.mark.parametrize(
    "wrong", [{"momentum": 1.0}, {"ns_steps": 0}, {"lr": -1.0}, {"rest_weight_decay": -1.0}, {"rest_momentum": 1.0}]
)
def test_arguments_outside_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is .*; it must be at least "):
        Muon([torch.zeros(3, 3, requires_grad=True)], **wrong)  # type: ignore[arg-type]


def parameters_after(kind: Callable[..., Optimizer], steps: int, reload_at: int = -1) -> dict[str, Tensor]:
    """Of a small ResNet18, with drawn gradients."""
    torch.manual_seed(0)
    model = EmotionClassifier("resnet18", arguments={"width": 4}, optimizer=kind)
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, Optimizer)
    for step in range(steps):
        if step == reload_at:
            state = optimizer.state_dict()
            optimizer = model.configure_optimizers()
            assert isinstance(optimizer, Optimizer)
            optimizer.load_state_dict(state)
        for parameter in model.net.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    return {name: value.detach().clone() for name, value in model.net.named_parameters()}
