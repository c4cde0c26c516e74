"""EmotionClassifier: one step for all stages, the metrics, the optimizer; for any network of `nets.registry`."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix
from torchmetrics.utilities.distributed import gather_all_tensors

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.data.batches import seeds_of_step
from fer_lightning.nets.registry import create_network
from fer_lightning.nets.weights import head_of
from fer_lightning.signature import Positive, checked
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.checkpoint_content import FORMAT_VERSION
from fer_lightning.training.hardware import seed_dropout
from fer_lightning.training.losses import CrossEntropy, EpochLoss, warn_of_weightless
from fer_lightning.training.schedules import Schedule, catch_up, parameter_groups, steps_of_run
from fer_lightning.training.stage_metrics import metric_states, restore_metric_states, stage_metrics
from fer_lightning.transforms.pixel_format import Channels
from fer_lightning.transforms.preprocessing import Preprocessing
from fer_lightning.transforms.views import Tta, views

log = logging.getLogger(__name__)


class EmotionClassifier(L.LightningModule):
    """Trains and measures a network that takes float images (B, in_channels, S, S) and returns logits (B, C).

    Its hyperparameters are plain values, so that a checkpoint loads with weights_only=True and rebuilds its network.

    Args:
        network: the name that it is registered by, see `nets.registry`.
        class_names: of the C classes.
        arguments: what the network takes apart from their number: plain values.
        channels_last: lay out images and kernels as NHWC, which convolutions in bfloat16 are fastest with, if the
            network allows it.
        loss: of logits, labels and class weights.
        optimizer: makes the optimizer from parameter groups; None for a model that is not trained.
        schedule: of the learning rate; None keeps it constant.
        head_lr_scale: the learning rate of the head, the last layer, as a multiple of that of the rest.
        lr_scales: likewise for other parts of the network, by their names in it.
        decay_norms_and_biases: whether weight decay also pulls on norms and biases.
        in_channels: of the images: 1 for grey, 3 for RGB.

    Raises:
        ValueError: no such network, or arguments or scales that it does not take.
    """

    image_size: int | None
    """Height and width of the network's images; None if it takes any."""

    preprocessing: Preprocessing
    """How any picture becomes what the network takes: set by `load_model`."""

    calibration = Calibration()
    class_weights: Tensor

    @checked
    def __init__(
        self,
        network: str,
        class_names: Sequence[str] = EMOTIONS,
        arguments: Mapping[str, Any] | None = None,
        channels_last: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: Positive = 1.0,
        lr_scales: Mapping[str, Positive] | None = None,
        decay_norms_and_biases: bool = False,
        in_channels: Channels = 1,
    ) -> None:
        super().__init__()
        self.class_names = class_names = tuple(class_names)
        arguments = dict(arguments or {})
        self.save_hyperparameters("network", "class_names", "arguments", "channels_last", "in_channels", logger=False)
        net = create_network(network, len(class_names), arguments, in_channels)
        channels_last = channels_last and getattr(net, "allows_channels_last", True)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.memory_format)
        self.image_size = getattr(net, "image_size", None)
        self.register_buffer("class_weights", torch.ones(len(class_names)))
        self.loss, self.optimizer, self.schedule = loss or CrossEntropy(), optimizer, schedule
        self.decay_norms_and_biases = decay_norms_and_biases
        self._lr_scales = dict(lr_scales or {}, head=head_lr_scale)
        if missing := (lr_scales or {}).keys() - dict(net.named_modules()):
            raise ValueError(f"{min(missing)}_lr_scale is given, but {type(net).__name__} has no part {min(missing)}")
        c = len(self.class_names)
        self.train_metrics, self.val_metrics, self.test_metrics = stage_metrics(c)
        self.train_loss, self.val_loss, self.test_loss = (EpochLoss() for _ in range(3))
        self.val_confusion, self.test_confusion = MulticlassConfusionMatrix(c), MulticlassConfusionMatrix(c)
        self.test_flip_accuracy = MulticlassAccuracy(c, average="micro")
        self._scheduled_steps = 0  # of the whole run, for a schedule that must know it
        self._steps_behind = 0  # that the schedule of a longer run must be taken to, when it is resumed
        self.tta: Tta = "none"  # what is measured in testing
        self.tested: list[Tensor] = []  # log-probabilities of the tested faces, in their order

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.net_dtype, memory_format=self.memory_format)
        return self.net(images)  # type: ignore[no-any-return]

    @property
    def head(self) -> nn.Module:
        """Returns the last layer, which gives the logits; all the rest is the body."""
        return head_of(self.net)[1]

    @property
    def lr_scales(self) -> list[tuple[nn.Module, float]]:
        """Parts of the network, each with its learning rate as a multiple of optimizer.lr."""
        return [
            (self.head if part == "head" else self.net.get_submodule(part), scale)
            for part, scale in self._lr_scales.items()
        ]

    @property
    def net_dtype(self) -> torch.dtype:
        """Returns float32, or what trainer.precision=bf16-true makes of the network."""
        return next(self.net.parameters(), torch.empty(0)).dtype

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.loss.class_weights != "none":
            data = self._datamodule()
            self.class_weights.copy_(self.loss.weights(data.class_counts))
            warn_of_weightless(data.class_names, data.class_counts, self.class_weights)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, targets = batch
        logits = self(images)
        loss = self.loss.training_loss(logits, targets, self.class_weights, images)
        weights = self.loss.face_weights(targets, self.class_weights)
        self._measure(logits, targets, ((loss.detach() * weights).sum(), weights.sum()), "train", batch_idx)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, targets = batch
        logits = self(images)
        self.val_confusion.update(logits, targets)
        self._measure(logits, targets, self.loss.summed(logits, targets, self.class_weights), "val", batch_idx)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        log_p = self.log_probabilities(images, self.tta)
        self.tested.append(log_p)
        if self.tta == "none":  # what flip averaging would give is always reported
            self.test_flip_accuracy.update(self.log_probabilities(images, "flip"), labels)
        self.test_confusion.update(log_p, labels)
        self._measure(log_p, labels, self.loss.summed(log_p, labels, self.class_weights), "test", batch_idx)

    def log_probabilities(self, images: Tensor, tta: Tta = "none") -> Tensor:
        """Returns float (B, C) for normalised images (B, in_channels, S, S); probabilities are the mean over views."""
        view_log_probs = torch.stack([self(view).float().log_softmax(1) for view in views(images, tta)])
        return view_log_probs.logsumexp(0) - math.log(len(view_log_probs))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["format_version"] = FORMAT_VERSION
        checkpoint["train_metrics"] = metric_states(self._metrics_of_train(), self._processes[0])
        checkpoint["schedule_steps"] = self._steps_of_schedule()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.schedule and self.schedule.steps_as and self._steps_of_schedule() != checkpoint["schedule_steps"]:
            checkpoint["lr_schedulers"] = []  # for a run of another length; the new one is to catch up
            self._steps_behind = checkpoint["global_step"]
        restore_metric_states(self._metrics_of_train(), checkpoint.get("train_metrics", {}), *self._processes)

    def on_train_start(self) -> None:
        if self._steps_behind:
            catch_up(self.trainer.optimizers[0], self.trainer.lr_scheduler_configs[0].scheduler, self._steps_behind)
            self._steps_behind = 0

    def on_train_end(self) -> None:
        steps, taken = self._scheduled_steps, self.trainer.global_step
        if steps and steps != taken and not self.trainer.should_stop:  # a callback has changed what makes a step
            log.warning("the schedule is for %d steps, and the run took %d: its rate has not ended", steps, taken)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, FERDataModule):  # dropout must not depend on what was drawn before this step
            seed_dropout(seeds_of_step(data.seed, self.trainer)[1], self.device)

    def on_validation_epoch_start(self) -> None:
        self.val_confusion.reset()

    def on_test_epoch_start(self) -> None:
        self.test_confusion.reset()
        self.test_flip_accuracy.reset()
        self.tested = []

    def on_test_epoch_end(self) -> None:
        # Here, since processes can only share what is on their GPUs, and Lightning soon takes the model off them.
        self.test_confusion.compute()
        if self.tta == "none":
            self.test_flip_accuracy.compute()
        if self.trainer.world_size > 1:
            positions = torch.cat(self._datamodule().measured("test")[: len(self.tested)]).to(self.device)
            order = torch.cat(gather_all_tensors(positions)).argsort()
            self.tested = [torch.cat(gather_all_tensors(torch.cat(self.tested)))[order]]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        if self.optimizer is None:
            raise ValueError("this model was made without an optimizer: it predicts, but does not train")
        optimizer = self.optimizer(parameter_groups(self.net, self.head, self.lr_scales, self.decay_norms_and_biases))
        for group in optimizer.param_groups:
            group["lr"] *= group["lr_scale"]
        if self.schedule is None:
            return optimizer
        self._scheduled_steps = self._steps_of_schedule()
        val_every = self.trainer.check_val_every_n_epoch or 1
        config = self.schedule.lr_scheduler_config(optimizer, self._scheduled_steps, val_every)
        return {"optimizer": optimizer, "lr_scheduler": config}  # type: ignore[return-value]

    def _measure(
        self, logits: Tensor, targets: Tensor, summed_loss: tuple[Tensor, Tensor], stage: str, batch_idx: int
    ) -> None:
        labels = targets.argmax(1) if targets.is_floating_point() else targets  # soft ones: of FER+ votes, or mixed
        metrics, epoch_loss = getattr(self, f"{stage}_metrics"), getattr(self, f"{stage}_loss")
        metrics.update(logits.detach(), labels)
        epoch_loss.update(*summed_loss)
        if batch_idx == 0 or (stage == "train" and self.trainer.is_last_batch):
            # To name them once an epoch is enough, and Lightning takes its time for each; in the last batch too, since
            # an epoch that is resumed has no first. To read a metric at a step would be to wait for the device there.
            self.log(f"{stage}/loss", epoch_loss, on_step=False, on_epoch=True)
            self.log_dict(metrics, on_step=False, on_epoch=True)

    def _steps_of_schedule(self) -> int:
        """Returns the steps of the whole run, for a schedule that must know them; 0 for others."""
        knows = self.schedule is not None and self.schedule.steps_as is not None
        return steps_of_run(self.trainer, len(self._datamodule().train_dataloader())) if knows else 0

    def _metrics_of_train(self) -> dict[str, Metric]:
        return {"loss": self.train_loss, **dict(self.train_metrics.items(keep_base=True))}

    @property
    def _processes(self) -> tuple[int, int]:
        """Returns how many processes train together, and which of them this is."""
        return (self.trainer.world_size, self.trainer.global_rank) if self._trainer else (1, 0)

    def _datamodule(self) -> FERDataModule:
        datamodule = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(datamodule, FERDataModule):
            raise ValueError("class weights and the steps of a schedule come from a FERDataModule: fit with one")
        return datamodule
