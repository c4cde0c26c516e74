"""Losses that know nothing of this program: torch's own, and functions or classes of somebody's own."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer_lightning.data import FERDataModule
from fer_lightning.training.losses import CrossEntropy


class PlainLoss(CrossEntropy):
    """A loss that takes logits (B, C) and labels (B,), and returns their mean over the batch.

    Logits come to it in float32. Where it does not take labels, it gets the share of each class, float (B, C), as
    torch.nn.BCEWithLogitsLoss wants them. Where faces have soft labels or are mixed, it gets shares in any case.

    Args:
        loss: called with these two. A weight for each class that it was made with (torch.nn.CrossEntropyLoss) also
            weighs the mean over an epoch.

    Raises:
        ValueError: a loss with parameters, which no optimizer would train.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.loss, self.takes_labels = loss, True
        self._tried = False
        self._own_weights: Tensor | None = None
        if isinstance(loss, nn.Module):
            if trained := [name for name, parameter in loss.named_parameters() if parameter.requires_grad]:
                raise ValueError(f"{self.name} has the parameters {', '.join(trained)}, which no optimizer would train")
            if isinstance(loss, nn.CrossEntropyLoss) and loss.weight is not None:
                self._own_weights = loss.weight
                self.class_weights = "own"  # type: ignore[assignment]

    @property
    def name(self) -> str:
        function = self.loss.func if isinstance(self.loss, functools.partial) else self.loss
        return getattr(function, "__name__", type(function).__name__)

    def prepare(self, data: FERDataModule) -> None:
        """Tries the loss out, with labels and with what the training faces have.

        Raises:
            ValueError: it does not take these, returns something else, or learning by it would not classify.
        """
        classes = len(data.class_names)
        labels = (
            torch.arange(2 * classes + 1) % classes
        )  # of another number than there are classes, each more than once
        self.takes_labels, self._tried = self._found_to_take_labels(classes, torch.device("cpu")), True
        assert data.faces is not None
        mixes = data.augmentation is not None and bool(data.augmentation.mixup or data.augmentation.cutmix)
        soft = mixes or data.faces.soft_labels is not None
        for targets in [labels, F.one_hot(labels, classes).float()] if soft else [labels]:
            self._refuse_unfit(targets, classes)

    def weights(self, class_counts: Tensor) -> Tensor:
        return super().weights(class_counts) if self._own_weights is None else self._own_weights.detach().cpu()

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        if not self._tried:  # in testing, which does not prepare it
            self.takes_labels, self._tried = self._found_to_take_labels(logits.shape[1], logits.device), True
        if not self.takes_labels and not targets.is_floating_point():
            targets = F.one_hot(targets, logits.shape[1]).float()
        return self._called(logits.float(), targets)

    def _called(self, logits: Tensor, targets: Tensor) -> Tensor:
        if isinstance(self.loss, nn.Module):
            self.loss.to(logits.device)
        return self.loss(logits, targets)

    def _found_to_take_labels(self, classes: int, device: torch.device) -> bool:
        labels = torch.arange(2 * classes + 1, device=device) % classes
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that of MSELoss, before it fails
                self._called(torch.zeros(len(labels), classes, device=device), labels)
        except Exception:  # of somebody's own, any
            return False
        return True

    def _refuse_unfit(self, targets: Tensor, classes: int) -> None:
        logits = torch.full((len(targets), classes), 0.5, requires_grad=True)
        loss: Any = self._on_trial(logits, targets)
        if not isinstance(loss, Tensor) or loss.shape != ():
            found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise ValueError(f"{self.name} returns {found}; expected is the mean over the batch, a scalar")
        if not loss.requires_grad:
            raise ValueError(f"{self.name} has no gradient: nothing can be learnt by it")
        (gradient,) = torch.autograd.grad(loss, logits)
        right = F.one_hot(targets, classes).bool() if targets.ndim == 1 else targets > 0
        if not (gradient[right].sum() < 0 < gradient[~right].sum()):  # so with NLLLoss, which takes log-probabilities
            raise ValueError(
                f"less of {self.name} does not mean a higher logit of the right class and lower ones of the others: is "
                f"it made for probabilities or distances? Expected is a loss of logits, as torch.nn.CrossEntropyLoss is"
            )
        uneven = torch.randn(len(targets), classes, generator=torch.Generator().manual_seed(0))
        once, twice = self._on_trial(uneven, targets), self._on_trial(torch.cat([uneven] * 2), torch.cat([targets] * 2))
        if not torch.isclose(once, twice, rtol=1e-3):
            raise ValueError(
                f"{self.name} gives {once:.4g} for some faces and {twice:.4g} for the same twice; expected is the mean "
                f"over the batch (reduction: mean)"
            )

    def _on_trial(self, logits: Tensor, targets: Tensor) -> Any:
        try:
            return self(logits, targets, torch.ones(logits.shape[1]))
        except Exception as error:  # of somebody's own, any
            what = "the share of each class, float (B, C)" if targets.is_floating_point() else "labels, int64 (B,)"
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ValueError(f"{self.name} does not take logits (B, C) and {what} ({reason})") from error
