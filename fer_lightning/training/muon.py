"""Muon: the step of each kernel is made orthogonal, so that it changes every direction of its features alike.

Jordan et al.: Muon, an optimizer for hidden layers in neural networks, 2024, https://kellerjordan.github.io/posts/muon.
torch.optim.Muon does it for matrices alone; here a kernel (out, in, height, width) is one of out rows.
"""

import math
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import SGD

from fer_lightning.signature import Fraction, NonNegative, checked
from fer_lightning.training.hardware import computes_bfloat16

Group = dict[str, Any]


class Muon(SGD):
    """Muon for the kernels of the hidden layers, SGD with Nesterov momentum for the rest.

    The rest is norms, biases, the head (groups with "is_head") and kernels that see one channel: the first layer of a
    grey face, and depthwise convolutions.

    Args:
        params: parameters, or groups of them.
        lr: of the kernels: about the size of each singular value of a step.
        weight_decay: of the kernels, times lr.
        momentum: of the kernels.
        ns_steps: of the Newton-Schulz iteration that makes a step orthogonal.
        rest_lr: learning rate of the rest.
        rest_weight_decay: of the rest.
        rest_momentum: of the rest.

    Raises:
        ValueError: an argument outside its range.
    """

    @checked
    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: NonNegative = 0.04,
        weight_decay: NonNegative = 0.05,
        momentum: Fraction = 0.95,
        ns_steps: Annotated[int, Field(ge=1)] = 5,
        rest_lr: NonNegative = 0.1,
        rest_weight_decay: NonNegative = 0.001,
        rest_momentum: Fraction = 0.9,
    ) -> None:
        given = list(params)
        groups: list[Group] = given if isinstance(given[0], dict) else [{"params": given}]  # type: ignore[assignment]
        # SGD's own momentum is none for kernels: it would come after the step was made orthogonal.
        kernel_options = {"lr": lr, "weight_decay": weight_decay, "momentum": 0.0, "nesterov": False}
        kernel_options |= {"kernel_momentum": momentum, "ns_steps": ns_steps}
        rest_options = {"lr": rest_lr, "weight_decay": rest_weight_decay, "momentum": rest_momentum, "nesterov": True}
        split = chain.from_iterable(_split(group, kernel_options, rest_options) for group in groups)
        super().__init__([group for group in split if group["params"]], rest_lr)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Does one step, along gradients that are there or that closure makes; returns the loss that closure does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if "kernel_momentum" in group:
                for kernel in group["params"]:
                    if kernel.grad is not None:
                        self._make_orthogonal(kernel, kernel.grad, group["kernel_momentum"], group["ns_steps"])
        super().step()
        return loss

    def _make_orthogonal(self, kernel: Tensor, gradient: Tensor, momentum: float, ns_steps: int) -> None:
        state = self.state[kernel]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(kernel)
        buffer = state["momentum_buffer"].mul_(momentum).add_(gradient)
        ahead = gradient.add(buffer, alpha=momentum).movedim(1, -1)  # Nesterov's
        matrix = ahead.reshape(len(kernel), -1)  # a view of a kernel in channels_last
        gradient.copy_(orthogonal(matrix, ns_steps).reshape(ahead.shape).movedim(-1, 1))


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """Returns a matrix (R, C) with its singular values moved near √max(1, R/C), and its singular vectors kept.

    By a Newton-Schulz iteration with the coefficients of Jordan et al., which end between 0.7 and 1.2 soon rather than
    at 1 late; in bfloat16, or in float32 where bfloat16 is only emulated, which took 17 times as long.
    """
    rows, columns = matrix.shape
    x = matrix.bfloat16() if computes_bfloat16(matrix.device.type) else matrix.float()
    x = x.T if rows > columns else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    x = x.T if rows > columns else x
    return x.to(matrix.dtype) * math.sqrt(max(1, rows / columns))


def _split(group: Group, kernel_options: Group, rest_options: Group) -> tuple[Group, Group]:
    kernels = [p for p in group["params"] if not group.get("is_head") and p.ndim > 1 and min(p.shape[:2]) > 1]
    chosen = {id(kernel) for kernel in kernels}
    rest = [p for p in group["params"] if id(p) not in chosen]
    return kernel_options | group | {"params": kernels}, rest_options | group | {"params": rest}
