"""Charts of faces: what a network looks at, and what it is fed."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from fer_lightning.data import FERDataModule
from fer_lightning.data.chart_names import chart_names
from fer_lightning.data.split_table import rows_by_set
from fer_lightning.report.charts import WRONG
from fer_lightning.report.image_sheet import TITLE, TITLE_OF_TWO_LINES, ImageSheet
from fer_lightning.report.page import Chart, Sample, face_address
from fer_lightning.report.palette import VERMILION
from fer_lightning.report.predictions import Predictions
from fer_lightning.transforms.preprocessing import scaled

FED = 12
"""Training faces that are shown before and after augmentation."""

OF_EACH = 12
"""Faces of each class and split."""

CLASSES_IN_A_ROW, WARPED_IN_A_ROW = 8, 14
"""Columns of a chart that is as wide as the page."""


def transformer_chart(images: Tensor, warped: Tensor, boxes: Tensor, names: Sequence[str]) -> Figure:
    """Draws images above what a spatial transformer hands on.

    Args:
        images: float (B, C, S, S).
        warped: the same.
        boxes: float (B, 5, 2), closed lines in pixels.
        names: what stands above the images.
    """
    images, warped, boxes = (part.detach().float().cpu() for part in (images, warped, boxes))
    columns, size = min(len(images), WARPED_IN_A_ROW), images.shape[-1]
    sheet = ImageSheet(columns, [TITLE, 0] * -(-len(images) // columns), 0.86)
    for place, name in enumerate(names):
        band, column = divmod(place, columns)
        darkest, lightest = float(images[place].min()), float(images[place].max())
        shades = [
            ((one - darkest) / max(lightest - darkest, 1e-6)).clamp(0, 1) for one in (images[place], warped[place])
        ]
        left, top, side = sheet.show(2 * band, column, shades[0], 1 / 1.3, vmin=0, vmax=1)  # the box may be outside
        sheet.show(2 * band + 1, column, shades[1], vmin=0, vmax=1)
        x, y = ((boxes[place] + 0.5) / size * side).T
        sheet.draw_line(2 * band, column, left + x, top + y, color=VERMILION, linewidth=1.5)
        sheet.write(2 * band, column, name)
    return sheet.figure


def kernels_chart(kernels: Tensor, shown: int = 64) -> Figure:
    """Draws the first kernels, float (out, in, k, k), each stretched to its own range: in colour where they are."""
    kernels = kernels[:shown]
    kernels = kernels if kernels.shape[1] == 3 else kernels.mean(1, keepdim=True)
    columns = min(16, len(kernels))
    sheet = ImageSheet(columns, [0.0] * -(-len(kernels) // columns), 0.55)
    for place, kernel in enumerate(kernels):
        least, most = kernel.min(), kernel.max()
        sheet.show(*divmod(place, columns), (kernel - least) / (most - least).clamp(min=1e-12))
    return sheet.figure


def class_samples(data: FERDataModule) -> list[tuple[str, list[tuple[str, list[Sample]]]]]:
    """Returns, for each class, faces of each split, spread evenly over it, and how many there are.

    Each split of each set has its own row: they may number or name their classes in different ways.
    """
    faces = data.faces
    assert faces is not None

    def sample(row: int) -> Sample:
        file = f", {faces.files[row]}" if faces.files and faces.files[row] else ""
        set_name = "" if faces.sets is None else f"{faces.set_names[int(faces.sets[row])]}, "
        where = f"{set_name}{faces.part_names[int(faces.parts[row])]}, row {int(faces.numbers[row]):,}{file}"
        return Sample(face_address(faces.images[row]), where)

    classes = []
    for label, name in enumerate(faces.class_names):
        rows = []
        for split, in_split in rows_by_set(faces, data.rows).items():
            here = in_split[faces.labels[in_split] == label]
            shown = here[torch.linspace(0, len(here) - 1, min(OF_EACH, len(here))).long()]
            rows.append((f"{split}, {len(here):,} faces", [sample(row) for row in shown.tolist()]))
        classes.append((name, rows))
    return classes


def augmentation_chart(data: FERDataModule) -> Chart:
    """Returns what train.py shows of augmentation before a training (debug=look) and after it."""
    caption = "Above: training faces as they are. Below: three times as an epoch shows them."
    return Chart.of(_fed_chart(data), "training faces before and after augmentation", caption)


def _fed_chart(data: FERDataModule) -> Figure:
    """Draws training faces as they are, and below as one epoch shows them: float pixels, without normalisation."""
    assert data.faces is not None
    assert data.augmentation is not None
    rows = data.rows["train"]
    rows = rows[torch.linspace(0, len(rows) - 1, min(FED, len(rows))).long()]
    images = scaled(data.faces.images[rows])
    targets = data.faces.labels[rows]
    generator = Generator().manual_seed(data.seed)
    batches = [images]
    for _ in range(3):
        augmented = data.augmentation(images, generator)
        batches.append(data.augmentation.mix(augmented, targets, len(data.class_names), generator)[0])
    sheet = ImageSheet(len(rows), [TITLE, *[0] * (len(batches) - 1)], 0.95)
    for line, shown in enumerate(batches):
        for column, image in enumerate(shown):
            sheet.show(line, column, image, vmin=0, vmax=1)
    names = chart_names(data.class_names)
    for column, label in enumerate(targets.tolist()):
        sheet.write(0, column, names[label])
    return sheet.figure


def grad_cam_chart(predictions: Predictions, rows: Sequence[int], maps: Tensor) -> Figure:
    """Draws a column for each class: a right face and a wrong one, each above itself with its map, float (B, S, S)."""
    names = chart_names(predictions.class_names)
    columns = min(len(names), CLASSES_IN_A_ROW)
    bands = -(-len(names) // columns)
    sheet = ImageSheet(columns, [TITLE, 0, TITLE_OF_TWO_LINES, 0] * bands, 1.5)
    for row, heat in zip(rows, maps, strict=True):
        label, predicted = int(predictions.labels[row]), int(predictions.predicted[row])
        right = label == predicted
        band, column = divmod(label, columns)
        above = 4 * band + (0 if right else 2)
        for line in (above, above + 1):
            sheet.show(line, column, predictions.images[row], vmin=0, vmax=255)
        sheet.show(above + 1, column, heat.numpy(), cmap="inferno", alpha=0.55, vmin=0, vmax=1)
        title = names[predicted] if right else f"{names[predicted]},\nlabelled {names[label]}"
        sheet.write(above, column, title, color="black" if right else WRONG)
    return sheet.figure
