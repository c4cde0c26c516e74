"""What a batch costs is what the papers' formulas say, and an epoch what all its faces cost at once."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanMetric

from fer_lightning.nets.registry import register
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.distillation import Distillation
from fer_lightning.training.losses import CrossEntropy, EpochLoss, Focal
from tests.conftest import trainer


def test_balanced_weights_are_inverse_to_the_class_counts() -> None:
    counts = torch.tensor([10, 30, 0])
    weights = CrossEntropy(class_weights="balanced").weights(counts)
    assert weights.tolist() == pytest.approx([40 / 30, 40 / 90, 0])
    assert CrossEntropy().weights(counts).tolist() == [1, 1, 1]


def test_label_smoothing_and_class_weights_are_in_the_loss() -> None:
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    weights = torch.tensor([3.0, 1.0])
    log_p: Tensor = logits.log_softmax(1)
    smooth = -(0.9 * 3 * log_p[:, 0] + 0.05 * (3 * log_p[:, 0] + log_p[:, 1]))
    expected = smooth.sum() / (2 * 3)
    assert float(CrossEntropy(label_smoothing=0.1)(logits, labels, weights)) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("label_smoothing", 1.0), ("class_weights", "inverse"), ("beta", 1.0), ("gamma", -1.0)]
)
def test_a_loss_argument_outside_its_range_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        Focal(**{name: value})  # type: ignore[arg-type]


def test_effective_numbers_weigh_rare_classes_but_not_by_share() -> None:
    counts = torch.tensor([100, 1000, 0])
    weights = CrossEntropy(class_weights="effective-number", beta=0.99).weights(counts)
    raw = [(1 - 0.99) / (1 - 0.99**100), (1 - 0.99) / (1 - 0.99**1000)]
    assert weights.tolist() == pytest.approx([2 * raw[0] / sum(raw), 2 * raw[1] / sum(raw), 0])
    assert 1 < weights[0] / weights[1] < 10


def test_focal_loss_is_that_of_its_paper() -> None:
    logits, labels, ones = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1]), torch.ones(4)
    p = logits.softmax(1)[torch.arange(6), labels]
    assert float(Focal(gamma=2.0)(logits, labels, ones)) == pytest.approx(
        float((-((1 - p) ** 2) * p.log()).mean()), rel=1e-4
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_loss_has_a_gradient_where_the_network_is_certain(gamma: float) -> None:
    logits = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    Focal(gamma)(logits, torch.tensor([0]), torch.ones(3)).backward()
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
def test_focal_loss_with_gamma_0_is_cross_entropy(smoothing: float, soft: bool) -> None:
    logits, labels, weights = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([1.0, 2.0, 0.5, 3.0])
    targets = torch.rand(6, 4).softmax(1) if soft else labels
    expected = F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    torch.testing.assert_close(Focal(0.0, smoothing)(logits, targets, weights), expected)
    torch.testing.assert_close(CrossEntropy(smoothing)(logits, targets, weights), expected)


def at_once(loss: CrossEntropy, logits: Tensor, labels: Tensor, weights: Tensor) -> float:
    """The weighted mean over all faces, from the formula: in double precision, without the classes of this package."""
    log_p = logits.double().log_softmax(1)
    shares = (1 - loss.label_smoothing) * torch.eye(3)[labels] + loss.label_smoothing / 3
    unsure = (1 - log_p.exp()) ** loss.gamma if isinstance(loss, Focal) else 1.0
    return float((-shares * weights * unsure * log_p).sum() / weights[labels].sum())


LOSSES = [CrossEntropy(0.1, "balanced"), CrossEntropy(0.0, "balanced"), Focal(2.0, 0.1, "balanced"),
          Distillation("none", class_weights="effective-number", label_smoothing=0.1)]  # fmt: skip


@register("logits_as_images")
def logits_as_images(num_classes: int) -> torch.nn.Module:
    return torch.nn.Flatten()


@pytest.mark.parametrize("batch_size", [1, 8, 35, 100])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{type(loss).__name__} {loss.label_smoothing}")
def test_val_and_test_loss_are_the_weighted_mean_over_all_faces(
    loss: CrossEntropy, batch_size: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    logits, labels, weights = 3 * torch.randn(100, 3), torch.randint(0, 3, (100,)), torch.tensor([3.0, 0.5, 0.0])
    in_order = labels.sort().indices  # so that there are batches whose faces all weigh nothing
    model = EmotionClassifier("logits_as_images", ("a", "b", "c"), loss=loss)
    model.class_weights = weights
    measuring = trainer(tmp_path)
    faces = TensorDataset(logits[in_order].view(-1, 1, 1, 3), labels[in_order])
    expected = pytest.approx(at_once(loss, logits, labels, weights), rel=1e-5)
    assert measuring.validate(model, DataLoader(faces, batch_size), verbose=False)[0]["val/loss"] == expected
    assert measuring.test(model, DataLoader(faces, batch_size), verbose=False)[0]["test/loss"] == expected


def test_the_loss_of_all_faces_at_once_is_torchs_own() -> None:
    logits, labels, weights = torch.randn(100, 3), torch.randint(0, 3, (100,)), torch.tensor([3.0, 0.5, 0.0])
    torchs = float(F.cross_entropy(logits, labels, weights, label_smoothing=0.1))
    assert at_once(CrossEntropy(0.1), logits, labels, weights) == pytest.approx(torchs, rel=1e-5)


@pytest.mark.parametrize("loss", [CrossEntropy(0.1), CrossEntropy(), Focal(2.0)])
def test_an_unweighted_epoch_has_the_bits_of_a_mean(loss: CrossEntropy) -> None:
    mean, epoch, ones = MeanMetric(nan_strategy="disable"), EpochLoss(), torch.ones(7)
    for faces in (128, 128, 37, 1):
        logits, labels = 3 * torch.randn(faces, 7), torch.randint(0, 7, (faces,))
        mean.update(loss(logits, labels, ones).expand(faces))
        epoch.update(*loss.summed(logits, labels, ones))
    assert torch.equal(epoch.compute(), mean.compute())
