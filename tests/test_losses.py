"""What a batch costs is what the papers' formulas say."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fer_lightning.losses import CrossEntropy, Focal


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


def test_effective_numbers_weigh_rare_classes_more_but_not_in_proportion() -> None:
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
