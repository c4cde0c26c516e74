"""Two opinions on one image: where its folder and its table name different classes, a person says which is right."""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal

from fer_lightning.data.emotions import canonical, folder_class, is_emotion, is_number
from fer_lightning.data.faces import SHOWN
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

LabelsFrom = Literal["folders", "table"]


def settled(found: ImageList, labels_from: LabelsFrom | None) -> ImageList:
    """Returns the list with one opinion on each image; disagreements are counted, and the first five shown.

    Args:
        found: `class_name` is the table's opinion on an image, `folder_class` the folder's, "" where it has none.
        labels_from: whose opinion counts.

    Raises:
        DataError: they disagree, and nothing says which is right; or folders are to be right that name no class.
    """
    if not found.table:
        return found
    judged = [image for image in found.images if image.folder_class and image.class_name]
    translation = _translation(judged)
    differing = [image for image in judged if image.class_name != translation.get(image.folder_class)]
    if differing:
        what = f"{found.root}: {found.table} and the folders name different classes for {len(differing):,} of"
        shown = f"{what} {len(judged):,} images:\n{_first(differing)}"
        if labels_from is None:
            raise DataError(
                f"{shown}\nLook at some of them, and say which is right with data.labels_from=folders or "
                "data.labels_from=table."
            )
        log.warning("%s\ndata.labels_from=%s takes what the %s says", shown, labels_from, labels_from.rstrip("s"))
    if labels_from != "folders":
        return found
    good = [image for place, image in enumerate(found.images) if place not in found.bad]
    if without := [image.path for image in good if not image.folder_class]:
        raise DataError(
            f"{found.root}: the folders of {len(without):,} of {len(good):,} images name no class, as that of "
            f"{without[0]}: the classes cannot be theirs. Leave data.labels_from=folders out."
        )
    images = tuple(image._replace(class_name=image.folder_class or image.class_name) for image in found.images)
    return replace(found, images=images, class_names=(), digest=f"{found.digest}, by folders")


def folder_opinions(paths: Sequence[str], classes: Collection[str]) -> list[str]:
    """Returns the class that each image's folder names, the nearest that is one; all are "" if few folders are.

    Args:
        paths: of the images, with /.
        classes: of the table. A number is a class of the folders if it is one of the table, or where the table has
            words and there are as many numbers.
    """
    opinions = [_opinion(path, classes) for path in paths]
    numbers = {opinion for opinion in opinions if is_number(opinion)} - {*classes}
    if numbers and len(numbers) != len(classes):
        opinions = ["" if opinion in numbers else opinion for opinion in opinions]
    return opinions if sum(map(bool, opinions)) * 2 > len(paths) else [""] * len(paths)


def _opinion(path: str, classes: Collection[str]) -> str:
    for folder in PurePosixPath(path).parent.parts[::-1]:
        if canonical(folder) in classes:
            return canonical(folder)
        if is_emotion(name := folder_class(folder)) or (is_number(name) and not any(map(is_number, classes))):
            return name
    return ""


def _translation(images: Sequence[ListedImage]) -> dict[str, str]:
    """Returns the table's class for each of the folders: the same, or where one has numbers, that of most images."""
    pairs = Counter((image.folder_class, image.class_name) for image in images)
    most = {folder: in_table for (folder, in_table), _ in reversed(pairs.most_common())}
    return {
        folder: in_table if is_number(folder) != is_number(in_table) else folder for folder, in_table in most.items()
    }


def _first(differing: Sequence[ListedImage]) -> str:
    shown = [f"- {image.path}: folder {image.folder_class}, table {image.class_name}" for image in differing[:SHOWN]]
    more = [f"- … and {len(differing) - SHOWN:,} more"] if len(differing) > SHOWN else []
    return "\n".join([*shown, *more])
