"""The table of the splits: what each is, and its faces of each class."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from fer_lightning.data.faces import Faces
from fer_lightning.data.splits import person_count


def split_frame(
    faces: Faces, rows: Mapping[str, Tensor], origins: Mapping[str, str], copies: Mapping[str, int]
) -> pd.DataFrame:
    """Returns a row per split: what it is, its faces of each emotion, and how many are copies of a training face.

    Of several sets, a row for each set's faces in each split, too.
    """
    shown: dict[str, Tensor] = {}
    for split, r in rows.items():
        shown |= {split: r} | rows_by_set(faces, {split: r})
    counts = {
        name: torch.bincount(faces.labels[r], minlength=len(faces.class_names)).tolist() for name, r in shown.items()
    }
    table = pd.DataFrame(counts, index=pd.Index(faces.class_names)).T
    table["all"] = table.sum(axis=1)
    if faces.persons is not None:
        table["persons"] = [person_count(faces, r) for r in shown.values()]
    table.insert(0, "is", [origins.get(name, "") for name in shown])
    table["also in train"] = [f"{copies[name]:,}" if name in copies else "" for name in shown]
    return table


def split_table(faces: Faces, rows: Mapping[str, Tensor], origins: Mapping[str, str], copies: Mapping[str, int]) -> str:
    """Returns `split_frame` as text."""
    formats = dict.fromkeys((*faces.class_names, "all"), "{:,}".format)
    return split_frame(faces, rows, origins, copies).to_string(formatters=formats)


def rows_by_set(faces: Faces, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the rows of each split, of several sets those of each set in it."""
    if faces.sets is None:
        return {**rows}
    names = [*enumerate(faces.set_names)]
    return {f"{split}: {name}": r[faces.sets[r] == place] for split, r in rows.items() for place, name in names}
