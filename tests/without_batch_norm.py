"""A network for comparing two processes with one: batch norm would see each process's own batch."""

from torch import nn

from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.registry import register


@register("without_batch_norm")
class WithoutBatchNorm(DeepEmotion):
    """For the command line, as model.name=without_batch_norm, where this module is trusted."""

    def __init__(self, num_classes: int, dropout: float = 0.5) -> None:
        super().__init__(num_classes, dropout)
        for part in list(self.modules()):
            for name, layer in part.named_children():
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(part, name, nn.Identity())
