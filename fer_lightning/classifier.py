"""The LightningModules: one step for all stages, the metrics, the optimizer; a subclass brings the network."""

from collections.abc import Callable, Sequence
from typing import Any

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
from fer_lightning.data.faces import SIDE
from fer_lightning.losses import CrossEntropy
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18, Stem
from fer_lightning.nets.torchvision import colour_size, takes, torchvision_net
from fer_lightning.nets.weights import Start, head_of, load_start
from fer_lightning.schedules import Schedule

METRICS = ("loss", "accuracy", "precision", "recall", "f1")
"""What is logged as train/…, val/… and test/…: accuracy over all faces, the next three as means over the classes."""


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
        head_lr_scale: the learning rate of the head, the last layer, as a multiple of that of the rest.
        decay_norms_and_biases: whether weight decay also pulls on norms and biases.
        channels_last: lay out images and kernels as NHWC, which convolutions in bfloat16 are fastest with.

    Raises:
        ValueError: head_lr_scale is not above 0.
    """

    image_size: int = SIDE
    """Height and width of the images that the network does best with: what `data.image_size=auto` takes."""

    def __init__(
        self,
        net: nn.Module,
        class_names: Sequence[str],
        loss: CrossEntropy | None,
        optimizer: Callable[..., Optimizer] | None,
        schedule: Schedule | None,
        head_lr_scale: float,
        decay_norms_and_biases: bool,
        channels_last: bool,
    ) -> None:
        super().__init__()
        if head_lr_scale <= 0:
            raise ValueError(f"head_lr_scale is {head_lr_scale}; it must be above 0")
        self.class_names = tuple(class_names)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.memory_format)
        self.loss = loss or CrossEntropy()
        self.class_weights: Tensor
        self.register_buffer("class_weights", torch.ones(len(self.class_names)))
        self.optimizer, self.schedule = optimizer, schedule
        self.head_lr_scale, self.decay_norms_and_biases = head_lr_scale, decay_norms_and_biases
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
    def head(self) -> nn.Module:
        """The last layer, which gives the logits; all the rest is the body."""
        return head_of(self.net)[1]

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
        for group in optimizer.param_groups:
            group["lr"] *= group["lr_scale"]
        if self.schedule is None:
            return optimizer
        batches = len(self._datamodule().train_dataloader()) if self.schedule.steps_as else 0
        scheduler = self.schedule.of(optimizer, self.trainer, batches)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}  # type: ignore[return-value]

    def _step(
        self,
        batch: tuple[Tensor, Tensor],
        stage: str,
        metrics: MetricCollection,
        confusion: MulticlassConfusionMatrix | None = None,
    ) -> Tensor:
        images, targets = batch
        logits = self(images)
        loss: Tensor = self.loss(logits, targets, self.class_weights)
        labels = targets.argmax(1) if targets.is_floating_point() else targets  # soft ones: of FER+ votes, or mixed
        with torch.no_grad():
            metrics.update(logits, labels)
            if confusion is not None:
                confusion.update(logits, labels)
        # Per epoch only: to read a metric at a step is to wait for the device at that step.
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=len(labels))
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Frozen ones too: they may learn later, and are skipped while they have no gradient."""
        of_head = {id(parameter) for parameter in self.head.parameters()}
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for parameter in self.net.parameters():
            scale = self.head_lr_scale if id(parameter) in of_head else 1.0
            decays = self.decay_norms_and_biases or parameter.ndim > 1
            groups.setdefault((scale, decays), []).append(parameter)
        return [
            {"params": parameters, "lr_scale": scale} | ({} if decays else {"weight_decay": 0.0})
            for (scale, decays), parameters in groups.items()
        ]

    def _datamodule(self) -> FERDataModule:
        datamodule = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(datamodule, FERDataModule):
            raise ValueError("class weights and the steps of a schedule come from a FERDataModule: fit with one")
        return datamodule


class TorchvisionClassifier(EmotionClassifier):
    """`nets.torchvision.torchvision_net`, from the weights that `nets.weights.Start` names.

    Raises:
        ValueError: a network that torchvision does not have, or weights that cannot be used.
    """

    def __init__(
        self,
        arch: str,
        class_names: Sequence[str] = EMOTIONS,
        start: Start | None = None,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: float = 1.0,
    ) -> None:
        net = torchvision_net(arch, len(class_names))
        in_colour = load_start(net, arch, start or Start())
        super().__init__(
            net, class_names, loss, optimizer, schedule, head_lr_scale, decay_norms_and_biases, channels_last
        )
        self.image_size = colour_size(arch) if in_colour or not takes(net, SIDE) else SIDE
        # Not the start: the checkpoint itself holds the weights that a rebuilt model starts with.
        self.save_hyperparameters("arch", "class_names", "channels_last", logger=False)


class ResNet18Classifier(EmotionClassifier):
    """`nets.resnet18.ResNet18`, from the weights that `nets.weights.Start` names.

    Raises:
        ValueError: an argument outside its range, or weights that cannot be used.
    """

    def __init__(
        self,
        class_names: Sequence[str] = EMOTIONS,
        stem: Stem = "imagenet",
        width: int = 64,
        dropout: float = 0.0,
        start: Start | None = None,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: float = 1.0,
    ) -> None:
        net = ResNet18(len(class_names), stem, width, dropout)
        in_colour = load_start(net, "resnet18", start or Start())
        super().__init__(
            net, class_names, loss, optimizer, schedule, head_lr_scale, decay_norms_and_biases, channels_last
        )
        self.image_size = colour_size("resnet18") if in_colour else SIDE
        self.save_hyperparameters("class_names", "stem", "width", "dropout", "channels_last", logger=False)


class DeepEmotionClassifier(EmotionClassifier):
    """`nets.deep_emotion.DeepEmotion`; the other arguments as `EmotionClassifier`."""

    def __init__(
        self,
        class_names: Sequence[str] = EMOTIONS,
        dropout: float = 0.5,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: float = 1.0,
    ) -> None:
        net = DeepEmotion(len(class_names), dropout)
        super().__init__(
            net, class_names, loss, optimizer, schedule, head_lr_scale, decay_norms_and_biases, channels_last
        )
        self.save_hyperparameters("class_names", "dropout", "channels_last", logger=False)
