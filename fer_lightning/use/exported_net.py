"""An exported network in the place of a trained one, so that it is measured by the same code."""

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.nets.registry import register
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.use.onnx_network import OnnxNetwork

EXPORTED = "exported"
"""By which it is registered. Importing this module does that: a network that is trained cannot be of this kind."""

LEAST = np.finfo(np.float32).tiny
"""Of probabilities: a smaller one is 0 in float32, and its logarithm infinite."""


class ExportedNet(nn.Module):
    """Takes pixels / 255, float (B, C, size, size), and returns logits, float (B, K).

    What calibration did to the probabilities of the file is undone: the logits are those of its network, up to a number
    that is the same for all classes of a face.
    """

    def __init__(self, network: OnnxNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        faces = (images * 255).round().to(torch.uint8).cpu().contiguous()
        probabilities = torch.from_numpy(self.network.probabilities(faces.numpy()))
        return (probabilities.clamp(min=float(LEAST)).log() * self.network.card.temperature).to(images.device)


@register(EXPORTED)
def exported_net(num_classes: int, file: str, arch: str, in_channels: int = 1) -> ExportedNet:
    """Returns the network of an ONNX file; `arch` is what reports call it."""
    return ExportedNet(OnnxNetwork(file))


def exported_classifier(network: OnnxNetwork, file: str) -> EmotionClassifier:
    """Returns what `Trainer.test` measures of an exported network, with the calibration that it was exported with.

    Its loss is the plain cross-entropy: a file does not know what its network was trained by.
    """
    card = network.card
    arguments = {"file": file, "arch": card.name}
    model = EmotionClassifier(EXPORTED, card.class_names, arguments, in_channels=card.channels)
    model.calibration = Calibration(card.temperature, card.unsure_below)
    return model.eval()
