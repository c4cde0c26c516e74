"""The temperature is the one that the faces were drawn with; a confidence is the share that is right."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor

from fer_lightning.data import FERDataModule
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.training.calibrate import ValLogits, calibrate, fitted_calibration, fitted_temperature
from fer_lightning.training.calibration import HIGHEST, LOWEST, Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.risk_coverage import RiskCoverage
from tests.conftest import trainer


def drawn(faces: int, temperature: float, seed: int = 0) -> ValLogits:
    """Faces whose labels are drawn from the probabilities of a network whose logits are then made sharper."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(faces, 7, generator=generator)
    labels = logits.softmax(1).multinomial(1, generator=generator)[:, 0]
    return ValLogits(logits * temperature, labels)


def error(probabilities: Tensor, labels: Tensor) -> float:
    """The calibration error, by the definition: the gap of each of 15 bins, weighted by its faces."""
    confidence, right = probabilities.amax(1).numpy(), (probabilities.argmax(1) == labels).numpy()
    place = np.ceil(confidence * 15)
    gaps = [abs(confidence[place == bin].mean() - right[place == bin].mean()) * (place == bin).mean()
            for bin in np.unique(place)]  # fmt: skip
    return float(sum(gaps))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 6.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    val = drawn(40_000, temperature)
    found, why = fitted_temperature(val.logits, val.labels)
    assert found == pytest.approx(temperature, rel=0.02)
    assert why == ""
    assert fitted_temperature(val.logits, val.labels)[0] == found


def test_scipys_minimum_is_the_same() -> None:
    val = drawn(500, 2.5, seed=3)
    logits, labels = val.logits.double().numpy(), val.labels.numpy()

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), 1)[np.arange(len(labels)), labels].mean())

    least = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert fitted_temperature(val.logits, val.labels)[0] == pytest.approx(np.exp(least.x), rel=1e-5)


def test_the_error_falls_on_faces_that_were_not_fitted() -> None:
    temperature = fitted_calibration(drawn(4_000, 2.5)).temperature
    other = drawn(4_000, 2.5, seed=1)
    before, after = (error(other.probabilities(t), other.labels) for t in (1.0, temperature))
    assert before > 0.15
    assert after < 0.02


@pytest.mark.parametrize(
    ("logits", "labels", "temperature", "why"),
    [
        (torch.empty(0, 3), [], 1.0, "no face of val was measured"),
        (torch.zeros(9, 3), [0, 1, 2] * 3, 1.0, "no temperature follows from that"),
        (torch.eye(3), [0, 1, 2], 1.0, "no temperature follows from that"),
        (torch.tensor([[float("nan"), 0.0]]), [0], 1.0, "not finite"),
        (5 * torch.eye(3), [1, 2, 0], HIGHEST, "the highest that is allowed"),
        (torch.eye(3).repeat(9, 1) / 1000, [0, 1, 2] * 8 + [0, 2, 1], LOWEST, "the lowest that is allowed"),
    ],
    ids=["none", "constant", "all right", "NaN", "all wrong", "tiny"],
)
def test_where_val_says_nothing_the_log_says_why(
    logits: Tensor, labels: list[int], temperature: float, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = fitted_calibration(ValLogits(logits, torch.tensor(labels, dtype=torch.int64)))
    assert found == Calibration(temperature, 0.0)
    assert f"calibrated on {len(labels)} faces of val: temperature {temperature:.3f} (" in caplog.text
    assert why in caplog.text


@pytest.mark.parametrize(("count", "warned"), [(99, True), (100, False)])
def test_a_calibration_on_few_faces_is_warned_of(count: int, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    fitted_calibration(drawn(count, 2.0))
    assert (f"{count} faces of val are too few for a reliable temperature" in caplog.text) is warned


def test_classes_that_do_not_occur_change_nothing() -> None:
    val = drawn(2_000, 2.0)
    chosen = val.labels < 3
    found, why = fitted_temperature(val.logits[chosen], val.labels[chosen])
    assert LOWEST < found < HIGHEST
    assert why == ""


def test_a_curve_counts_what_is_answered_and_right() -> None:
    confidence = torch.tensor([0.5, 0.9, 0.7, 0.9, 0.3])
    curve = RiskCoverage.of(confidence, torch.tensor([False, True, True, False, False]))
    assert curve.confidence.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.3])
    assert (curve.answered.tolist(), curve.right.tolist()) == ([2, 3, 4, 5], [1, 2, 2, 2])
    assert curve.coverage.tolist() == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert curve.accuracy.tolist() == pytest.approx([1 / 2, 2 / 3, 2 / 4, 2 / 5])
    assert [curve.answered_from(least) for least in (0.0, 0.6, 0.95)] == [(5, 2), (3, 2), (0, 0)]


@pytest.mark.parametrize("seed", range(5))
def test_unsure_is_where_most_answers_more_are_right_than_wrong(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.rand(2_000, generator=generator).double()
    right = torch.rand(2_000, generator=generator) < confidence
    chosen = RiskCoverage.of(confidence, right).unsure_below()
    gains = {least: int(right[confidence >= least].sum()) - int((~right)[confidence >= least].sum())
             for least in confidence.tolist()}  # fmt: skip
    sure = min(least for least in gains if least >= 0.5)
    most = max(gain for least, gain in gains.items() if least <= sure)
    assert gains[float(confidence[confidence >= chosen].min())] == most
    assert 0.4 < chosen <= 0.5  # of calibrated probabilities a half, but for the chance of 2,000 faces


@pytest.mark.parametrize(("faces", "unsure"), [(3, False), (12, False), (200, True)])
def test_few_faces_leave_nothing_unsure(faces: int, unsure: bool) -> None:
    confidence = torch.linspace(0.2, 0.9, faces)
    right = (confidence > 0.5) | (torch.arange(faces) % 3 == 0)
    assert (RiskCoverage.of(confidence, right).unsure_below() > 0) is unsure
    assert RiskCoverage.of(confidence, torch.ones(faces, dtype=torch.bool)).unsure_below() == 0


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
def test_val_is_measured_in_the_precision_of_the_run(precision: str, few_faces: Path, tmp_path: Path) -> None:
    data = FERDataModule(few_faces, votes=VotesOptions(rule="probability"), batch_size=16)
    data.setup()
    torch.manual_seed(0)
    model = EmotionClassifier("resnet18", data.class_names, {"width": 4})
    testing = trainer(tmp_path, precision=precision, limit_val_batches=1, use_distributed_sampler=False)
    data.rows["test"] = data.rows["val"]
    testing.test(model, data, verbose=False)
    val = calibrate(model, testing, None)
    assert data.faces is not None
    assert torch.equal(val.labels, data.faces.labels[data.rows["val"]][:16])
    assert torch.equal(val.logits.log_softmax(1), torch.cat(model.tested)[:16])
    assert model.calibration == fitted_calibration(val)
