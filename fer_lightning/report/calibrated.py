"""What the calibration of a network does to what it says of the tested faces."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from fer_lightning.report.predictions import Predictions, calibration_error
from fer_lightning.training.calibrate import ValLogits
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.risk_coverage import RiskCoverage

CALIBRATED = "test/calibration_error_calibrated"
"""The metric that says what test/calibration_error becomes."""

HARDLY_ANY = 0.05
"""Share of the faces of val and test: where no more are answered, a network knows next to nothing."""

KNOWS_NOTHING = (
    "hardly a face is sure, since the labels of val are more often wrong than right, however confident the network is: "
    "it has learnt too little, as in a few epochs or from few faces"
)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Predictions for N faces, with probabilities that are calibrated, and what they were fitted on."""

    calibration: Calibration
    predictions: Predictions
    val: ValLogits | None = None  # only of a run that has just ended

    @classmethod
    def of(cls, model: EmotionClassifier, predictions: Predictions, val: ValLogits | None) -> "Calibrated":
        """Returns what `trainer.test(model)` has just made, whose predictions these are, calibrated."""
        probabilities = (torch.cat(model.tested).cpu().double() / model.calibration.temperature).softmax(1).float()
        return cls(model.calibration, replace(predictions, probabilities=probabilities), val)

    @property
    def curves(self) -> dict[str, RiskCoverage]:
        """Returns the risk–coverage curves of test and, where it is known, val."""
        curves = {"test": RiskCoverage.of(self.predictions.confidence, self.predictions.right)}
        if self.val is not None and len(self.val.labels):
            curves["val"] = self.val.curve(self.calibration.temperature)
        return curves

    def metrics(self) -> dict[str, float]:
        """Returns test/calibration_error_calibrated, test/coverage and test/accuracy_answered.

        The latter two are of the faces on which the network is not unsure: their share, and the accuracy over them.
        """
        faces, right = self.curves["test"].answered_from(self.calibration.unsure_below)
        return {
            CALIBRATED: calibration_error(self.predictions.probabilities, self.predictions.labels),
            "test/coverage": faces / len(self.predictions),
            "test/accuracy_answered": right / faces if faces else math.nan,
        }

    def as_json(self) -> dict[str, Any]:
        """Returns what metrics.json says of the calibration, and of val before and after it."""
        content: dict[str, Any] = asdict(self.calibration)
        if self.val is None or len(self.val.labels) == 0:
            return content
        labels = self.val.labels
        before, after = (self.val.probabilities(t) for t in (1.0, self.calibration.temperature))
        faces, right = self.curves["val"].answered_from(self.calibration.unsure_below)
        content["val"] = {
            "faces": len(labels),
            "log_loss": _log_loss(before, labels),
            "log_loss_calibrated": _log_loss(after, labels),
            "calibration_error": calibration_error(before.float(), labels),
            "calibration_error_calibrated": calibration_error(after.float(), labels),
            "coverage": faces / len(labels),
            "accuracy_answered": right / faces if faces else math.nan,
        }
        return content

    def sentences(self, metrics: Mapping[str, float]) -> list[str]:
        """Returns in words what calibration does to the results with these metrics."""
        temperature, unsure_below = self.calibration.temperature, self.calibration.unsure_below
        before, after = metrics["test/calibration_error"], metrics[CALIBRATED]
        error = f"calibration error {before:.1%}, and {after:.1%} at the temperature {temperature:.2f}"
        if not unsure_below:
            return [error, "no face is unsure"]
        coverage, accuracy = metrics["test/coverage"], metrics["test/accuracy_answered"]
        unsure = f"{1 - coverage:.1%} of the faces are unsure, below a confidence of {unsure_below:.1%}"
        unsure += f"; of the others {accuracy:.2%} are right" if coverage else ""
        return [error, unsure, *[KNOWS_NOTHING] * (coverage <= HARDLY_ANY and self._answers_few_of_val())]

    def _answers_few_of_val(self) -> bool:
        if self.val is None or len(self.val.labels) == 0:
            return False
        faces, _ = self.curves["val"].answered_from(self.calibration.unsure_below)
        return faces <= HARDLY_ANY * len(self.val.labels)


def _log_loss(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    return float(-probabilities.gather(1, labels[:, None]).log().mean())
