"""Losses that know nothing of this program, torch's own and somebody's, are trained by; what cannot be is refused."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer_lightning.config.build import build, rebuild
from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.training.plain_loss import PlainLoss
from fer_lightning.transforms.augment import Augmentation
from tests.conftest import Compose
from tests.runs import changes

SHORT = ("model=deep_emotion", "trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv", "callbacks=checkpoint")

GONE = ("~loss.class_weights", "~loss.beta")
"""The keys of conf/loss/cross_entropy.yaml that torch's loss does not take."""


def poly1(logits: Tensor, labels: Tensor, epsilon: float = 1.0) -> Tensor:
    """Leng et al., ICLR 2022."""
    p = F.one_hot(labels, logits.shape[1]).mul(logits.softmax(1)).sum(1)
    return (F.cross_entropy(logits, labels, reduction="none") + epsilon * (1 - p)).mean()


@pytest.fixture(scope="module")
def data(few_faces: Path) -> FERDataModule:
    read = FERDataModule(few_faces, augmentation=Augmentation())
    read.setup()
    return read


WEIGHTS = [1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (nn.CrossEntropyLoss(label_smoothing=0.1), lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1)),
        (nn.CrossEntropyLoss(torch.tensor(WEIGHTS)), lambda x, y: F.cross_entropy(x, y, torch.tensor(WEIGHTS))),
        (nn.MultiMarginLoss(), F.multi_margin_loss),
        (functools.partial(poly1, epsilon=2.0), lambda x, y: poly1(x, y, 2.0)),
        # These two take no labels but the share of each class.
        (nn.BCEWithLogitsLoss(), lambda x, y: F.binary_cross_entropy_with_logits(x, F.one_hot(y, 7).float())),
        (nn.MSELoss(), lambda x, y: F.mse_loss(x, F.one_hot(y, 7).float())),
    ],
)
def test_a_plain_loss_costs_what_it_costs_by_itself(
    loss: Any, expected: Callable[[Tensor, Tensor], Tensor], data: FERDataModule
) -> None:
    logits, labels = torch.randn(9, 7), torch.arange(9) % 7
    plain = PlainLoss(loss)
    untried = PlainLoss(loss)(logits, labels, torch.ones(7))  # as in testing
    plain.prepare(data)
    assert plain(logits, labels, torch.ones(7)) == untried == expected(logits, labels)


def test_a_loss_of_weighted_classes_weighs_the_epochs_mean_alike() -> None:
    loss = PlainLoss(nn.CrossEntropyLoss(torch.tensor(WEIGHTS)))
    assert loss.class_weights != "none"
    assert loss.weights(torch.ones(7, dtype=torch.int64)).tolist() == WEIGHTS
    assert PlainLoss(nn.CrossEntropyLoss()).class_weights == "none"


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (nn.NLLLoss(), "^less of NLLLoss does not mean a higher logit of the right class"),
        (nn.KLDivLoss(reduction="batchmean"), "^less of KLDivLoss does not mean"),
        (nn.SoftMarginLoss(), "^less of SoftMarginLoss does not mean"),
        (
            nn.BCELoss(),
            r"^BCELoss does not take logits .* \(RuntimeError: all elements of input should be between 0 and 1",
        ),
        (
            nn.TripletMarginLoss(),
            r"^TripletMarginLoss does not take logits \(B, C\) and labels, int64 \(B,\) \(TypeError",
        ),
        (nn.CrossEntropyLoss(torch.ones(5)), r"^CrossEntropyLoss does not take .*weight tensor should be defined .* 7"),
        (nn.CrossEntropyLoss(reduction="sum"), r"^CrossEntropyLoss gives .* \(reduction: mean"),
        (nn.CrossEntropyLoss(reduction="none"), r"^CrossEntropyLoss returns a tensor of shape \(15,\)"),
        (lambda x, y: {"loss": F.cross_entropy(x, y)}, "^<lambda> returns a dict; expected is the mean over the batch"),
        (lambda x, y: F.cross_entropy(x.detach(), y), "^<lambda> has no gradient"),
    ],
)
def test_a_loss_that_is_none_of_logits_and_labels_is_refused(loss: Any, why: str, data: FERDataModule) -> None:
    with pytest.raises(ValueError, match=why):
        PlainLoss(loss).prepare(data)


def test_a_loss_with_parameters_of_its_own_is_refused() -> None:
    class Centres(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centres = nn.Parameter(torch.zeros(7))

    with pytest.raises(ValueError, match=r"^Centres has the parameters centres, which no optimizer would train"):
        PlainLoss(Centres())


def test_a_loss_of_labels_alone_is_refused_where_faces_are_mixed(few_faces: Path) -> None:
    mixed = FERDataModule(few_faces, augmentation=Augmentation(mixup=0.2))
    mixed.setup()
    PlainLoss(nn.CrossEntropyLoss()).prepare(mixed)
    with pytest.raises(ValueError, match=r"^poly1 does not take logits \(B, C\) and the share of each class"):
        PlainLoss(poly1).prepare(mixed)


def test_torchs_loss_in_a_config_trains_and_is_tested(composed: Compose, few_faces: Path) -> None:
    given = ("loss._target_=torch.nn.CrossEntropyLoss", *GONE, f"+loss.weight={WEIGHTS}".replace(" ", ""))
    cfg = composed(*SHORT, *given, f"data.path={few_faces}")
    experiment = build(cfg)
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    checkpoint = experiment.trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    again = rebuild(cfg, changes(), Path(checkpoint))
    assert again.model.class_weights.tolist() == WEIGHTS
    again.trainer.test(again.model, again.datamodule, verbose=False)
    assert torch.isfinite(again.trainer.callback_metrics["test/loss"])


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (
            [],
            r"^loss\.class_weights is not an argument of CrossEntropyLoss; .*: ~loss\.class_weights ~loss\.beta$",
        ),
        ([*GONE, "+loss.weight=[1,2]"], r"^loss: CrossEntropyLoss does not take .*weight tensor"),
        ([*GONE, "+loss.weight=[a]"], r"^loss\.weight is \['a'\]: "),
        ([*GONE, "+loss.reduction=sum"], r"^loss: CrossEntropyLoss gives "),
    ],
)
def test_what_a_config_gives_torchs_loss_amiss_is_refused(
    overrides: list[str], why: str, composed: Compose, few_faces: Path
) -> None:
    with pytest.raises(ConfigError, match=why):
        build(composed(*SHORT, "loss._target_=torch.nn.CrossEntropyLoss", *overrides, f"data.path={few_faces}"))
