"""Losses: what a batch of logits costs, what each class weighs in it, and what an epoch of batches costs."""

import logging
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from fer_lightning.data import FERDataModule
from fer_lightning.signature import Fraction, NonNegative, checked

log = logging.getLogger(__name__)

ClassWeights = Literal["none", "balanced", "effective-number"]


class CrossEntropy:
    """Cross-entropy with label smoothing (Szegedy et al., CVPR 2016) and optional class weights.

    With class weights, a mean is the sum of the faces' losses over the sum of what their classes weigh, in a batch as
    in an epoch, however that is cut into batches. With soft targets the mean is over the faces.

    A loss of one's own that takes more than logits and labels derives from this class and defines `__call__`; if its
    mean is over something else than the faces, `face_weights` too. `PlainLoss` is for all others.

    Args:
        label_smoothing: share of the target that is spread over all classes.
        class_weights: "none" weighs all classes alike, which is what accuracy wants. "balanced" weighs a class by
            N / (C · n), n its number of training faces, as scikit-learn does; "effective-number" by
            (1 - beta) / (1 - beta**n), scaled to a mean of 1 (Cui et al., CVPR 2019), which is milder.
        beta: of effective-number: the nearer to 1, the more the rare classes weigh.

    Raises:
        ValueError: an argument outside its range.
    """

    @checked
    def __init__(
        self, label_smoothing: Fraction = 0.0, class_weights: ClassWeights = "none", beta: Fraction = 0.999
    ) -> None:
        self.label_smoothing, self.class_weights, self.beta = label_smoothing, class_weights, beta

    def prepare(self, data: FERDataModule) -> None:
        """Takes what the loss needs of the training data: called once before training, not for testing.

        Raises:
            ValueError: data that the loss cannot be used with.
        """

    def weights(self, class_counts: Tensor) -> Tensor:
        """Returns float (C,) from the number of training faces of each class; a class without any weighs nothing."""
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
        """Returns the mean over the batch, a scalar.

        Args:
            logits: (B, C).
            targets: labels, int64 (B,), or the share of each class, float (B, C).
            weights: of the classes, float (C,).
        """
        return F.cross_entropy(logits.float(), targets, weights.float(), label_smoothing=self.label_smoothing)

    def training_loss(self, logits: Tensor, targets: Tensor, weights: Tensor, images: Tensor) -> Tensor:
        """Returns the loss of a training batch, a scalar; images, float (B, 1, S, S), are what gave the logits."""
        return self(logits, targets, weights)

    def face_weights(self, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns float (B,): what each face weighs in the mean of its batch; arguments as in `__call__`."""
        soft = targets.is_floating_point()
        return weights.new_ones(len(targets)).float() if soft else weights.float()[targets]

    def summed(self, logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the sum of the faces' losses and that of their weights; `__call__` gives the one over the other.

        Arguments as in `__call__`. Both can be added up over batches: see `EpochLoss`.
        """
        face_weights = self.face_weights(targets, weights)
        if self.class_weights == "none" or targets.is_floating_point():
            return (self(logits, targets, weights) * face_weights).sum(), face_weights.sum()
        # As soft targets, since their mean is over the faces: that of a batch whose classes all weigh nothing is 0 / 0.
        shares = F.one_hot(targets, logits.shape[1]).float()
        return len(targets) * self(logits, shares, weights), face_weights.sum()


class EpochLoss(Metric):
    """The mean loss over all faces of an epoch, from the sums of its batches, and of all processes.

    torchmetrics' MeanMetric (1.9) ignores weights unless it looks for NaN, which is to wait for the device.
    """

    mean_value: Tensor  # MeanMetric's names: checkpoints have them
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("mean_value", "weight"):
            self.add_state(state, torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, total: Tensor, weight: Tensor) -> None:
        """Adds a batch: the sum of its faces' losses and that of their weights, as `CrossEntropy.summed` gives them."""
        self.mean_value += total
        self.weight += weight

    def compute(self) -> Tensor:
        """Returns the mean; not a number of faces that all weigh nothing."""
        return self.mean_value / self.weight


def warn_of_weightless(class_names: Sequence[str], counts: Tensor, weights: Tensor) -> None:
    """Logs which classes weigh nothing, since train has none of their faces.

    Args:
        class_names: of the C classes.
        counts: of the training faces, int64 (C,).
        weights: float (C,).
    """
    weightless = ((counts.cpu() == 0) & (weights.cpu() == 0)).tolist()
    if names := [name for name, is_it in zip(class_names, weightless, strict=True) if is_it]:
        log.warning(
            "loss.class_weights: train has no face of %s, so that these faces weigh nothing in val/loss and test/loss",
            ", ".join(names),
        )


class Focal(CrossEntropy):
    """Cross-entropy in which a class counts the less, the surer the network already is of it.

    Each term is multiplied by (1 - p)**gamma, p its predicted probability (Lin et al.: Focal Loss for Dense Object
    Detection, ICCV 2017). Means and class weights are as in `CrossEntropy`.

    Args:
        gamma: 0 is cross-entropy.
        label_smoothing: see `CrossEntropy`.
        class_weights: likewise.
        beta: likewise.

    Raises:
        ValueError: an argument outside its range.
    """

    @checked
    def __init__(
        self,
        gamma: NonNegative = 2.0,
        label_smoothing: Fraction = 0.0,
        class_weights: ClassWeights = "none",
        beta: Fraction = 0.999,
    ) -> None:
        super().__init__(label_smoothing, class_weights, beta)
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
