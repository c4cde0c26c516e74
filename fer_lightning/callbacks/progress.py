"""Shows the progress of a training."""

import logging
import math
import sys
import time
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from torch import nn

from fer_lightning.callbacks.fit_loop import goes_on_within_epoch
from fer_lightning.processes import side_by_side
from fer_lightning.training.classifier import EmotionClassifier

log = logging.getLogger(__name__)

REDRAW_S = 0.5
"""Seconds after which a bar is redrawn, also if refresh_rate batches have not passed."""


class ProgressBar(TQDMProgressBar):
    """A bar over the batches of the running epoch, and a line that stays for each finished one.

    Where the output is not a terminal, or several jobs share it, there is no bar, only the lines.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate if sys.stdout.isatty() and not side_by_side() else 0)
        self._last: dict[str, str] = {}
        self._redrawn = 0.0

    def init_validation_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)

    def get_metrics(self, trainer: L.Trainer, model: L.LightningModule) -> dict[str, Any]:
        """Returns what stands next to the bar: the results of the epoch before."""
        return self._last

    def on_train_start(self, trainer: L.Trainer, *arguments: Any) -> None:
        self._last = {}
        super().on_train_start(trainer, *arguments)
        if goes_on_within_epoch(trainer):  # which has started before
            self.on_train_epoch_start(trainer)

    def on_train_epoch_start(self, trainer: L.Trainer, *arguments: Any) -> None:
        super().on_train_epoch_start(trainer, *arguments)
        self.train_progress_bar.set_description(_epoch(trainer))
        self._validated = False

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._redraw_if_late(self.train_progress_bar, batch_idx + 1)

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        super().on_test_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)
        self._redraw_if_late(self.test_progress_bar, batch_idx + 1)

    def _redraw_if_late(self, bar: Tqdm, batches: int) -> None:
        """Moves the bar on between two of its usual times, where steps are slow."""
        now = time.perf_counter()
        if self.is_enabled and not bar.disable and bar.n < batches and now - self._redrawn > REDRAW_S:
            bar.n, self._redrawn = batches, now
            bar.refresh()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        self._validated = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        parts = [_epoch(trainer)]
        for stage in ("train", "val") if self._validated else ("train",):
            if f"{stage}/loss" in metrics:
                parts.append(f"{stage} loss {metrics[f'{stage}/loss']:.3f} accuracy {metrics[f'{stage}/accuracy']:.1%}")
        if "train/images_per_second" in metrics:
            parts.append(f"{metrics['train/images_per_second']:,.0f} images/s")
        self._last = {name: f"{metrics[name]:.3f}" for name in ("val/loss", "val/accuracy") if name in metrics}
        if self._validated and _is_best(trainer, metrics):
            parts.append("best so far")
        with Tqdm.external_write_mode(file=sys.stdout):  # the bar makes room for what the log, and its file, get
            log.info("%s", "  ".join(parts))


class NetworkSummary(Callback):
    """Logs the network's layers: how many parameters each has, and how many of them are frozen.

    Lightning's ModelSummary has a row for each metric of the module too, and says of no layer what is frozen.
    """

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmotionClassifier)
        net = pl_module.net
        lines = [_summary_line(name, child) for name, child in net.named_children()]
        log.info("network:\n%s", "\n".join([*lines, _summary_line("all", net)]))


class Throughput(Callback):
    """Logs train/images_per_second, of the whole epoch without its validations.

    Lightning's ThroughputMonitor has batches per second of the last steps, validations between them included.
    """

    def __init__(self) -> None:
        self._images, self._begun, self._paused, self._ended = 0, 0.0, 0.0, 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # a resumed epoch has started before

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._images, self._begun, self._ended = 0, _now(pl_module), 0.0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(batch[1])
        if trainer.is_last_batch:
            self._ended = _now(pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._paused = _now(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self._ended:
            self._begun += _now(pl_module) - self._paused  # as if there had been none

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        speed = self._images * trainer.world_size / ((self._ended or _now(pl_module)) - self._begun)
        pl_module.log("train/images_per_second", speed, rank_zero_only=True)


def _now(pl_module: L.LightningModule) -> float:
    """Returns the time at which all steps so far are done: on a GPU, they are only queued."""
    if pl_module.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _epoch(trainer: L.Trainer) -> str:
    total = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""  # -1 is without end
    return f"epoch {trainer.current_epoch + 1:>3}{total}"


def _is_best(trainer: L.Trainer, metrics: dict[str, float]) -> bool:
    """Returns whether this epoch will be best.ckpt, before the checkpoint callback, which comes last, has judged it."""
    checkpoint = trainer.checkpoint_callback
    if not isinstance(checkpoint, ModelCheckpoint) or checkpoint.monitor not in metrics:
        return False
    value, best = metrics[checkpoint.monitor], checkpoint.best_model_score
    if not math.isfinite(value):
        return False
    return best is None or (value < float(best) if checkpoint.mode == "min" else value > float(best))


def _summary_line(name: str, layer: nn.Module) -> str:
    parameters = sum(p.numel() for p in layer.parameters())
    frozen = sum(p.numel() for p in layer.parameters() if not p.requires_grad)
    note = f", {frozen:,} of them frozen" if frozen else ""
    return f"  {name:<12} {type(layer).__name__:<20} {parameters:>12,} parameters{note}"
