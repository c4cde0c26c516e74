"""Pictures for TensorBoard: what the network is fed, what it has learnt to see, and what it says of test faces."""

from typing import Annotated, Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from pydantic import Field
from torch import Tensor
from torchvision.utils import make_grid

from fer_lightning.data.chart_names import chart_names
from fer_lightning.nets.first_layer import first_convolution
from fer_lightning.report.attention import transformed, transformer_of
from fer_lightning.report.charts import WRONG, confusion_chart
from fer_lightning.report.face_charts import kernels_chart, transformer_chart
from fer_lightning.report.image_sheet import TITLE_OF_TWO_LINES, ImageSheet
from fer_lightning.report.page import attempted
from fer_lightning.signature import checked
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.transforms.pixels import ImageStore

TRANSFORMED = 14
"""Faces of val that are shown before and after a spatial transformer."""


class TensorBoardPictures(Callback):
    """Augmented training faces, the confusion matrix, what a spatial transformer makes of val faces, the kernels of the
    first layer, predictions for test faces and precision–recall curves.

    The training faces are those of the first batch; matrix and transformer are drawn after each val, the rest at the
    end.

    Args:
        faces: how many faces a picture shows at most.
    """

    @checked
    def __init__(self, faces: Annotated[int, Field(ge=1)] = 64) -> None:
        self.faces = faces

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch > 0 or batch_idx > 0:
            return
        with attempted("the augmented faces"):
            self._add_augmented_faces(trainer, batch)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmotionClassifier)
        if _boards(trainer):
            with attempted("val's pictures"):
                self._add_val_pictures(trainer, pl_module)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmotionClassifier)
        if _boards(trainer):
            with attempted("test's pictures"):
                self._add_test_pictures(trainer, pl_module)

    def _add_augmented_faces(self, trainer: L.Trainer, batch: Any) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        faces = data.preprocessing.pixels(batch[0][: self.faces].float().cpu())
        for board in _boards(trainer):
            board.add_image("train/augmented_faces", make_grid(faces.clamp(0, 1), nrow=8), trainer.global_step)

    def _add_val_pictures(self, trainer: L.Trainer, pl_module: EmotionClassifier) -> None:
        _draw(trainer, "val", pl_module.val_confusion.compute(), pl_module.class_names)
        transformer = transformer_of(pl_module.net)
        if transformer is None:
            return
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        rows = datamodule.rows["val"][:TRANSFORMED]
        batch = datamodule.faces.images[rows], datamodule.faces.labels[rows]
        images, _ = trainer.strategy.batch_to_device(batch)  # which normalises them too
        warped, boxes = transformed(transformer, images)
        names = chart_names(pl_module.class_names)
        names = [names[label] for label in batch[1].tolist()]
        figure = transformer_chart(images, warped, boxes, names)
        for board in _boards(trainer):
            board.add_figure("val/spatial_transformer", figure, trainer.global_step)

    def _add_test_pictures(self, trainer: L.Trainer, pl_module: EmotionClassifier) -> None:
        _draw(trainer, "test", pl_module.test_confusion.compute(), pl_module.class_names)
        kernels = first_convolution(pl_module.net)[1].weight.detach().float().cpu()
        for board in _boards(trainer):
            board.add_figure("test/first_kernels", kernels_chart(kernels), trainer.global_step)
            board.add_figure("test/predictions", self._predictions(trainer, pl_module), trainer.global_step)
        probabilities = torch.cat(pl_module.tested).exp().cpu()
        data = trainer.datamodule  # type: ignore[attr-defined]
        labels = data.faces.labels[data.rows["test"][: len(probabilities)]]
        for board in _boards(trainer):
            for label, name in enumerate(pl_module.class_names):
                board.add_pr_curve(f"test/{name}", labels == label, probabilities[:, label], trainer.global_step)

    def _predictions(self, trainer: L.Trainer, model: EmotionClassifier) -> Figure:
        """Draws predictions for faces spread evenly over the test split: all emotions, in whatever order they come."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        rows = datamodule.rows["test"]
        rows = rows[torch.linspace(0, len(rows) - 1, min(self.faces, len(rows))).long()]
        pixels, labels = datamodule.faces.images[rows], datamodule.faces.labels[rows]
        images, _ = trainer.strategy.batch_to_device((pixels, labels))  # which normalises them too
        with trainer.precision_plugin.forward_context():
            probabilities = model(images).float().softmax(1).cpu()
        return prediction_chart(pixels, labels, probabilities, model.class_names)


def prediction_chart(pixels: ImageStore, labels: Tensor, probabilities: Tensor, class_names: tuple[str, ...]) -> Figure:
    """Draws each face with its predicted emotion and that one's probability; the true one below where it is another.

    Args:
        pixels: uint8 (N, C, H, W).
        labels: int64 (N,).
        probabilities: float (N, C).
        class_names: of the C classes.
    """
    columns, names = 8, chart_names(class_names)
    sheet = ImageSheet(columns, [TITLE_OF_TWO_LINES] * -(-len(labels) // columns), 1.3)
    for place in range(len(labels)):
        row, column = divmod(place, columns)
        sheet.show(row, column, pixels[place], vmin=0, vmax=255)
        predicted, label = int(probabilities[place].argmax()), int(labels[place])
        right = predicted == label
        title = f"{names[predicted]} {probabilities[place, predicted]:.0%}"
        title += "" if right else f"\nis {names[label]}"
        style = {"color": "black"} if right else {"color": WRONG, "fontweight": "bold"}
        sheet.write(row, column, title, fontsize=8, **style)
    return sheet.figure


def _draw(trainer: L.Trainer, stage: str, confusion: Tensor, class_names: tuple[str, ...]) -> None:
    for board in _boards(trainer):
        board.add_figure(f"{stage}/confusion", confusion_chart(confusion.cpu(), class_names), trainer.global_step)


def _boards(trainer: L.Trainer) -> list[Any]:
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
