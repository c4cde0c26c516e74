"""Deep-Emotion: a small CNN behind a spatial transformer, 66,877 parameters with seven classes.

Minaee, Minaei, Abdolrashidi: Deep-Emotion: Facial Expression Recognition Using Attentional Convolutional Network,
Sensors 2021. This is the network of the public reference code, where the transformer warps the input image; in the
paper's figure it is a branch on the features. No convolution is padded and each has a bias.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fer_lightning.nets.registry import register
from fer_lightning.signature import checked
from fer_lightning.transforms.warp import affine_grid

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class SpatialTransformer(nn.Module):
    """Looks at the image, predicts an affine transform and warps the image by it. It starts as the identity.

    Jaderberg et al.: Spatial Transformer Networks, NeurIPS 2015.
    """

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.localization = nn.Sequential(
            nn.Conv2d(in_channels, 8, 7),  # (B, 8, 42, 42)
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(8, 10, 5),  # (B, 10, 17, 17)
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),  # (B, 640)
            nn.Linear(640, 32),
            nn.ReLU(),
        )
        self.theta = nn.Linear(32, 6)
        nn.init.zeros_(self.theta.weight)
        with torch.no_grad():
            self.theta.bias.copy_(torch.tensor(IDENTITY))

    def forward(self, images: Tensor) -> Tensor:
        # The grid stays in full precision: bfloat16 cannot tell apart neighbouring pixel positions of a 48×48 image.
        theta = self.theta(self.localization(images)).float().view(-1, 2, 3)
        grid = affine_grid(theta, *images.shape[-2:])
        return F.grid_sample(images.float(), grid, align_corners=False).to(images.dtype)


@register("deep_emotion")
class DeepEmotion(nn.Module):
    """Spatial transformer, four 3×3 convolutions, two linear layers.

    Args:
        num_classes: how many logits come out.
        dropout: probability that a feature is dropped before the linear layers, in training only (the public code
            drops at evaluation too).
        in_channels: 1 for grey images, 3 for RGB.
    """

    image_size = 48
    """Height and width of its images: without padding, no other fits its linear layers."""

    @checked
    def __init__(
        self, num_classes: int = 7, dropout: Annotated[float, Field(ge=0, le=1)] = 0.5, in_channels: int = 1
    ) -> None:
        super().__init__()
        self.transformer = SpatialTransformer(in_channels)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 10, 3),  # (B, 10, 46, 46)
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.MaxPool2d(2),  # (B, 10, 22, 22)
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.BatchNorm2d(10),
            nn.MaxPool2d(2),  # (B, 10, 9, 9)
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Flatten(),  # (B, 810)
            nn.Linear(810, 50),
            nn.ReLU(),
            nn.Linear(50, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits (B, num_classes) of images, float (B, in_channels, 48, 48)."""
        return self.classifier(self.features(self.transformer(images)))  # type: ignore[no-any-return]
