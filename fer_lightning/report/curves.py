"""A run's curves as a picture: loss and accuracy of each epoch, the learning rate of each step."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.command_line import better

TRAIN, VAL, CHOSEN = "#0072b2", "#d55e00", "#555555"
"""Okabe and Ito's colours, told apart by the colour-blind, and a grey."""


def draw_curves(run_dir: Path, monitor: str) -> Path | None:
    """Writes run_dir/report/curves.png from run_dir/metrics.csv; None where there is no such file (logger=…)."""
    file = run_dir / "metrics.csv"
    if not file.is_file():
        return None
    path = run_dir / "report" / "curves.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    curves_figure(pd.read_csv(file), monitor).savefig(path, dpi=120)
    return path


def curves_figure(metrics: pd.DataFrame, monitor: str) -> Figure:
    """Of the columns that Lightning's CSVLogger writes; the epoch that is best by monitor is marked."""
    epochs = metrics.groupby("epoch").max(numeric_only=True)  # one line a metric and epoch: the others are empty
    epochs.index += 1
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
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
    for axes in panels:
        axes.grid(alpha=0.3)
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
