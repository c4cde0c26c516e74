"""Puts what a table says about images in class folders beside what their folders say."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

from fer_lightning.data.readers.image_list import ImageList


class Opinion(NamedTuple):
    """What a line of a table says about an image."""

    line: str  # "labels.csv, line 3"
    path: str  # below the list's root
    class_name: str


def with_table(found: ImageList, opinions: Sequence[Opinion], bad: Sequence[str]) -> ImageList:
    """Returns a list of images in class folders, with what a table says about each as a second opinion.

    Args:
        found: the images by their folders.
        opinions: the table's; one about an image that is not there, or is named twice, is a bad image.
        bad: what is wrong with lines that say nothing; each is a bad image.
    """
    listed = {image.path for image in found.images}
    by_path: dict[str, Opinion] = {}
    reasons = [*bad]
    for opinion in opinions:
        if opinion.path not in listed:
            reasons.append(f"{opinion.line}: there is no image {opinion.path}")
        elif (first := by_path.setdefault(opinion.path, opinion)) is not opinion:
            reasons.append(f"{opinion.line}: names {opinion.path} again, as {first.line} does")
    blank = found.images[0]._replace(path="")
    images = (*found.images, *(blank for _ in reasons))
    by_table = (by_path[image.path].class_name if image.path in by_path else "" for image in images)
    recorded = blake2b(repr((opinions, reasons)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return replace(
        found,
        images=images,
        bad={**found.bad, **dict(enumerate(reasons, start=len(found.images)))},
        opinions={"folders": tuple(image.class_name for image in images), "table": tuple(by_table)},
        digest=f"{found.digest}, table {recorded}",
    )
