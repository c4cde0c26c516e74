"""Checks that a network can hold the weights of a checkpoint, before any memory is taken for it."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fer_lightning.nets.registry import is_built_in
from fer_lightning.training.checkpoint_content import HyperParameters
from fer_lightning.training.classifier import EmotionClassifier

MOST_WEIGHTS = 1_000_000_000
"""Weights of a network that has no checkpoint yet: 4 GB; the largest of torchvision has 645 million."""

LONGEST_WHY = 400
"""Characters of the reason: a checkpoint can have any number of names in it."""

_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)


class _WithoutMemory(TorchFunctionMode):
    """Puts what weights are made of onto the meta device, where tensors have a shape alone.

    Not all that is made, as `torch.device("meta")` does: RegNets compute their widths with tensors.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}) | ({"device": "meta"} if func in _MAKERS else {}))


def refuse_unfitting_weights(description: HyperParameters, state_dict: Mapping[str, Tensor] | None) -> None:
    """Refuses a network whose weights have not the names and shapes of the state dict, or are too many without one.

    Networks of other packages, which might look at their weights while they are made, are not looked at.

    Args:
        description: of the network; it gets no memory for its weights.
        state_dict: of a checkpoint; None if there is none yet.

    Raises:
        ValueError: says what does not fit; and whatever making the network raises.
    """
    if not is_built_in(description.network):
        return
    with _WithoutMemory():
        network = EmotionClassifier(**dict(description))
    if state_dict is None:
        if (count := sum(weights.numel() for weights in network.parameters())) > MOST_WEIGHTS:
            raise ValueError(f"the network has {count:,} weights; it may have {MOST_WEIGHTS:,}")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # says that nothing is copied
            weights = {name: buffer for name, buffer in network.named_buffers() if name == "class_weights"}
            network.load_state_dict(weights | dict(state_dict))
    except RuntimeError as error:
        reason = str(error)
        raise ValueError(reason if len(reason) <= LONGEST_WHY else f"{reason[:LONGEST_WHY]} …") from error
