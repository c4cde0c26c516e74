"""Charts of a tested network, drawn by matplotlib for the report's page and for TensorBoard."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import multiclass_average_precision, multiclass_precision_recall_curve

from fer_lightning.data.chart_names import chart_names
from fer_lightning.report.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from fer_lightning.report.predictions import BINS, Predictions
from fer_lightning.report.results import wilson_interval
from fer_lightning.training.risk_coverage import RiskCoverage

Numbers = NDArray[np.floating]

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Of lines that are told apart, in turn."""

GREY, WRONG = "#555555", "#b3400a"

LEVEL = 9
"""Classes up to which their names have room next to each other."""


def confusion_chart(counts: Tensor, class_names: tuple[str, ...], shares: bool = False) -> Figure:
    """Draws a confusion matrix; the shade is the share of the true class.

    Args:
        counts: int64 (C, C), true class by predicted class.
        class_names: of the C classes.
        shares: the cells hold that share, in percent, not the counts.
    """
    side = max(5, 0.56 * len(counts) + 1)  # of few classes, two of them fit next to each other on the page
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    row_shares = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    image = axes.imshow(row_shares.numpy(), cmap="cividis", vmin=0, vmax=1)
    for row, column in torch.cartesian_prod(torch.arange(len(counts)), torch.arange(len(counts))).tolist():
        share = f"{row_shares[row, column]:.0%}" if counts[row].any() else "–"
        text = share if shares else f"{counts[row, column]:,}"
        colour = "black" if row_shares[row, column] > 0.55 else "white"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    names = chart_names(class_names)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    return figure


def per_class_chart(table: pd.DataFrame) -> Figure:
    """Draws precision, recall and F1 of each class, with their 95% intervals: of `Results.per_class()`."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(table))
    for shift, (name, colour) in enumerate((("precision", BLUE), ("recall", VERMILION), ("f1", GREEN))):
        value, low, high = (table[f"{name}{end}"].to_numpy() for end in ("", "_low", "_high"))
        at = places + (shift - 1) * 0.26
        axes.bar(at, value, 0.24, color=colour, label=name if name != "f1" else "F1")
        _draw_intervals(axes, at, value, low, high)
        for place in at[np.isnan(value)]:
            axes.text(place, 0.01, "–", ha="center", va="bottom", color=colour)
    counts = zip(chart_names([*table.index]), table["faces"], strict=True)
    names = [f"{name}\n{faces:,.0f}" for name, faces in counts]
    if len(table) > LEVEL:
        axes.set_xticks(places, [name.replace("\n", ", ") for name in names], rotation=30, ha="right")
    else:
        axes.set_xticks(places, names)
    axes.set(ylim=(0, 1), ylabel="share")
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.16), frameon=False)
    axes.grid(axis="y", alpha=0.3)
    return figure


def precision_recall_chart(predictions: Predictions) -> Figure:
    """Draws a curve for each class that has faces, with its average precision."""
    probabilities, labels, classes = predictions.probabilities, predictions.labels, len(predictions.class_names)
    precisions, recalls, _ = multiclass_precision_recall_curve(probabilities, labels, classes)
    averages = multiclass_average_precision(probabilities, labels, classes, average="none")
    shown = torch.bincount(labels, minlength=classes).nonzero().flatten().tolist()
    columns = min(4, len(shown))
    rows, names = -(-len(shown) // columns), chart_names(predictions.class_names)
    figure = Figure(figsize=(3 * columns, 2.4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes in panels[len(shown) :]:
        axes.axis("off")
    for axes, place in zip(panels, shown, strict=False):
        share = float((labels == place).float().mean())
        axes.axhline(share, color=GREY, linestyle=":", linewidth=1)
        axes.plot(recalls[place].numpy(), precisions[place].numpy(), color=BLUE)
        axes.set_title(f"{names[place]}, average {averages[place]:.2f}", fontsize=10)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    figure.supxlabel("recall", fontsize=10)
    figure.supylabel("precision", fontsize=10)
    return figure


def reliability_chart(predictions: Predictions) -> Figure:
    """Draws the accuracy at each confidence, with 95% intervals, and how many faces have that confidence."""
    edges = np.linspace(0, 1, BINS + 1)
    confidence, right = predictions.confidence.numpy(), predictions.right.numpy()
    place = np.clip(np.digitize(confidence, edges) - 1, 0, BINS - 1)
    count = np.bincount(place, minlength=BINS)
    accuracy = np.bincount(place, right, minlength=BINS) / np.maximum(count, 1)
    figure = Figure(figsize=(5.4, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middle, filled = (edges[:-1] + edges[1:]) / 2, count > 0
    above.plot((0, 1), (0, 1), color=GREY, linestyle=":", label="perfectly calibrated")
    above.bar(middle[filled], accuracy[filled], 1 / BINS * 0.92, color=BLUE, label="accuracy")
    hits = np.bincount(place, right, minlength=BINS)[filled]
    ends = [wilson_interval(int(hit), int(faces)) for hit, faces in zip(hits, count[filled], strict=True)]
    _draw_intervals(above, middle[filled], accuracy[filled], *np.array(ends).reshape(-1, 2).T)
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    above.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)  # a bar can be anywhere below
    below.bar(middle, count, 1 / BINS * 0.92, color=VERMILION)
    below.set(xlabel="confidence: probability of the predicted class", ylabel="faces")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure


def risk_coverage_chart(curves: Mapping[str, RiskCoverage], unsure_below: float) -> Figure:
    """Draws the accuracy over the share of faces that are answered; points where they are those from a confidence on.

    Args:
        curves: by their names.
        unsure_below: that confidence; 0 for none.
    """
    figure = Figure(figsize=(5.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(curve.coverage.numpy(), curve.accuracy.numpy(), color=colour, label=name)
        faces, right = curve.answered_from(unsure_below)
        if unsure_below and faces:
            axes.plot(faces / int(curve.answered[-1]), right / faces, "o", color=colour, clip_on=False)
    if unsure_below:
        axes.plot([], [], "o", color=GREY, label=f"unsure below {unsure_below:.1%}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of the faces that is answered", ylabel="share that is right")
    axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    axes.grid(alpha=0.3)
    return figure


def _draw_intervals(axes: Axes, at: Numbers, value: Numbers, low: Numbers, high: Numbers) -> None:
    """Draws intervals over bars that are as high as value."""
    reach = np.abs(np.stack([value - low, high - value]))  # of 0 and 1, rounding can leave an end just inside of it
    axes.errorbar(at, value, reach, fmt="none", ecolor="black", elinewidth=1, capsize=2)
