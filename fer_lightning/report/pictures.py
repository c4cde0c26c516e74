"""Pictures for TensorBoard: what the network is fed, and which emotions it takes for which."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import make_grid

from fer_lightning.classifier import EmotionClassifier


class TensorBoardPictures(Callback):
    """A sheet of augmented training faces from the first batch; the confusion matrix after each val and test.

    Args:
        faces: how many faces the sheet shows at most.
    """

    def __init__(self, faces: int = 64) -> None:
        if faces < 1:
            raise ValueError(f"faces is {faces}; it must be at least 1")
        self.faces = faces

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch > 0 or batch_idx > 0:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        faces = batch[0][: self.faces].float().cpu() * data.std + data.mean
        for board in _boards(trainer):
            board.add_image("train/augmented_faces", make_grid(faces.clamp(0, 1), nrow=8), trainer.global_step)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmotionClassifier)
        _draw(trainer, "val", pl_module.val_confusion.compute(), pl_module.class_names)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmotionClassifier)
        _draw(trainer, "test", pl_module.test_confusion.compute(), pl_module.class_names)


def confusion_figure(counts: Tensor, class_names: tuple[str, ...]) -> Figure:
    """counts: int64 (C, C), true class by predicted class. Cells hold counts; the shade is the share of the row."""
    figure = Figure(figsize=(6, 5.4), layout="constrained")
    axes = figure.add_subplot()
    shares = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    image = axes.imshow(shares.numpy(), cmap="cividis", vmin=0, vmax=1)
    for row, column in torch.cartesian_prod(torch.arange(len(counts)), torch.arange(len(counts))).tolist():
        colour = "black" if shares[row, column] > 0.55 else "white"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(class_names)), class_names, rotation=30, ha="right")
    axes.set_yticks(range(len(class_names)), class_names)
    axes.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    return figure


def _draw(trainer: L.Trainer, stage: str, confusion: Tensor, class_names: tuple[str, ...]) -> None:
    for board in _boards(trainer):
        board.add_figure(f"{stage}/confusion", confusion_figure(confusion.cpu(), class_names), trainer.global_step)


def _boards(trainer: L.Trainer) -> list[Any]:
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
