"""ResNet18 for grey faces: torchvision's network with one input channel, its own stem and its own classifier.

He et al.: Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights
from torchvision.models.resnet import BasicBlock, ResNet


class ResNet18(ResNet):
    """torchvision's ResNet18, with the names of its layers, so that its state dicts fit.

    Args:
        num_classes: how many logits come out.
        in_channels: 1 for grey. Pretrained RGB kernels are summed over their input channels, which is the same
            function as showing them the grey image three times.
        stem: "imagenet" is 7×7 stride 2, then max-pool (a 48×48 face leaves it as 12×12); "small" is 3×3 stride 1
            without max-pool: slower and better on 48×48.
        pretrained: start from torchvision's ImageNet weights, through torch's hub cache.
        weights_path: start from this state dict instead (.pth, torchvision's names), for machines without internet.
            Its classifier is taken too where it has num_classes outputs.
        dropout: probability that a feature is dropped before the classifier.

    Raises:
        ValueError: weights that do not fit, cannot be read, or cannot be had.
    """

    def __init__(
        self,
        num_classes: int = 7,
        in_channels: int = 1,
        stem: Literal["imagenet", "small"] = "imagenet",
        pretrained: bool = False,
        weights_path: str | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=num_classes)
        if stem not in ("imagenet", "small"):
            raise ValueError(f"stem is {stem!r}; it is one of imagenet, small")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it is a probability in [0, 1)")
        if stem == "small":
            self.conv1 = nn.Conv2d(in_channels, 64, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        # Beside the pooling, which has no weights either: so the keys of the state dict stay torchvision's.
        self.avgpool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout))
        if pretrained and weights_path:
            raise ValueError("pretrained and weights_path are two starts: leave one out")
        if weights_path:
            self._load(weights_path, _state_dict(Path(weights_path)))
        elif pretrained:
            self._load("the ImageNet weights", _imagenet_state_dict())

    def _load(self, source: str, state: dict[str, Tensor]) -> None:
        own = self.state_dict()
        if "conv1.weight" in state and state["conv1.weight"].shape[1] > own["conv1.weight"].shape[1] == 1:
            state["conv1.weight"] = state["conv1.weight"].sum(1, keepdim=True)
        if "fc.weight" in state and state["fc.weight"].shape != own["fc.weight"].shape:
            state["fc.weight"], state["fc.bias"] = own["fc.weight"], own["fc.bias"]
        misfits = [f"{k} is missing" for k in own.keys() - state.keys()]
        misfits += [f"{k} is not a ResNet18's" for k in state.keys() - own.keys()]
        misfits += [
            f"{k} is {tuple(state[k].shape)}, not {tuple(own[k].shape)}"
            for k in own.keys() & state.keys()
            if own[k].shape != state[k].shape
        ]
        if misfits:
            more = f" and {len(misfits) - 5} more" if len(misfits) > 5 else ""
            raise ValueError(f"{source} does not fit this ResNet18: {'; '.join(sorted(misfits)[:5])}{more}")
        self.load_state_dict(state)


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"weights_path {path} does not exist") from None
    except Exception as error:
        raise ValueError(f"weights_path {path} is not a state dict that torch can load safely: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"weights_path {path} holds no state dict (a dict of tensors)")
    return state


def _imagenet_state_dict() -> dict[str, Tensor]:
    weights = ResNet18_Weights.DEFAULT
    name = weights.url.rsplit("/", 1)[1]
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise ValueError(
            f"the ImageNet weights could not be fetched ({error}). Get {name} on a machine with internet and put it "
            f"into {folder}, or name it with model.weights_path=…"
        ) from error
