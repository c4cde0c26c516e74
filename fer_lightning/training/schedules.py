"""Groups parameters by their learning rate, and changes the rate."""

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import lightning as L
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, ReduceLROnPlateau, SequentialLR

from fer_lightning.signature import Fraction, NonNegative, checked


@dataclass(frozen=True)
class Schedule:
    """A learning-rate scheduler and when it steps.

    `build` makes it from an optimizer; `steps_as` names the argument that takes the number of optimizer steps of the
    whole run, for schedulers that must know it, and `rates_as` the one that takes the learning rate of each parameter
    group; `interval` and `monitor` are Lightning's.
    """

    build: Callable[..., Any]
    interval: Literal["step", "epoch"] = "epoch"
    monitor: str | None = None
    steps_as: str | None = None
    rates_as: str | None = None

    def made(self, optimizer: Optimizer, steps: int) -> Any:
        """Returns the scheduler of an optimizer in a run of this many steps."""
        filled_in: dict[str, Any] = {}
        if self.steps_as:
            filled_in[self.steps_as] = steps
        if self.rates_as:
            filled_in[self.rates_as] = [group["lr"] for group in optimizer.param_groups]
        return self.build(optimizer, **filled_in)

    def lr_scheduler_config(self, optimizer: Optimizer, steps: int, val_every: int = 1) -> dict[str, Any]:
        """Returns what Lightning wants, for a run of `steps` steps that is validated every `val_every` epochs."""
        scheduler = self.made(optimizer, steps)
        waits = isinstance(scheduler, ReduceLROnPlateau) and str(self.monitor).startswith("val/")
        timing = {"interval": self.interval, "monitor": self.monitor, "frequency": val_every if waits else 1}
        return {"scheduler": scheduler, **timing}


def parameter_groups(
    net: nn.Module, head: nn.Module, lr_scales: Iterable[tuple[nn.Module, float]], decay_norms_and_biases: bool
) -> list[dict[str, Any]]:
    """Returns what an optimizer takes: the parameters of net, by their learning rate ("lr_scale") and weight decay.

    The parameters of the head are apart from the rest ("is_head"). Frozen ones are there too: they may learn later, and
    are skipped while they have no gradient. lr_scales names parts of net, each with its learning rate as a multiple of
    that of the rest.
    """
    head_params = {id(parameter) for parameter in head.parameters()}
    scales = {id(parameter): scale for part, scale in lr_scales for parameter in part.parameters()}
    groups: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
    for parameter in net.parameters():
        decays = decay_norms_and_biases or parameter.ndim > 1
        kind = id(parameter) in head_params, scales.get(id(parameter), 1.0), decays
        groups.setdefault(kind, []).append(parameter)
    return [
        {"params": parameters, "is_head": is_head, "lr_scale": lr_scale} | ({} if decays else {"weight_decay": 0.0})
        for (is_head, lr_scale, decays), parameters in groups.items()
    ]


@checked
def warmup_cosine(
    optimizer: Optimizer, total_steps: int, warmup: Fraction = 0.0, eta_min: NonNegative = 0.0
) -> LRScheduler:
    """Makes a schedule from a hundredth of the learning rate up to it in a line, then down to eta_min by half a cosine.

    Loshchilov and Hutter: SGDR, ICLR 2017, without restarts; the warm-up is that of Goyal et al., 2017.

    Args:
        optimizer: whose learning rate it is.
        total_steps: of the whole run.
        warmup: share of these steps that go up.
        eta_min: the rate at the end.

    Raises:
        ValueError: a warmup or an eta_min outside its range.
    """
    steps_up = round(warmup * total_steps)
    down = CosineAnnealingLR(optimizer, max(1, total_steps - steps_up), eta_min=eta_min)
    if steps_up == 0:
        return down
    up = LinearLR(optimizer, start_factor=0.01, total_iters=steps_up)
    return SequentialLR(optimizer, [up, down], milestones=[steps_up])


def catch_up(optimizer: Optimizer, scheduler: LRScheduler, steps: int) -> None:
    """Takes a scheduler that has just been made through steps that its optimizer has done."""
    for group, rate in zip(optimizer.param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*lr_scheduler.step.* before .*optimizer.step.*")
        for _ in range(steps):
            scheduler.step()


def steps_of_epoch(trainer: L.Trainer, batches: int) -> int:
    """Returns the optimizer's steps in an epoch of this many batches."""
    return math.ceil(batches_of_epoch(trainer, batches) / trainer.accumulate_grad_batches)


def batches_of_epoch(trainer: L.Trainer, batches: int) -> int:
    """Returns how many of the loader's batches an epoch has."""
    limit = trainer.limit_train_batches
    return min(batches, limit) if isinstance(limit, int) else max(1, int(batches * limit))


def steps_of_run(trainer: L.Trainer, batches: int) -> int:
    """Counts from the loader: `trainer.estimated_stepping_batches` would lose a loader's state on resume."""
    if trainer.max_epochs is None or trainer.max_epochs < 0:
        if trainer.max_steps < 0:
            raise ValueError("this scheduler needs an end: set trainer.max_epochs or trainer.max_steps")
        return trainer.max_steps
    steps = steps_of_epoch(trainer, batches) * trainer.max_epochs
    return min(steps, trainer.max_steps) if trainer.max_steps > 0 else steps


def is_validated(trainer: L.Trainer, batches: int) -> bool:
    """Checks whether a run of this many batches in an epoch comes to its first validation.

    True where nobody knows: val_check_interval may be a time.
    """
    if trainer.limit_val_batches == 0:
        return False
    epochs = math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs
    steps, batches = steps_of_epoch(trainer, batches), batches_of_epoch(trainer, batches)
    trained = epochs * batches
    if trainer.max_steps >= 0:
        whole, rest = divmod(trainer.max_steps, steps)
        trained = min(trained, whole * batches + rest * trainer.accumulate_grad_batches)
    interval, every = trainer.val_check_interval, trainer.check_val_every_n_epoch
    if not isinstance(interval, int | float):
        return True
    first = interval if isinstance(interval, int) else max(1, int(batches * interval))
    return trained >= (first if every is None else (every - 1) * batches + first)
