"""Copies within and between sets of faces and their parts, exact and near ones, as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_lightning.data.digests import digests
from fer_lightning.data.emotions import canonical
from fer_lightning.data.faces import Faces
from fer_lightning.data.near_pairs import NEAR, Pairs, Recut, near_pairs
from fer_lightning.data.perceptual_hash import perceptual_hashes, recut_hashes, without_structure

FIELDS = ("set", "part", "row", "file", "label")
"""What is said of each face of a pair."""


@dataclass(frozen=True, eq=False)
class Copies:
    """The copies in some sets of faces.

    Attributes:
        pairs: a row for each pair: "copy" (exact or near), "bits" in which their hashes differ, whether one is
            "mirrored", and FIELDS of both faces, …_1 and …_2; "index_1" and "index_2" are their places among all
            faces. Exact copies are paired with the first face like them; near copies are two images, of which the
            first faces are shown.
        counts: a row for each part and each part (perhaps itself) that its faces have copies in: "faces" of the former,
            how many of them have an "exact" copy in the latter, how many a "near" one, and how many of these one with
            another label.
        redundant: faces that are exact copies of one before them.
        of_two_labels: groups of exact copies that have more than one label.
        flat: faces without structure, as of one shade, whose near copies are not looked for.
    """

    pairs: pd.DataFrame
    counts: pd.DataFrame
    redundant: int
    of_two_labels: int
    flat: int = 0


def copies_in(sets: Mapping[str, Faces], within: int = NEAR, shown: bool = False) -> Copies:
    """Returns the copies in sets of faces.

    Args:
        sets: by name; exact copies are equal in the channels and the size that each is given in.
        within: bits that the hashes of near copies may differ in.
        shown: with a progress bar.

    Raises:
        DataError: as `near_pairs`.
    """
    faces = pd.concat([_described(name, one) for name, one in sets.items()], ignore_index=True)
    images = pd.factorize(torch.cat([digests(one.images) for one in sets.values()]).numpy())[0]  # equal for equal ones
    firsts = np.unique(images, return_index=True)[1]
    hashes = torch.cat([perceptual_hashes(one.images) for one in sets.values()])
    near = near_pairs(hashes[torch.from_numpy(firsts)], _recut([*sets.values()], firsts), within, shown)
    return Copies(
        pairs=_pairs(faces, images, firsts, near),
        counts=_counts(faces, images, near),
        redundant=len(faces) - len(firsts),
        of_two_labels=int((faces["label"].groupby(images).nunique() > 1).sum()),
        flat=int(without_structure(hashes).sum()),
    )


def _recut(sets: Sequence[Faces], rows: NDArray[np.int64]) -> Recut:
    """Returns what cuts out some of these rows, of all sets, in other ways."""
    ends = np.cumsum([len(one) for one in sets])

    def recut(wanted: Tensor) -> Tensor:  # which are in ascending order, as the rows are
        among = rows[wanted.numpy()]
        parts = np.split(among, np.searchsorted(among, ends[:-1]))
        images = [
            one.images[torch.from_numpy(part - end + len(one))]
            for one, part, end in zip(sets, parts, ends, strict=True)
        ]
        return torch.cat([recut_hashes(some) for some in images if len(some)])

    return recut


def _described(name: str, faces: Faces) -> pd.DataFrame:
    labels = pd.Series([canonical(one) for one in faces.class_names])
    return pd.DataFrame(
        {
            "set": name,
            "part": pd.Series(faces.part_names)[faces.parts.tolist()].to_numpy(),
            "row": faces.numbers.numpy(),
            "file": faces.files or "",
            "label": labels[faces.labels.tolist()].to_numpy(),
        }
    )


def _pairs(faces: pd.DataFrame, images: NDArray[np.int64], firsts: NDArray[np.int64], near: Pairs) -> pd.DataFrame:
    """Returns `Copies.pairs`.

    Args:
        faces: with FIELDS.
        images: the image of each face.
        firsts: the first face of each image.
        near: pairs of images.
    """
    copied = np.flatnonzero(firsts[images] != np.arange(len(images)))
    exact = pd.DataFrame({"index_1": firsts[images[copied]], "index_2": copied}).assign(
        copy="exact", bits=0, mirrored=False
    )
    others = pd.DataFrame({"index_1": firsts[near.first], "index_2": firsts[near.second]}).assign(
        copy="near", bits=near.bits.astype(np.int64), mirrored=near.mirrored
    )
    pairs = pd.concat([exact, others]).sort_values(["bits", "copy", "index_1", "index_2"])
    sides = [
        faces.iloc[pairs[f"index_{side}"]][list(FIELDS)].add_suffix(f"_{side}").set_index(pairs.index)
        for side in (1, 2)
    ]
    return pd.concat([pairs[["copy", "bits", "mirrored"]], *sides, pairs[["index_1", "index_2"]]], axis=1)


def _counts(faces: pd.DataFrame, images: NDArray[np.int64], near: Pairs) -> pd.DataFrame:
    """Returns `Copies.counts`, see `_pairs`."""
    places = faces.groupby(["set", "part"], sort=False).size()
    kinds = pd.DataFrame(
        {
            "image": images,
            "place": faces.groupby(["set", "part"], sort=False).ngroup(),
            "label": pd.factorize(faces["label"])[0],
        }
    )
    kinds = kinds.value_counts().rename("faces").reset_index()
    equal = pd.DataFrame({"image_1": np.unique(images)}).assign(image_2=lambda table: table["image_1"])
    alike = pd.DataFrame(
        {"image_1": np.concatenate([near.first, near.second]), "image_2": np.concatenate([near.second, near.first])}
    )
    columns = []
    for copy, related in (("exact", equal), ("near", alike)):
        one, other = kinds.add_suffix("_1"), kinds.add_suffix("_2")
        both = one.merge(related).merge(other)
        differs = both["label_1"] != both["label_2"]
        itself = (both["image_1"] == both["image_2"]) & (both["place_1"] == both["place_2"]) & ~differs
        both = both.assign(differs=differs)[~itself | (both["faces_1"] > 1)]  # a face alone is no copy of itself
        each = both.groupby(["image_1", "place_1", "label_1", "place_2"]).agg(
            faces=("faces_1", "first"), differs=("differs", "any")
        )
        each["differing"] = each["faces"] * each["differs"]
        found = each.groupby(["place_1", "place_2"])[["faces", "differing"]].sum()
        columns.append(found.set_axis([copy, f"{copy}, another label"], axis=1))
    counts = pd.concat(columns, axis=1).sort_index().fillna(0).astype(int).reset_index()
    of, within = (places.index[counts[f"place_{side}"]].to_frame(index=False) for side in (1, 2))
    sizes = pd.Series(places.to_numpy()[counts["place_1"]], name="faces")
    within.columns = pd.Index(["in set", "in part"])
    return pd.concat([of, sizes, within, counts.drop(columns=["place_1", "place_2"])], axis=1)
