"""A run's curves: loss, accuracy and speed of each epoch, the learning rate of each step."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_lightning.command_line import better
from fer_lightning.report.charts import BLUE, COLOURS, GREY, ORANGE


def curves_figure(metrics: pd.DataFrame, monitor: str) -> Figure:
    """Of the columns that Lightning's CSVLogger writes; the epoch that is best by monitor is marked."""
    epochs = of_epochs(metrics)
    has_rates = any(str(name).startswith("lr-") for name in metrics)
    has_speed = "train/images_per_second" in epochs
    rows = 2 if has_rates or has_speed else 1
    figure = Figure(figsize=(11, 3.2 * rows), layout="constrained")
    panels = list(figure.subplots(rows, 2, squeeze=False).flat)
    for axes, name in zip(panels, ("loss", "accuracy"), strict=False):
        for stage, colour in (("train", BLUE), ("val", ORANGE)):
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
        axes.set_visible(axes.has_data())
        if axes.get_xlabel() == "epoch":
            axes.set_xlim(0.5, len(epochs) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def of_epochs(metrics: pd.DataFrame) -> pd.DataFrame:
    """A row an epoch, from 1, of the CSV's one line a metric and epoch, whose other cells are empty."""
    epochs = metrics.groupby("epoch").max(numeric_only=True)
    epochs.index += 1
    return epochs


def _draw_rates(axes: Axes, metrics: pd.DataFrame) -> None:
    """One line for each learning rate that some parameters have; groups with the same rates share a line."""
    lines: dict[tuple[float, ...], pd.Series] = {}
    for column in (name for name in metrics if str(name).startswith("lr-")):
        rates = metrics.set_index("step")[column].dropna()
        lines.setdefault(tuple(rates), rates)
    for rates, colour in zip(lines.values(), COLOURS, strict=False):
        marker = "o" if len(rates) < 20 else None
        rates.plot(ax=axes, color=colour, marker=marker, markersize=3, label=str(rates.name).removeprefix("lr-"))
    if len(lines) > 1:
        axes.legend()
    axes.set(xlabel="step", ylabel="learning rate")
