"""Reads several sets of faces in one format of pixels, each by its own options."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.found_source import FoundSource, find_source
from fer_lightning.data.readers.image_choice import ImageChoice
from fer_lightning.data.readers.pixel_options import MOST_BYTES, PixelOptions
from fer_lightning.data.readers.source import read_found
from fer_lightning.data.set_options import SetOptions
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)


def read_sets(
    sets: Sequence[SetOptions], sources: Sequence[Path], names: Sequence[str], pixels: PixelOptions
) -> list[Faces]:
    """Returns the faces of each set, by its own classes; all are looked at before the first is read.

    Args:
        sets: their options.
        sources: where each is.
        names: of the sets, for the log.
        pixels: the pixels to make. With size="auto" all get the largest of the sets' own sizes, so that none loses
            detail, and with keep="auto" all are encoded, where they can be, if they have more than 2 GB together.

    Raises:
        DataError: as `read_faces`; two paths lead to one source, or a choice of images that no set has.
    """
    found = [find_source(path, one.columns) for path, one in zip(sources, sets, strict=True)]
    _refuse_the_same(found, names)
    found = _chosen(found, sets)
    numberings = [ClassOptions(one.numbering, own_goes_first="numbering" not in one.given) for one in sets]
    for one, classes in zip(found, numberings, strict=True):
        if one.images is not None:
            classes.refuse_unnamed(one.images.class_counts, one.source, one.images.numbering)
    pixels = _of_one_format(found, names, pixels)
    faces = []
    for one, options, classes in zip(found, sets, numberings, strict=True):
        kept = pixels if one.images is not None else replace(pixels, keep="auto")  # text is kept as pixels
        faces.append(read_found(one, options.on_bad_rows, options.votes, kept, classes))
    return faces


def _refuse_the_same(found: Sequence[FoundSource], names: Sequence[str]) -> None:
    first: dict[object, str] = {}
    for one, name in zip(found, names, strict=True):
        source = one.source.resolve()
        if source in first:
            raise DataError(f"data.path: {first[source]} and {name} are the same, {source}: name each set once.")
        first[source] = name


def _chosen(found: Sequence[FoundSource], sets: Sequence[SetOptions]) -> list[FoundSource]:
    """Returns the sets with the images that are chosen: what is chosen for all sets, in those where it is a choice."""
    chosen, taken = [], dict.fromkeys(("labels_from", "angles"), False)
    for one, options in zip(found, sets, strict=True):
        choice = options.choice
        opinions = () if one.images is None else tuple(one.images.opinions)
        if "labels_from" not in options.given and choice.labels_from not in opinions:
            choice = replace(choice, labels_from=None)
        if "angles" not in options.given and not (one.images and one.images.angles):
            choice = replace(choice, angles=None)
        for name in taken:
            taken[name] |= getattr(choice, name) is not None
        if one.images is None and choice != ImageChoice():
            raise DataError(f"{one.source}: has no images, of which data.labels_from or data.angles could choose.")
        chosen.append(one.chosen(choice))
    for name, has_effect in taken.items():
        wanted = next((getattr(one.choice, name) for one in sets if name not in one.given), None)
        if wanted is not None and not has_effect:
            raise DataError(f"data.{name} is {wanted}, which is a choice in none of the sets. Leave it out.")
    return chosen


def _of_one_format(found: Sequence[FoundSource], names: Sequence[str], pixels: PixelOptions) -> PixelOptions:
    """Returns options that give all sets the same pixels, and keep them by their number together."""
    if pixels.size == "auto":
        sizes = [one.own_size for one in found]
        pixels = replace(pixels, size=max(sizes))
        if len(set(sizes)) > 1:
            own = ", ".join(f"{name} {size}×{size}" for name, size in zip(names, sizes, strict=True))
            log.info("data.size=auto: %d, the largest of the sets' own sizes (%s)", pixels.size, own)
    assert pixels.size != "auto"
    images = sum(len(one.images.images) for one in found if one.images is not None)
    if pixels.keep == "auto" and images * pixels.channels * pixels.size**2 > MOST_BYTES:
        log.info("%s images of all sets are more than %.0f GB of pixels", f"{images:,}", MOST_BYTES / 1e9)
        return replace(pixels, keep="encoded")
    return pixels
