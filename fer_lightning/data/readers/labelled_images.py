"""A folder of images with a `labels.csv` that says, line by line, which image is which face.

This is what `export` writes. The order of the faces, their parts, labels and class names are those of the file,
whatever the folders are called. Its columns: `file` (below the folder, with /), `part`, `emotion`, `label` (the
emotion's place among the class names), `row` (the face's place among those exported, from 1; not used in reading),
`person` (equal where two faces are the same person's) where the source has several pictures of each, and, where the
faces have soft labels, one column per class name.
"""

import logging
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from fer_lightning.data.faces import SHOWN, SPLITS, USAGES
from fer_lightning.data.identity import Stamp, images_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_BAD_ROWS, MOST_IMAGES
from fer_lightning.data.readers.files_below import FilesBelow
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.labels_table import (
    COLUMNS,
    KNOWN_CLASSES,
    NAME,
    PERSON,
    BadLineError,
    LabelsTable,
    Line,
    columns_of,
    is_ours,
)
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.table_columns import MOST_PARTS
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

KNOWN_PARTS: tuple[tuple[str, ...], ...] = (USAGES, SPLITS, ("all",))


def is_labelled(path: Path) -> bool:
    """Checks for a labels.csv of ours, or a folder with one; raises OSError if there is one that cannot be read."""
    if not path.is_dir():
        return path.name == NAME and path.is_file() and is_ours(path)
    file = path / NAME
    return (file.is_file() or file.is_symlink()) and is_ours(file)


def warn_of_foreign_table(folder: Path) -> None:
    """Logs that a labels.csv which is not ours is not read."""
    file = folder / NAME
    if file.is_file():
        ours = ",".join(COLUMNS)
        log.warning("%s is not read: found the columns %s, and ours has %s", file, columns_of(file), ours)


def list_labelled(path: Path) -> ImageList:
    """Lists the images that labels.csv names. A line that cannot be, or one of two for an image, is a bad image.

    Whether the images are there and can be read shows when they are read.
    """
    folder = path if path.is_dir() else path.parent
    table = LabelsTable.read(folder / NAME)
    part_names, class_names = _names(table)
    images, shares, bad = _images(table, part_names, class_names)
    stamps = {path: _stamp(folder / path) for place, (_, _, path, *_) in enumerate(images) if place not in bad}
    return ImageList(
        root=folder,
        part_names=part_names,
        images=tuple(images),
        ignored=tuple(sorted(FilesBelow.of(folder).files - {image.path for image in images} - {NAME})),
        digest=images_identity(folder, stamps, table.content),
        mode=mode_for_all([*stamps.values(), _stamp(table.file)]),
        form=f"image folder with {NAME}",
        wanted=f"listed in {NAME}",
        class_names=class_names,
        soft_labels=np.array(shares, np.float32) if table.soft_names else None,
        bad=bad,
        several_of_each=PERSON in table.names and not any(image.person for image in images),
    )


def _images(
    table: LabelsTable, part_names: tuple[str, ...], class_names: tuple[str, ...]
) -> tuple[list[ListedImage], list[tuple[float, ...]], dict[int, str]]:
    """Returns the images of all lines, their soft labels, and the places of the bad ones with the reasons."""
    parts = {name.lower(): part for part, name in enumerate(part_names)}
    images: list[ListedImage] = []
    shares: list[tuple[float, ...]] = []
    bad: dict[int, str] = {}
    listed: dict[str, tuple[int, int]] = {}  # place and line of each image
    for number, line in table.lines():
        place, path = len(images), ""
        try:
            if isinstance(line, BadLineError):
                raise line
            path = _path(line)
            part, class_name = _part(line, parts, part_names), _class_name(line, class_names)
            images.append(ListedImage(part, class_name, path, line.person))
            shares.append(line.shares)
            first, first_number = listed.setdefault(path, (place, number))
            if first != place:
                if images[first] != images[place]:
                    bad[first] = f"{NAME}, line {first_number}: line {number} lists {shown(path)} otherwise"
                raise BadLineError(f"lists {shown(path)} again, as line {first_number} does")
        except BadLineError as why:
            bad[place] = f"{NAME}, line {number}: {why}"
            if place == len(images):
                images.append(ListedImage(0, class_names[0], path))
                shares.append((0.0,) * len(table.soft_names))
        if len(images) > MOST_IMAGES:
            raise DataError(
                f"{table.file}: lists more than {MOST_IMAGES:,} images. Give a smaller folder as data.path."
            )
        if len(bad) > MOST_BAD_ROWS + len(images) - len(bad):
            some_bad = "".join(f"\n- {why}" for why in [*bad.values()][:SHOWN])
            raise DataError(
                f"{table.file}: {len(bad):,} of its first {len(images):,} lines are bad:{some_bad}\nThe rest was not "
                "read. Correct them, or export the faces again."
            )
    if not images:
        raise DataError(f"{table.file}: lists no image. Export the faces again.")
    return images, shares, bad


def _names(table: LabelsTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the parts, known ones if most lines have these, and the classes, in the order of their labels.

    FER2013's three parts even where one has no face; of train, val and test those that there are; others by the
    alphabet. Likewise all classes of FER2013 or FER+, where the labels found are theirs: most of them, if lines
    contradict each other.
    """
    parts: Counter[str] = Counter()
    classes: Counter[tuple[int, str]] = Counter()
    for _, line in table.lines():
        if isinstance(line, Line):
            parts[line.part] += 1
            if line.label.isdecimal() and len(line.label) < 5:
                classes[int(line.label), line.emotion] += 1
    part_names = _part_names(parts)
    if table.soft_names:
        return part_names, table.soft_names
    if not classes:
        return part_names, KNOWN_CLASSES[0]
    most = dict(pair for pair, _ in reversed(classes.most_common()))
    pairs = {names: sum(classes[pair] for pair in enumerate(names)) for names in KNOWN_CLASSES}
    known = max(pairs, key=lambda names: pairs[names])
    agree = len({name for _, name in classes}) == len(most) == len(classes)  # one name for each label, and the reverse
    if pairs[known] == classes.total() or (pairs[known] > classes.total() / 2 and not agree):
        return part_names, known
    if sorted(most) != list(range(len(most))):
        raise DataError(
            f"{table.file}: its labels are {', '.join(map(str, sorted(most)))}, expected 0, 1, 2, … without a gap. "
            "Export the faces again."
        )
    return part_names, tuple(most[label] for label in sorted(most))


def _part_names(parts: Counter[str]) -> tuple[str, ...]:
    """Returns the parts' names.

    Args:
        parts: lines that have each part, as it is written there.
    """
    found = Counter({part.lower(): 0 for part in parts})
    for part, count in parts.items():
        found[part.lower()] += count
    known = max(KNOWN_PARTS, key=lambda names: sum(found[name.lower()] for name in names))
    if 2 * sum(found[name.lower()] for name in known) < found.total():
        return tuple(sorted(parts))[:MOST_PARTS]
    return tuple(name for name in SPLITS if found[name]) if known is SPLITS else known


def _path(line: Line) -> str:
    path = PurePosixPath(line.file)
    if not path.parts or path.is_absolute() or PureWindowsPath(path).anchor or {"..", "\0"} & {*path.parts, *str(path)}:
        raise BadLineError(f"found the file {shown(line.file)}, expected one below the folder")
    return str(path)


def _part(line: Line, parts: dict[str, int], part_names: tuple[str, ...]) -> int:
    if line.part.lower() not in parts:
        raise BadLineError(f"found the part {shown(line.part.lower())}, expected one of {', '.join(part_names)}")
    return parts[line.part.lower()]


def _class_name(line: Line, class_names: tuple[str, ...]) -> str:
    """Returns the class; raises BadLineError if label, emotion and shares contradict each other."""
    labels = {str(label): name for label, name in enumerate(class_names)}
    if labels.get(line.label) == line.emotion:
        label = int(line.label)
        if line.shares and line.shares[label] < max(line.shares) - 1e-4:
            strongest = class_names[line.shares.index(max(line.shares))]
            raise BadLineError(
                f"found the emotion {line.emotion} and the greatest share for {strongest}, expected one opinion"
            )
        return line.emotion
    expected = ", ".join(f"{name} {label}" for label, name in labels.items())
    if line.emotion in class_names and line.label in labels:
        right = class_names.index(line.emotion)
        expected = f"one opinion: {line.emotion} {right}, or {labels[line.label]} {line.label}"
    found = f"the emotion {shown(line.emotion)} with the label {shown(line.label)}"
    raise BadLineError(f"found {found}, expected {expected}")


def _stamp(image: Path) -> Stamp | None:
    try:
        return stamp(image.stat())
    except OSError:
        return None
