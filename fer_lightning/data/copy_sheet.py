"""A picture of pairs of faces that are copies, for a person to judge."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fer_lightning.data.chart_names import chart_names, numbers_in_words
from fer_lightning.data.faces import Faces
from fer_lightning.files import written_whole
from fer_lightning.transforms.pixels import as_picture

SHOWN = 40
"""Pairs on a sheet."""

EXACT = 4
"""Pairs on it that are exact copies: nobody doubts them."""

COLUMNS = 5

LONGEST = 30
"""Characters of a line below a face."""


def write_sheet(pairs: pd.DataFrame, sets: Sequence[Faces], file: Path) -> list[str]:
    """Writes a PNG of pairs, from the most doubtful to the least; returns what its numbers mean, in sentences.

    Classes, sets and parts whose names its font cannot draw have numbers there, as in charts.

    Args:
        pairs: at least one, as in `Copies`.
        sets: the faces, set after set.
        file: the PNG.
    """
    shown = shown_pairs(pairs)
    names = {kind: _different(shown, kind) for kind in ("label", "set", "part")}
    drawn = {kind: dict(zip(of, chart_names(of, LONGEST), strict=True)) for kind, of in names.items()}
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 1.95 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axes in figure.axes:
        axes.axis("off")
    starts = np.cumsum([0, *map(len, sets)])
    for axes, pair in zip(panels, shown.to_dict("records"), strict=False):
        for side in (1, 2):
            place = int(np.searchsorted(starts, pair[f"index_{side}"], "right")) - 1
            image = sets[place].images[int(pair[f"index_{side}"] - starts[place])]
            axes.imshow(as_picture(image), cmap="gray", vmin=0, vmax=255, extent=(side - 1, side - 0.03, 0, 1))
        axes.set(xlim=(0, 2), ylim=(0, 1))
        same = pair["label_1"] == pair["label_2"]
        about = [
            pair["copy"],
            *([f"{pair['bits']} bits"] if pair["copy"] == "near" else []),
            *["mirrored"] * pair["mirrored"],
        ]
        axes.set_title(", ".join(about), fontsize=8, pad=2, fontweight="bold")
        for side in (1, 2):
            label, of_set, part = (drawn[kind][str(pair[f"{kind}_{side}"])] for kind in drawn)
            text = f"{label}\n{of_set}\n{part}, {pair[f'row_{side}']:,}"
            style = {"color": "black" if same else "#b3400a", "fontsize": 6, "parse_math": False}
            axes.text(side - 0.52, -0.03, text, ha="center", va="top", **style)
    with written_whole(file) as unfinished:
        figure.savefig(unfinished, format="png", dpi=130, facecolor="white")
    kinds = {"label": "class", "set": "set", "part": "part"}
    return [sentence for kind, of in names.items() for sentence in numbers_in_words(of, LONGEST, kinds[kind])]


def shown_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Returns the pairs of a sheet, spread evenly over all of a kind, the most different first."""
    near, exact = pairs[pairs["copy"] == "near"], pairs[pairs["copy"] == "exact"]
    room = SHOWN - min(EXACT, len(exact))
    return pd.concat([_spread(near.iloc[::-1], room), _spread(exact, SHOWN - min(room, len(near)))])


def _different(pairs: pd.DataFrame, kind: str) -> list[str]:
    """Returns the different names of the labels, sets or parts of pairs, in the order of the alphabet."""
    return sorted({str(name) for side in (1, 2) for name in pairs[f"{kind}_{side}"]})


def _spread(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    return pairs.iloc[np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)]
