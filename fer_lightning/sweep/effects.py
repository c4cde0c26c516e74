"""Draws what each parameter of a sweep does to the score, over whatever the others were."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.report.palette import BLUE, VERMILION
from fer_lightning.sweep.table import overrides_in

LEVELS = 8
"""Values of a parameter up to which each has its own mean."""

FIFTHS = 10
"""Jobs from which on a parameter that takes any number has a mean for each fifth of them."""


def effects_chart(table: pd.DataFrame, monitor: str) -> Figure | None:
    """Draws a panel for each parameter that varies, the one whose means differ most first; returns None if none does.

    A dot is a job, a diamond a mean.

    Args:
        table: of `sweep_table`.
    """
    done = table[table[monitor].notna()]
    varied = [name for name in overrides_in(table, monitor) if done[name].nunique(dropna=False) > 1]
    if not varied:
        return None
    means = {name: _means(done[name], done[monitor]) for name in varied}
    names = sorted(varied, key=lambda name: _spread(means[name]), reverse=True)
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, name in zip(panels, names, strict=False):
        _draw(axes, done[name], done[monitor], means[name])
        differ = f"\nmeans differ by {_spread(means[name]):.4f}" if len(means[name]) else ""
        axes.set_title(f"{name}{differ}", fontsize=10)
        axes.grid(alpha=0.3)
    for axes in panels[len(names) :]:
        axes.axis("off")
    figure.supylabel(monitor, fontsize=10)
    left_out = f"; the other {len(table) - len(done)} have no score" if len(done) < len(table) else ""
    lines = (f"{len(done)} jobs{left_out}.", "Dots: jobs. Diamonds: means", "over whatever else varied.")
    figure.suptitle(("\n" if columns == 1 else " ").join(lines), fontsize=10)
    return figure


def _means(values: pd.Series, scores: pd.Series) -> pd.DataFrame:
    """Returns `at`: a value as text, or the middle of a fifth of the numbers; `mean`: of the scores there."""
    numbers = _continuous(values)
    if numbers is None:
        means = scores.groupby(_levels(values)).mean().rename("mean").rename_axis("at").reset_index()
        if pd.to_numeric(means["at"], errors="coerce").notna().all():
            return means.sort_values("at", key=pd.to_numeric, ignore_index=True)
        return means
    if len(numbers) < FIFTHS:
        return pd.DataFrame({"at": [], "mean": []})
    fifths = pd.qcut(numbers, 5, labels=False, duplicates="drop")
    return pd.DataFrame({"at": numbers.groupby(fifths).median(), "mean": scores.groupby(fifths).mean()})


def _draw(axes: Axes, values: pd.Series, scores: pd.Series, means: pd.DataFrame) -> None:
    numbers = _continuous(values)
    if numbers is not None:
        axes.scatter(numbers, scores, s=18, color=BLUE, alpha=0.6)
        axes.plot(means["at"], means["mean"], color=VERMILION, marker="D", markersize=5)
        if numbers.min() > 0 and numbers.max() / numbers.min() >= 20:
            axes.set_xscale("log")
        return
    levels = means["at"].tolist()
    places = _levels(values).map(levels.index).to_numpy()
    # Next to each other, so that equal scores can be told apart; the same chart each time.
    shifts = np.random.default_rng(0).uniform(-0.12, 0.12, len(places))
    axes.scatter(places + shifts, scores, s=18, color=BLUE, alpha=0.6)
    line = "-" if pd.to_numeric(means["at"], errors="coerce").notna().all() else "none"  # names have no order
    axes.plot(range(len(levels)), means["mean"], color=VERMILION, marker="D", markersize=5, linestyle=line)
    long = sum(map(len, levels)) > 32
    axes.set_xticks(range(len(levels)), levels, rotation=30 if long else 0, ha="right" if long else "center")
    axes.set_xlim(-0.5, len(levels) - 0.5)


def _continuous(values: pd.Series) -> pd.Series | None:
    """Returns numbers, where there are many or hardly one comes twice, as in a search; None where they are levels."""
    numbers = pd.to_numeric(values, errors="coerce")
    many = values.nunique() > LEVELS or 4 <= len(values) == values.nunique()
    return numbers if many and numbers.notna().all() else None


def _levels(values: pd.Series) -> pd.Series:
    return values.fillna("not given").astype(str)


def _spread(means: pd.DataFrame) -> float:
    return float(means["mean"].max() - means["mean"].min()) if len(means) else 0.0
