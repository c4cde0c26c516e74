"""Sheets of faces: what a network looks at, and what it is fed."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from fer_lightning.classifier import EmotionClassifier
from fer_lightning.data import FERDataModule
from fer_lightning.report.attention import grad_cam, transformed, transformer_of
from fer_lightning.report.page import Picture
from fer_lightning.report.predictions import Predictions

FED = 12
"""Faces of the sheet of training images."""


def attention_pictures(
    model: EmotionClassifier, images: Tensor, predictions: Predictions, rows: Sequence[int]
) -> list[Picture]:
    """Grad-CAM over these faces, and what the spatial transformer makes of them where there is one.

    images: of these rows, normalised, float (B, 1, S, S), on the model's device.
    """
    predicted = predictions.predicted[list(rows)].to(images.device)
    maps, layer = grad_cam(model.net, images, predicted)
    pictures = [
        Picture.of(
            _grad_cam_figure(predictions, rows, maps.float().cpu()),
            "Grad-CAM over a right and a wrong face of each class",
            f"Grad-CAM (captum) at layer {layer}: light where the evidence for the predicted class lies. "
            "Of each class the surest right face, and the surest wrong one.",
        )
    ]
    if transformer := transformer_of(model.net):
        figure = transformer_figure(
            images.float().cpu(), *(part.float().cpu() for part in transformed(transformer, images))
        )
        caption = "Above: the face and the box that the spatial transformer reads. Below: what it hands on."
        pictures.append(Picture.of(figure, "faces before and after the spatial transformer", caption))
    return pictures


def transformer_figure(images: Tensor, warped: Tensor, boxes: Tensor) -> Figure:
    """images and warped: float (B, 1, S, S); boxes: float (B, 5, 2), closed lines in pixels."""
    count = min(len(images), 14)
    figure = Figure(figsize=(0.86 * count, 1.9), layout="constrained")
    panels = figure.subplots(2, count, squeeze=False)
    size = images.shape[-1]
    for place in range(count):
        above, below = panels[:, place]
        _show(above, images[place, 0])
        above.plot(boxes[place, :, 0], boxes[place, :, 1], color="#e69f00", linewidth=1.5)
        above.set(xlim=(-size * 0.15, size * 1.15), ylim=(size * 1.15, -size * 0.15))
        _show(below, warped[place, 0])
    return figure


def kernels_figure(kernels: Tensor, shown: int = 64) -> Figure:
    """The first kernels, float (out, in, k, k), each stretched to its own range."""
    kernels = kernels[:shown].mean(1)
    columns = min(16, len(kernels))
    rows = -(-len(kernels) // columns)
    figure = Figure(figsize=(0.55 * columns, 0.55 * rows), layout="constrained")
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if place < len(kernels):
            axes.imshow(kernels[place].numpy(), cmap="gray")
    return figure


def fed_figure(data: FERDataModule) -> Figure:
    """Training faces as they are (above) and as one epoch shows them: float pixels, without normalisation."""
    assert data.faces is not None
    assert data.augmentation is not None
    rows = data.rows["train"]
    rows = rows[torch.linspace(0, len(rows) - 1, min(FED, len(rows))).long()]
    images = data.faces.images[rows].unsqueeze(1).float() / 255
    targets = data.faces.labels[rows]
    generator = Generator().manual_seed(data.seed)
    sheets = [images]
    for _ in range(3):
        augmented = data.augmentation(images, generator)
        sheets.append(data.augmentation.mix(augmented, targets, len(data.class_names), generator)[0])
    figure = Figure(figsize=(0.95 * len(rows), 0.98 * len(sheets) + 0.2), layout="constrained")
    panels = figure.subplots(len(sheets), len(rows), squeeze=False)
    for line, sheet in zip(panels, sheets, strict=True):
        for axes, image in zip(line, sheet[:, 0], strict=True):
            axes.axis("off")
            axes.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
    for axes, row in zip(panels[0], rows.tolist(), strict=True):
        axes.set_title(data.class_names[int(data.faces.labels[row])], fontsize=9)
    return figure


def fed_picture(data: FERDataModule) -> Picture:
    return Picture.of(
        fed_figure(data),
        "training faces before and after augmentation",
        "Above: training faces as they are. Below: three times as an epoch shows them.",
    )


def _grad_cam_figure(predictions: Predictions, rows: Sequence[int], maps: Tensor) -> Figure:
    """Two lines a pair of faces and maps: the faces, and below them the same with the map over it."""
    columns = 7
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(1.7 * columns, 3.9 * lines), layout="constrained")
    panels = figure.subplots(2 * lines, columns, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    names = predictions.class_names
    for place, row in enumerate(rows):
        above, below = panels[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
        for axes in (above, below):
            axes.imshow(predictions.images[row].numpy(), cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0))
        below.imshow(maps[place].numpy(), cmap="inferno", alpha=0.55, vmin=0, vmax=1, extent=(0, 1, 1, 0))
        label, predicted = names[int(predictions.labels[row])], names[int(predictions.predicted[row])]
        right = label == predicted
        above.set_title(
            predicted if right else f"{predicted}\nis {label}", fontsize=10, color="black" if right else "#b3400a"
        )
    return figure


def _show(axes: Axes, image: Tensor) -> None:
    axes.axis("off")
    axes.imshow(image.numpy(), cmap="gray")
