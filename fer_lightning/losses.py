"""Losses: what a batch of logits costs, and what each class weighs in it."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

ClassWeights = Literal["none", "balanced"]


class CrossEntropy:
    """Cross-entropy with label smoothing (Szegedy et al., CVPR 2016) and optional class weights.

    With class weights, a batch's mean is over its weights, and an epoch's over its batches: so the loss of an epoch
    depends a little on the batch size.

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        class_weights: "balanced" weighs a class by N / (C · its number of training faces), as scikit-learn does;
            "none" weighs all alike, which is what accuracy wants.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(self, label_smoothing: float = 0.0, class_weights: ClassWeights = "none") -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}; it must be at least 0 and below 1")
        if class_weights not in ("none", "balanced"):
            raise ValueError(f"class_weights is {class_weights!r}; it is one of none, balanced")
        self.label_smoothing, self.class_weights = label_smoothing, class_weights

    def weights(self, class_counts: Tensor) -> Tensor:
        """float (C,) from the number of training faces of each class; a class without any weighs nothing."""
        if self.class_weights == "none":
            return class_counts.new_ones(len(class_counts)).float()
        weights = class_counts.sum() / (len(class_counts) * class_counts.clamp(min=1))
        return weights * (class_counts > 0)

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """logits (B, C), labels int64 (B,), weights float (C,) → the mean over the batch, a scalar."""
        return F.cross_entropy(logits.float(), labels, weights.float(), label_smoothing=self.label_smoothing)
