"""A residual network of some hundred thousand parameters, for a browser or a phone.

He et al.: Deep Residual Learning for Image Recognition, CVPR 2016, with one convolution in a block. Each stage begins
with max-pooling. Its kernels are whole, not depthwise: on a CPU these take longer to train (measured with torch 2.15
on one core of an AMD EPYC without AVX-512: 230 images/s with depthwise ones of as many parameters, and 845 without).
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from fer_lightning.nets.registry import register
from fer_lightning.signature import Fraction, checked

Width = Annotated[int, Field(ge=1)]


class ConvBlock(nn.Module):
    """A 3×3 convolution, normalised, added to its input where it has as many channels, and rectified."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.is_residual = in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        normalised = self.bn(self.conv(features))
        return self.relu(features + normalised if self.is_residual else normalised)  # type: ignore[no-any-return]


@register("small_resnet")
class SmallResNet(nn.Module):
    """A stem at the image's own size, then stages of 3×3 convolutions, each at half the size of the one before.

    With seven classes it has 115,767 parameters.

    Args:
        num_classes: how many logits come out.
        stem: channels at the image's own size.
        widths: channels of each stage.
        depths: convolutions of each stage, as many numbers as there are widths.
        dropout: probability that a feature is dropped before the classifier.
        in_channels: 1 for grey images, 3 for RGB.

    Raises:
        ValueError: an argument outside its range.
    """

    @checked
    def __init__(
        self,
        num_classes: int = 7,
        stem: Width = 8,
        widths: Annotated[Sequence[Width], Field(min_length=1)] = (32, 48, 72),
        depths: Annotated[Sequence[Width], Field(min_length=1)] = (1, 2, 2),
        dropout: Fraction = 0.0,
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        if len(widths) != len(depths):
            raise ValueError(f"widths {list(widths)} and depths {list(depths)} must be as many")
        self.stem = ConvBlock(in_channels, stem)
        stages, channels = [], stem
        for width, depth in zip(widths, depths, strict=True):
            blocks = [ConvBlock(channels, width), *(ConvBlock(width, width) for _ in range(depth - 1))]
            stages.append(nn.Sequential(nn.MaxPool2d(2), *blocks))
            channels = width
        self.stages = nn.Sequential(*stages)  # (B, 32, 24, 24), (B, 48, 12, 12), (B, 72, 6, 6) of 48×48
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout))
        self.fc = nn.Linear(channels, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits (B, num_classes) of images, float (B, in_channels, S, S)."""
        return self.fc(self.pool(self.stages(self.stem(images))))  # type: ignore[no-any-return]
