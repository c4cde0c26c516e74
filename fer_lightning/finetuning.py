"""Which layers learn when: all of them, the head alone, or the head first and the body later."""

from collections.abc import Iterable

import lightning as L
from lightning.pytorch.callbacks import BaseFinetuning
from torch import nn
from torch.optim import Optimizer

from fer_lightning.classifier import EmotionClassifier


class Finetuning(BaseFinetuning):
    """Keeps the body, which is all but the head, frozen until an epoch, or for good.

    A frozen body neither learns nor drops features, and its batch norms keep the statistics that they came with. The
    optimizer has its parameters from the start, so that every scheduler works with them.

    Args:
        unfreeze_at_epoch: from this one on, counted from 0, the body learns too; None: never.

    Raises:
        ValueError: a negative epoch.
    """

    def __init__(self, unfreeze_at_epoch: int | None = None) -> None:
        super().__init__()
        if unfreeze_at_epoch is not None and unfreeze_at_epoch < 0:
            raise ValueError(f"unfreeze_at_epoch is {unfreeze_at_epoch}; it must be at least 0, or null for never")
        self.unfreeze_at_epoch = unfreeze_at_epoch

    def freeze_before_training(self, pl_module: L.LightningModule) -> None:
        if self.unfreeze_at_epoch != 0:
            self.freeze(_body(pl_module), train_bn=False)

    def finetune_function(self, pl_module: L.LightningModule, epoch: int, optimizer: Optimizer) -> None:
        body = _body(pl_module)
        frozen = self.unfreeze_at_epoch is None or epoch < self.unfreeze_at_epoch
        if not frozen:
            self.make_trainable(body)
        for layer in body:
            layer.train(not frozen)


def _body(module: L.LightningModule) -> list[nn.Module]:
    """The layers of its network other than the head, without the containers that hold them."""
    assert isinstance(module, EmotionClassifier)
    layers: Iterable[nn.Module] = BaseFinetuning.flatten_modules(module.net)
    return [layer for layer in layers if layer is not module.head]
