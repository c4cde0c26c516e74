"""A trained network with all that is around it: uint8 faces in, calibrated probabilities out, as one torch module."""

import copy

import torch
from torch import Tensor, nn

from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.use.card import Flip


class FaceModule(nn.Module):
    """Resizes and normalises faces, uint8 (N, C, size, size), and returns probabilities, float32 (N, K).

    It computes what `RunNetwork` does, by operations that every exporter knows. Antialiased resizing, which ONNX and
    torch define differently, is a product with one constant matrix for rows and one for columns.

    Args:
        model: the trained network; a copy is taken.
        temperature: what its logits are divided by.
        tta: "flip" averages over each face and its mirror image.
    """

    scale: Tensor
    shift: Tensor
    matrix: Tensor | None

    def __init__(self, model: EmotionClassifier, temperature: float, tta: Flip = "none") -> None:
        super().__init__()
        preprocessing = model.preprocessing
        moments = torch.tensor([preprocessing.mean, preprocessing.std], dtype=torch.float64)
        mean, std = moments[..., None, None]  # (C, 1, 1) each
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (-mean / std).float())
        size, image_size = preprocessing.size, preprocessing.image_size
        self.register_buffer("matrix", None if size == image_size else resizing_matrix(size, image_size))
        self.net = copy.deepcopy(model.net).cpu().float().to(memory_format=torch.contiguous_format).eval()
        self.temperature, self.flips = temperature, tta == "flip"

    def forward(self, faces: Tensor) -> Tensor:
        images = faces.float()
        if self.matrix is not None:
            images = self.matrix @ images @ self.matrix.T
        images = images * self.scale + self.shift
        if self.flips:
            images = torch.cat([images, images.flip(3)])
        probabilities: Tensor = (self.net(images) / self.temperature).softmax(1)
        if self.flips:
            probabilities = probabilities.unflatten(0, (2, -1)).mean(0)
        return probabilities


def resizing_matrix(size: int, new_size: int) -> Tensor:
    """Returns float (new_size, size): from the left, it resizes the columns of an image as `resized` does."""
    columns = torch.eye(size)[None, None].double()
    return torch.nn.functional.interpolate(columns, (new_size, size), mode="bilinear", antialias=True)[0, 0].float()
