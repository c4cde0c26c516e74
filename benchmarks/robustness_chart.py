"""Draws the curves of benchmarks.robustness: accuracy against strength, a panel for each disturbance."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.disturbances import DISTURBANCES, Disturbance
from benchmarks.robustness_curves import Curves
from fer_lightning.report.charts import COLOURS

COLUMNS = 4


def chart(found: Sequence[Curves]) -> Figure:
    """Returns a panel for each disturbance, with a curve and a band of 95% intervals for each network.

    Faces are clean where a panel's dotted line is: strength grows from there.
    """
    rows = -(-len(DISTURBANCES) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 2.9 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharey=True).flatten()
    for axes, kind in zip(panels, DISTURBANCES, strict=True):
        strengths = sorted((kind.none, *kind.strengths))
        for number, one in enumerate(found):
            colour = COLOURS[number % len(COLOURS)]
            low, high = np.transpose([one.interval(kind, at) for at in strengths])
            axes.fill_between(strengths, low, high, color=colour, alpha=0.15, linewidth=0)
            accuracy = [one.at(kind, at).mean() for at in strengths]
            axes.plot(strengths, accuracy, color=colour, marker="o", markersize=3, label=one.name.strip("`"))
        axes.axvline(kind.none, color="black", linestyle=":", linewidth=1)
        axes.set_title(kind.name, fontsize=10)
        axes.set_xlabel(kind.axis, fontsize=9)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.grid(alpha=0.3)
        if _falls(kind):
            axes.invert_xaxis()
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("accuracy", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), ncols=len(found), loc="outside upper center", frameon=False)
    return figure


def _falls(kind: Disturbance) -> bool:
    """Returns whether faces are the clean ones at the largest strength, as with the quality of JPEG."""
    return kind.none > max(kind.strengths)
