"""The risk–coverage curve of a classifier that may leave faces unanswered, and the point on it that is chosen."""

from dataclasses import dataclass

import torch
from torch import Tensor

HALF = 0.5
"""The probability of being right above which an answer is worth more than none."""

BEYOND_CHANCE = 1.96
"""Standard deviations of a count: chance exceeds them in one case of twenty."""


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """How many of N faces are answered, and how many of these rightly, if all below a confidence are left unanswered.

    At M different confidences, the highest first (El-Yaniv and Wiener, JMLR 2010; the risk is 1 - accuracy).
    """

    confidence: Tensor  # float64 (M,): the least of those that are answered
    answered: Tensor  # int64 (M,), rising to N
    right: Tensor  # int64 (M,)

    @classmethod
    def of(cls, confidence: Tensor, right: Tensor) -> "RiskCoverage":
        """Returns the curve of faces with these confidences, float (N,), of which these are right, bool (N,)."""
        falling, order = confidence.double().sort(descending=True, stable=True)
        levels, faces = falling.unique_consecutive(return_counts=True)  # faces as sure as each other go together
        answered = faces.cumsum(0)
        return cls(levels, answered, torch.cat([right.new_zeros(1).long(), right[order].long().cumsum(0)])[answered])

    @property
    def coverage(self) -> Tensor:
        """Returns the share of the faces that is answered, float64 (M,)."""
        return self.answered.double() / self.answered[-1:]

    @property
    def accuracy(self) -> Tensor:
        """Returns the share of the answers that is right, float64 (M,)."""
        return self.right.double() / self.answered

    def answered_from(self, confidence: float) -> tuple[int, int]:
        """Returns how many faces have at least this confidence, and how many of these are right."""
        levels = int((self.confidence >= confidence).sum())
        return (int(self.answered[levels - 1]), int(self.right[levels - 1])) if levels else (0, 0)

    def unsure_below(self) -> float:
        """Returns the confidence below which a label is more often wrong than right; 0 if that may be chance.

        Of the points at one half and below, it is the one with the most right answers above the wrong ones: the best
        where a wrong answer costs as much as a right one brings and no answer costs nothing (Chow, IEEE Transactions on
        Information Theory 1970). Not above one half, since calibrated confidences above it are more often right: with
        some hundreds of faces, chance alone would choose 0.6 in one case of ten. Of the faces left unanswered, more
        must be wrong than right beyond chance.
        """
        if len(self.answered) == 0:
            return 0.0
        first = max(int((self.confidence >= HALF).sum()) - 1, 0)
        gain = 2 * self.right - self.answered
        best = int((gain == gain[first:].max()).nonzero()[-1])  # of equally good ones, what answers most
        left_out = int(self.answered[-1] - self.answered[best])
        if int(gain[best] - gain[-1]) <= BEYOND_CHANCE * left_out**0.5:
            return 0.0
        return min(float(self.confidence[best : best + 2].mean()), HALF)  # between two faces: rounding moves neither
