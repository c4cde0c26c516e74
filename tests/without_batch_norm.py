"""A network for comparing two processes with one: batch norm would see each process's own batch."""

from torch import nn

from fer_lightning.training.models import DeepEmotionClassifier


class WithoutBatchNorm(DeepEmotionClassifier):
    """For the command line, as model._target_=tests.without_batch_norm.WithoutBatchNorm."""

    def configure_model(self) -> None:
        for part in list(self.net.modules()):
            for name, layer in part.named_children():
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(part, name, nn.Identity())
