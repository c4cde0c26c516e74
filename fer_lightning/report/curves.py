"""Curves of a run, loss, accuracy and speed of each epoch and the learning rate of each step; and of several runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_lightning.report.charts import COLOURS, GREY
from fer_lightning.report.page import Key
from fer_lightning.report.palette import BLUE, VERMILION
from fer_lightning.training.metrics import better

DASHES = {"-": "", "--": "9 3", ":": "3 3", "-.": "9 3 3 3"}
"""matplotlib's line styles, and SVG's for the legend. With charts.COLOURS, they tell 28 runs apart."""

FEW = 20
"""Points up to which each of a line is marked: a line of one point is nothing without its mark."""

DIVERGED = 3
"""Times the highest loss of the calmest run: from there on, the curve of another leaves the chart."""


def curves_chart(metrics: pd.DataFrame, monitor: str) -> Figure:
    """Draws the columns of metrics.csv; the epoch that is best by monitor is marked."""
    epochs = epoch_table(metrics)
    has_rates = any(str(name).startswith("lr-") for name in metrics)
    has_speed = "train/images_per_second" in epochs
    rows = 2 if has_rates or has_speed else 1
    figure = Figure(figsize=(11, 3.2 * rows), layout="constrained")
    panels = list(figure.subplots(rows, 2, squeeze=False).flat)
    for axes, name in zip(panels, ("loss", "accuracy"), strict=False):
        for stage, colour in (("train", BLUE), ("val", VERMILION)):
            if f"{stage}/{name}" in epochs:
                epochs[f"{stage}/{name}"].dropna().plot(ax=axes, color=colour, label=stage, marker="o", markersize=3)
        axes.set(xlabel="epoch", ylabel=name)
        if monitor in epochs and len(scores := epochs[monitor].dropna()):
            place = scores.argmin() if better(monitor) == "min" else scores.argmax()
            axes.axvline(scores.index.to_numpy()[place], color=GREY, linestyle=":", label=f"best {monitor}")
        axes.legend()
    if has_rates:
        _draw_rates(panels[2], metrics)
    if has_speed:
        axes = panels[3 if has_rates else 2]
        epochs["train/images_per_second"].dropna().plot(ax=axes, color=BLUE, marker="o", markersize=3)
        axes.set(xlabel="epoch", ylabel="images/s in training", ylim=(0, None))
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.ticklabel_format(axis="y", useOffset=False)  # no "+1.9e0" above the values of a single epoch
        axes.set_visible(axes.has_data())
        if axes.get_xlabel() == "epoch":
            axes.set_xlim(0.5, max(epochs.index, default=1) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def curves_of_runs(runs: Mapping[str, pd.DataFrame]) -> tuple[Figure, list[Key], list[str]]:
    """Draws val loss and accuracy of runs over each other; returns also the legend and, in words, which diverged."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    losses: dict[str, pd.Series] = {}
    legend = []
    for place, (run, metrics) in enumerate(runs.items()):
        epochs = epoch_table(metrics)
        colour, style = COLOURS[place % len(COLOURS)], list(DASHES)[place // len(COLOURS) % len(DASHES)]
        legend.append(Key(run, colour, DASHES[style]))
        for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
            if f"val/{name}" in epochs:
                values = epochs[f"val/{name}"].dropna()
                marker = "o" if len(values) <= FEW else None
                axes.plot(values.index, values, color=colour, linestyle=style, marker=marker, markersize=4)
        if {"val/loss", "val/accuracy"} <= set(epochs):
            losses[run] = epochs["val/loss"][epochs["val/accuracy"].notna()]  # of the epochs that were validated
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        axes.set(xlabel="epoch", ylabel=f"val {name}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.ticklabel_format(axis="y", useOffset=False)
    top = _readable_top(list(losses.values()))
    panels[0].set_ylim(top=top)
    divergences = []
    for run, values in losses.items():
        if not np.isfinite(values).all():
            divergences.append(f"{run} has diverged: its val loss is no finite number in some epochs.")
        elif top is not None and values.max() > top:
            divergences.append(f"The val loss of {run} leaves the picture: it reaches {values.max():.3g}.")
    return figure, legend, divergences


def _readable_top(losses: Sequence[pd.Series]) -> float | None:
    """Returns where the loss axis has to end for the calmest run to be readable; None where nothing is in its way."""
    highest = [float(finite.max()) for values in losses if len(finite := values[np.isfinite(values)])]
    return DIVERGED * min(highest) if highest and max(highest) > DIVERGED * min(highest) else None


def epoch_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """Returns a row for each epoch, from 1; the CSV has a line for each metric and epoch, whose other cells are empty.

    Without the test's line, which counts as of the epoch after the last.
    """
    epochs = metrics.groupby("epoch").max(numeric_only=True).filter(regex="^(train|val)/").dropna(how="all")
    epochs.index += 1
    return epochs


def _draw_rates(axes: Axes, metrics: pd.DataFrame) -> None:
    """Draws a line for each learning rate that some parameters have; groups with the same rates share one."""
    lines: dict[tuple[float, ...], pd.Series] = {}
    for column in (name for name in metrics if str(name).startswith("lr-")):
        rates = metrics.set_index("step")[column].dropna()
        lines.setdefault(tuple(rates), rates)
    for rates, colour in zip(lines.values(), COLOURS, strict=False):
        marker = "o" if len(rates) <= FEW else None
        optimizer = str(rates.name).removeprefix("lr-").partition("/")[0]  # and "pg1", which tells nobody anything
        label = f"{optimizer}, up to {rates.max():.3g}"
        rates.plot(ax=axes, color=colour, marker=marker, markersize=3, label=label)
    if len(lines) > 1:
        axes.legend()
    axes.set(xlabel="step", ylabel="learning rate")
