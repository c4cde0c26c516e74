"""Decides which layers learn when: all of them, the head alone, or the head first and the body later."""

import lightning as L
from lightning.pytorch.callbacks import BaseFinetuning
from pydantic import NonNegativeInt
from torch.optim import Optimizer

from fer_lightning.signature import checked
from fer_lightning.training.classifier import EmotionClassifier


class Finetuning(BaseFinetuning):
    """Keeps the body, which is all but the head, frozen until an epoch, or for good.

    A frozen body neither learns nor drops features, and its batch norms keep the statistics that they came with. The
    optimizer has its parameters from the start, so that every scheduler works with them.

    Args:
        unfreeze_at_epoch: from this one on, counted from 0, the body learns too; None: never.

    Raises:
        ValueError: a negative epoch.
    """

    @checked
    def __init__(self, unfreeze_at_epoch: NonNegativeInt | None = None) -> None:
        super().__init__()
        self.unfreeze_at_epoch = unfreeze_at_epoch

    def freeze_before_training(self, pl_module: L.LightningModule) -> None:
        _set_body(pl_module, learns=self.unfreeze_at_epoch == 0)

    def finetune_function(self, pl_module: L.LightningModule, epoch: int, optimizer: Optimizer) -> None:
        _set_body(pl_module, learns=self.unfreeze_at_epoch is not None and epoch >= self.unfreeze_at_epoch)


def _set_body(module: L.LightningModule, learns: bool) -> None:
    """Freezes or unfreezes the body; Lightning's `freeze` takes a ViT, which has a parameter itself, for one layer."""
    assert isinstance(module, EmotionClassifier)
    head_params = {id(parameter) for parameter in module.head.parameters()}
    for parameter in module.net.parameters():
        if id(parameter) not in head_params:
            parameter.requires_grad = learns
    module.net.train(learns)
    module.head.train()
