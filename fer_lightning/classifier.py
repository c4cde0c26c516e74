"""The LightningModules: one step for all stages, the metrics, the optimizer; a subclass brings the network."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.losses import CrossEntropy
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18

METRICS = ("loss", "accuracy", "precision", "recall", "f1")
"""What is logged as train/…, val/… and test/…: accuracy over all faces, the next three as means over the classes."""


@dataclass(frozen=True)
class Schedule:
    """A learning-rate scheduler and when it steps.

    `build` makes it from an optimizer; `steps_as` names the argument that takes the number of optimizer steps of the
    whole run, for schedulers that must know it; `interval` and `monitor` are Lightning's.
    """

    build: Callable[..., Any]
    interval: Literal["step", "epoch"] = "epoch"
    monitor: str | None = None
    steps_as: str | None = None


class EmotionClassifier(L.LightningModule):
    """Trains and measures a network that takes float (B, 1, S, S) and returns logits (B, C).

    A subclass saves its hyperparameters (plain values only, so that a checkpoint loads with weights_only=True and
    rebuilds itself), builds its network and hands both on.

    Args:
        net: the network.
        class_names: names of the C classes.
        loss: takes logits, labels and class weights.
        optimizer: makes the optimizer from parameter groups; None for a model that is not trained.
        schedule: of the learning rate; None keeps it constant.
        decay_norms_and_biases: whether weight decay also pulls on norms and biases.
        channels_last: lay out images and kernels as NHWC, which convolutions in bfloat16 are fastest with.
    """

    def __init__(
        self,
        net: nn.Module,
        class_names: Sequence[str],
        loss: CrossEntropy | None,
        optimizer: Callable[..., Optimizer] | None,
        schedule: Schedule | None,
        decay_norms_and_biases: bool,
        channels_last: bool,
    ) -> None:
        super().__init__()
        self.class_names = tuple(class_names)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.memory_format)
        self.loss = loss or CrossEntropy()
        self.class_weights: Tensor
        self.register_buffer("class_weights", torch.ones(len(self.class_names)))
        self.optimizer, self.schedule, self.decay_norms_and_biases = optimizer, schedule, decay_norms_and_biases
        c = len(self.class_names)
        metrics = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(c, average="micro"),
                "precision": MulticlassPrecision(c),
                "recall": MulticlassRecall(c),
                "f1": MulticlassF1Score(c),
            }
        )
        self.train_metrics, self.val_metrics, self.test_metrics = (
            metrics.clone(prefix=f"{stage}/") for stage in ("train", "val", "test")
        )
        self.val_confusion, self.test_confusion = MulticlassConfusionMatrix(c), MulticlassConfusionMatrix(c)

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.net_dtype, memory_format=self.memory_format)
        return self.net(images)  # type: ignore[no-any-return]

    @property
    def net_dtype(self) -> torch.dtype:
        """float32, or what trainer.precision=bf16-true makes of the network."""
        return next(self.net.parameters(), torch.empty(0)).dtype

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.loss.class_weights != "none":
            self.class_weights.copy_(self.loss.weights(self._datamodule().class_counts))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._step(batch, "train", self.train_metrics)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._step(batch, "val", self.val_metrics, self.val_confusion)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._step(batch, "test", self.test_metrics, self.test_confusion)

    def on_validation_epoch_start(self) -> None:
        self.val_confusion.reset()

    def on_test_epoch_start(self) -> None:
        self.test_confusion.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        if self.optimizer is None:
            raise ValueError("this model was made without an optimizer: it predicts, but does not train")
        optimizer = self.optimizer(self._parameter_groups())
        if self.schedule is None:
            return optimizer
        steps = {self.schedule.steps_as: self._steps_of_run()} if self.schedule.steps_as else {}
        scheduler = {
            "scheduler": self.schedule.build(optimizer, **steps),
            "interval": self.schedule.interval,
            "monitor": self.schedule.monitor,
        }
        return {"optimizer": optimizer, "lr_scheduler": scheduler}  # type: ignore[return-value]

    def _step(
        self,
        batch: tuple[Tensor, Tensor],
        stage: str,
        metrics: MetricCollection,
        confusion: MulticlassConfusionMatrix | None = None,
    ) -> Tensor:
        images, labels = batch
        logits = self(images)
        loss: Tensor = self.loss(logits, labels, self.class_weights)
        with torch.no_grad():
            metrics.update(logits, labels)
            if confusion is not None:
                confusion.update(logits, labels)
        # Per epoch only: to read a metric at a step is to wait for the device at that step.
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=len(labels))
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss

    def _parameter_groups(self) -> list[dict[str, Any]]:
        parameters = [p for p in self.net.parameters() if p.requires_grad]
        if self.decay_norms_and_biases:
            return [{"params": parameters}]
        kernels = [p for p in parameters if p.ndim > 1]
        norms_and_biases = [p for p in parameters if p.ndim <= 1]
        return [{"params": kernels}, {"params": norms_and_biases, "weight_decay": 0.0}]

    def _datamodule(self) -> FERDataModule:
        datamodule = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(datamodule, FERDataModule):
            raise ValueError("class weights and the steps of a schedule come from a FERDataModule: fit with one")
        return datamodule

    def _steps_of_run(self) -> int:
        """Counted from the loader: `trainer.estimated_stepping_batches` would lose a loader's state on resume."""
        trainer = self.trainer
        batches = len(self._datamodule().train_dataloader())
        limit = trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else max(1, int(batches * limit))
        steps = math.ceil(batches / trainer.accumulate_grad_batches)
        if trainer.max_epochs is None or trainer.max_epochs < 0:
            if trainer.max_steps < 0:
                raise ValueError("this scheduler needs an end: set trainer.max_epochs or trainer.max_steps")
            return trainer.max_steps
        steps *= trainer.max_epochs
        return min(steps, trainer.max_steps) if trainer.max_steps > 0 else steps


class ResNet18Classifier(EmotionClassifier):
    """`nets.resnet18.ResNet18`; its arguments are described there, the others in `EmotionClassifier`."""

    def __init__(
        self,
        class_names: Sequence[str] = EMOTIONS,
        stem: Literal["imagenet", "small"] = "imagenet",
        pretrained: bool = False,
        weights_path: str | None = None,
        dropout: float = 0.0,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        net = ResNet18(len(class_names), stem=stem, pretrained=pretrained, weights_path=weights_path, dropout=dropout)
        super().__init__(net, class_names, loss, optimizer, schedule, decay_norms_and_biases, channels_last)
        # Not pretrained and weights_path: the checkpoint itself holds the weights that a rebuilt model starts with.
        self.save_hyperparameters("class_names", "stem", "dropout", "channels_last", logger=False)


class DeepEmotionClassifier(EmotionClassifier):
    """`nets.deep_emotion.DeepEmotion`; its arguments are described there, the others in `EmotionClassifier`."""

    def __init__(
        self,
        class_names: Sequence[str] = EMOTIONS,
        dropout: float = 0.5,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        net = DeepEmotion(len(class_names), dropout)
        super().__init__(net, class_names, loss, optimizer, schedule, decay_norms_and_biases, channels_last)
        self.save_hyperparameters("class_names", "dropout", "channels_last", logger=False)
