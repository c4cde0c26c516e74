"""Losses: what a batch of logits costs, and what each class weighs in it."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_lightning.data import FERDataModule

ClassWeights = Literal["none", "balanced", "effective-number"]


class CrossEntropy:
    """Cross-entropy with label smoothing (Szegedy et al., CVPR 2016) and optional class weights.

    With class weights, a batch's mean is over its weights, and an epoch's over its batches: so the loss of an epoch
    depends a little on the batch size. With soft targets the mean is over the faces.

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        class_weights: "none" weighs all classes alike, which is what accuracy wants. "balanced" weighs a class by
            N / (C · n), n its number of training faces, as scikit-learn does; "effective-number" by
            (1 - beta) / (1 - beta**n), scaled to a mean of 1 (Cui et al., CVPR 2019), which is milder.
        beta: of effective-number, in [0, 1): the nearer to 1, the more the rare classes weigh.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(self, label_smoothing: float = 0.0, class_weights: ClassWeights = "none", beta: float = 0.999) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}; it must be at least 0 and below 1")
        if class_weights not in ("none", "balanced", "effective-number"):
            raise ValueError(f"class_weights is {class_weights!r}; it is one of none, balanced, effective-number")
        if not 0 <= beta < 1:
            raise ValueError(f"beta is {beta}; it must be at least 0 and below 1")
        self.label_smoothing, self.class_weights, self.beta = label_smoothing, class_weights, beta

    def prepare(self, data: FERDataModule) -> None:
        """Called once before training, with its data; not for testing.

        Raises:
            ValueError: data that the loss cannot be used with.
        """

    def weights(self, class_counts: Tensor) -> Tensor:
        """float (C,) from the number of training faces of each class; a class without any weighs nothing."""
        seen, counts = class_counts > 0, class_counts.clamp(min=1).double()
        if self.class_weights == "none":
            return torch.ones(len(counts))
        if self.class_weights == "balanced":
            weights = class_counts.sum() / (len(counts) * counts)
        else:
            weights = (1 - self.beta) / (1 - self.beta**counts)
            weights = weights / weights[seen].mean()
        return (weights * seen).float()

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The mean over the batch, a scalar.

        Args:
            logits: (B, C).
            targets: labels, int64 (B,), or the share of each class, float (B, C).
            weights: of the classes, float (C,).
        """
        return F.cross_entropy(logits.float(), targets, weights.float(), label_smoothing=self.label_smoothing)

    def of_training(self, logits: Tensor, targets: Tensor, weights: Tensor, images: Tensor) -> Tensor:
        """What a training batch costs, a scalar; images, float (B, 1, S, S), are what gave the logits."""
        return self(logits, targets, weights)


class Focal(CrossEntropy):
    """Cross-entropy in which a class counts the less, the surer the network already is of it.

    Each term is multiplied by (1 - p)**gamma, p its predicted probability (Lin et al.: Focal Loss for Dense Object
    Detection, ICCV 2017). Means and class weights are as in `CrossEntropy`.

    Args:
        gamma: at least 0; 0 is cross-entropy.
        label_smoothing: see `CrossEntropy`.
        class_weights: likewise.
        beta: likewise.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weights: ClassWeights = "none",
        beta: float = 0.999,
    ) -> None:
        super().__init__(label_smoothing, class_weights, beta)
        if gamma < 0:
            raise ValueError(f"gamma is {gamma}; it must be at least 0")
        self.gamma = gamma

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        log_p = F.log_softmax(logits.float(), dim=1)
        hard = not targets.is_floating_point()
        shares = F.one_hot(targets, log_p.shape[1]).to(log_p) if hard else targets.to(log_p)
        mean_over = weights.float()[targets].sum() if hard else log_p.new_tensor(len(targets))
        shares = (1 - self.label_smoothing) * shares + self.label_smoothing / log_p.shape[1]
        unsure = (1 - log_p.exp()).clamp(min=1e-6)  # at 0, the gradient of a power below 1 is infinite
        terms = -shares * weights.float() * unsure**self.gamma * log_p
        return terms.sum() / mean_over
