"""ResNet18 for faces: torchvision's network, for grey images too, and with stems for small ones.

He et al.: Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from fer_lightning.nets.first_layer import FirstConv2d
from fer_lightning.nets.registry import register
from fer_lightning.signature import Fraction, checked

Stem = Literal["imagenet", "pooled", "small"]

CHANNELS_LAST_FROM = 16
"""Width from which ResNet18 can be laid out as NHWC. Below, oneDNN (of torch 2.15, on the CPU, in float32) writes past
its memory in the backward pass of a 1×1 convolution of stride 2 with fewer input channels, and the process dies."""


@register("resnet18")
class ResNet18(ResNet):
    """torchvision's ResNet18, with the names of its layers, so that its state dicts fit.

    Args:
        num_classes: how many logits come out.
        stem: "imagenet" is 7×7 stride 2, then max-pool (a 48×48 face leaves it as 12×12); "pooled" is 3×3 stride 1,
            then max-pool (24×24); "small" is 3×3 stride 1 alone (48×48). Each is four times the work of the one before.
        width: channels of the first stage, which the others double: 64 in the paper.
        dropout: probability that a feature is dropped before the classifier.
        in_channels: 1 for grey images, 3 for RGB.

    Raises:
        ValueError: an argument outside its range.
    """

    arch = "resnet18"
    """Whose weights fit, of torchvision's networks: see `nets.weights`."""

    @checked
    def __init__(
        self,
        num_classes: int = 7,
        stem: Stem = "imagenet",
        width: Annotated[int, Field(ge=1)] = 64,
        dropout: Fraction = 0.0,
        in_channels: int = 1,
    ) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=num_classes)
        if stem == "imagenet":
            self.conv1 = FirstConv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        else:
            self.conv1 = FirstConv2d(in_channels, width, 3, padding=1, bias=False)
        if stem == "small":
            self.maxpool = nn.Identity()
        if width != 64:
            self._set_width(width, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        # Next to the pooling, which has no weights either: so the keys of the state dict stay torchvision's.
        self.avgpool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout))
        self.allows_channels_last = width >= CHANNELS_LAST_FROM

    def _set_width(self, width: int, num_classes: int) -> None:
        self.inplanes = width
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._make_layer(BasicBlock, width, 2)
        self.layer2 = self._make_layer(BasicBlock, width * 2, 2, stride=2)
        self.layer3 = self._make_layer(BasicBlock, width * 4, 2, stride=2)
        self.layer4 = self._make_layer(BasicBlock, width * 8, 2, stride=2)
        self.fc = nn.Linear(width * 8, num_classes)
