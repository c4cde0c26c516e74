"""A run's curves: loss, accuracy and speed of each epoch, the learning rate of each step."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_lightning.command_line import better
from fer_lightning.report.charts import BLUE, GREY, ORANGE

TRAIN, VAL, CHOSEN = BLUE, ORANGE, GREY


def curves_figure(metrics: pd.DataFrame, monitor: str) -> Figure:
    """Of the columns that Lightning's CSVLogger writes; the epoch that is best by monitor is marked."""
    epochs = metrics.groupby("epoch").max(numeric_only=True)  # one line a metric and epoch: the others are empty
    epochs.index += 1
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    panels = figure.subplots(2, 2).flatten()
    for axes, name in zip(panels, ("loss", "accuracy"), strict=False):
        for stage, colour in (("train", TRAIN), ("val", VAL)):
            if f"{stage}/{name}" in epochs:
                epochs[f"{stage}/{name}"].dropna().plot(ax=axes, color=colour, label=stage, marker="o", markersize=3)
        axes.set(xlabel="epoch", ylabel=name)
        if monitor in epochs and len(scores := epochs[monitor].dropna()):
            place = scores.argmin() if better(monitor) == "min" else scores.argmax()
            axes.axvline(scores.index.to_numpy()[place], color=CHOSEN, linestyle=":", label=f"best {monitor}")
        axes.legend()
    _draw_rates(panels[2], metrics)
    if "train/images_per_second" in epochs:
        epochs["train/images_per_second"].dropna().plot(ax=panels[3], color=TRAIN, marker="o", markersize=3)
    panels[3].set(xlabel="epoch", ylabel="images/s in training", ylim=(0, None))
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _draw_rates(axes: Axes, metrics: pd.DataFrame) -> None:
    """One line for each learning rate that some parameters have; groups with the same rates share a line."""
    lines: dict[tuple[float, ...], pd.Series] = {}
    for column in (name for name in metrics if str(name).startswith("lr-")):
        rates = metrics.set_index("step")[column].dropna()
        lines.setdefault(tuple(rates), rates)
    for rates in lines.values():
        rates.plot(ax=axes, color=TRAIN)
    axes.set(xlabel="step", ylabel="learning rate")
