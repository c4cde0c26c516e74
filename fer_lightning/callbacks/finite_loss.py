"""Training ends at a loss that is NaN or infinite, before the weights have learnt from it; such a score is logged."""

import logging
import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor
from torch.optim import Optimizer

from fer_lightning.callbacks.fit_loop import running_batch

log = logging.getLogger(__name__)


class NonFiniteLossError(ArithmeticError):
    """A loss that no network can learn from; says when, which faces it was of, and what may help."""


class FiniteLoss(Callback):
    """Looks at each loss before the optimizer's step, and at what val was measured to be.

    On a GPU that does not stop the queue of work: the flag is copied behind the forward pass, and waited for while the
    backward pass runs. Several processes agree on it: all raise the error of the first with such a loss.

    Raises:
        NonFiniteLossError: in training.
    """

    def __init__(self) -> None:
        self._flags: list[tuple[Tensor, torch.cuda.Event | None]] = []  # of the batches of one optimizer step
        self._losses: list[Tensor] = []

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        flag, event = torch.isfinite(loss.detach()), None
        if flag.device.type == "cuda":
            flag = torch.empty_like(flag, device="cpu", pin_memory=True).copy_(flag, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._flags.append((flag, event))
        self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        found = None
        for back, (flag, event) in enumerate(reversed(self._flags)):
            if event is not None:
                event.synchronize()
            if not flag and found is None:
                found = self._reason(trainer, back)
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(found is not None, all=False):
            reasons: list[str | None] = [None] * trainer.world_size
            torch.distributed.all_gather_object(reasons, found)
            found = next(reason for reason in reasons if reason is not None)
        if found is not None:
            raise NonFiniteLossError(found)
        self._flags.clear()
        self._losses.clear()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        for name, value in trainer.callback_metrics.items():
            if name.startswith("val/") and not value.isfinite():
                log.warning(
                    "%s is %s after epoch %d%s. Of val/loss that means that no face of val has a class with a weight "
                    "(loss.class_weights), or that the network gives NaN (trainer.precision=32-true may help)",
                    name,
                    float(value),
                    trainer.current_epoch + 1,
                    _meaning(trainer.checkpoint_callback, name),
                )

    def _reason(self, trainer: L.Trainer, back: int) -> str:
        """Returns what is wrong with the loss of a batch, how many before the running one it was, and what may help."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        batch = running_batch(trainer) - back
        return (
            f"the loss is {float(self._losses[-1 - back])} at step {trainer.global_step}, batch {batch} of epoch "
            f"{trainer.current_epoch}: the step was not taken. Its faces are {data.batch_in_words(batch)}. Start "
            "again with a lower optimizer.lr, with gradients clipped to a lower norm, as by "
            "trainer.gradient_clip_val=1, or with trainer.precision=32-true"
        )


def _meaning(checkpoint: object, name: str) -> str:
    """Returns what a score of this name that is not finite means for best.ckpt, as the end of a clause."""
    if not isinstance(checkpoint, ModelCheckpoint) or checkpoint.monitor != name:
        return ""
    best = checkpoint.best_model_score
    if best is not None and math.isfinite(best):
        return ", and best.ckpt stays that of an earlier epoch"
    return f": best.ckpt is not chosen by it, but the first epoch's until {name} is a number"
