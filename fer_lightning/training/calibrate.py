"""Fits the calibration of a network that has been trained, on val, and saves it in its checkpoint."""

import logging
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import lightning as L
import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

from fer_lightning.data import FERDataModule
from fer_lightning.training.calibration import HIGHEST, LOWEST, Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.risk_coverage import RiskCoverage

log = logging.getLogger(__name__)

TOO_FEW = 100
"""Faces of val below which a calibration is more luck than measurement."""


@dataclass(frozen=True, eq=False)
class ValLogits:
    """What a network gives the faces of val, and what they show, in the order of the split."""

    logits: Tensor  # float32 (N, C)
    labels: Tensor  # int64 (N,)

    def probabilities(self, temperature: float) -> Tensor:
        """Returns float64 (N, C)."""
        return (self.logits.double() / temperature).softmax(1)

    def curve(self, temperature: float) -> RiskCoverage:
        confidence, predicted = self.probabilities(temperature).max(1)
        return RiskCoverage.of(confidence, predicted == self.labels)


def calibrate(model: EmotionClassifier, trainer: L.Trainer, checkpoint: Path | None) -> ValLogits:
    """Sets model.calibration to what fits val best, and saves it in the checkpoint.

    Faces are not averaged over views, as the network is reported. All processes of a training call this.

    Args:
        model: with the weights that are to be tested.
        trainer: that has trained it.
        checkpoint: which holds these weights; None if no file does.
    """
    val = val_logits(model, trainer)
    model.calibration = fitted_calibration(val)
    if checkpoint and trainer.is_global_zero:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        trainer.strategy.save_checkpoint(content | {"calibration": asdict(model.calibration)}, checkpoint)
    return val


def val_logits(model: EmotionClassifier, trainer: L.Trainer) -> ValLogits:
    """Returns the logits of val's faces, of as many as trainer.limit_val_batches allows, in the trainer's precision."""
    data, device = trainer.datamodule, trainer.strategy.root_device  # type: ignore[attr-defined]
    assert isinstance(data, FERDataModule)
    assert data.faces is not None
    model.to(device).eval()  # Lightning takes it off the device after training
    loader, limit = data.val_dataloader(), trainer.limit_val_batches
    batches = islice(loader, limit if isinstance(limit, int) else int(limit * len(loader)))
    found = [torch.empty(0, len(model.class_names), device=device)]
    with torch.no_grad(), trainer.strategy.precision_plugin.val_step_context():
        for pixels, labels in batches:
            images, _ = data.on_after_batch_transfer((pixels.to(device), labels), 0)
            found.append(model(images).float())
    logits = torch.cat(found)
    if trainer.world_size > 1:
        positions = torch.cat(data.measured("val"))[: len(logits)].to(device)
        order = torch.cat(gather_all_tensors(positions)).argsort()
        logits = torch.cat(gather_all_tensors(logits))[order]
    return ValLogits(logits.cpu(), data.faces.labels[data.rows["val"]][: len(logits)])


def fitted_calibration(val: ValLogits) -> Calibration:
    """Returns the temperature that fits val, and the confidence below which its network is unsure; logs both."""
    temperature, why = fitted_temperature(val.logits, val.labels)
    unsure_below = val.curve(temperature).unsure_below() if val.logits.isfinite().all() else 0.0
    message = "calibrated on %s faces of val: temperature %.3f%s, unsure below a confidence of %.1f%%"
    log.info(message, f"{len(val.labels):,}", temperature, why and f" ({why})", 100 * unsure_below)
    if 0 < len(val.labels) < TOO_FEW:
        log.warning(
            "%d faces of val are too few for a reliable temperature and threshold; a larger data.val_fraction takes "
            "more from train",
            len(val.labels),
        )
    return Calibration(temperature, unsure_below)


def fitted_temperature(logits: Tensor, labels: Tensor) -> tuple[float, str]:
    """Returns the temperature with the least negative log likelihood of the labels (Guo et al., ICML 2017).

    It is convex in 1 / temperature, so that its slope has one root at most.

    Args:
        logits: (N, C).
        labels: int64 (N,).

    Returns:
        The temperature, from `LOWEST` to `HIGHEST`, and why it is no minimum in between; an empty text if it is one.
        It stays 1 where there is none to be found: of no faces, or if no other class has a higher logit than the true
        one of any face, as of few faces that are all right.
    """
    from scipy.optimize import brentq  # takes a third of a second, and importing this module should not

    above = logits.double() - logits.double().gather(1, labels[:, None])  # the true class
    if len(labels) == 0:
        return 1.0, "no face of val was measured"
    if not above.isfinite().all():
        return 1.0, "the network gives values that are not finite"
    if not (above > 0).any():
        return 1.0, "all faces of val are right or all classes equally likely: no temperature follows from that"

    def slope(inverse: float) -> float:
        return float(((inverse * above).softmax(1) * above).sum(1).mean())

    if slope(1 / HIGHEST) >= 0:
        return HIGHEST, "the highest that is allowed: the network is no better than guessing"
    if slope(1 / LOWEST) <= 0:
        return LOWEST, "the lowest that is allowed"
    root = brentq(slope, 1 / HIGHEST, 1 / LOWEST)
    return min(max(1 / root, LOWEST), HIGHEST), ""
