"""Folders of images: `train/<class>/…`, `test/<class>/…`, or `<class>/…` alone.

Parts and classes are recognised by the folders' names, never by their place in the alphabet.
"""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fer_lightning.data.emotions import folder_class, in_order, is_emotion, is_number
from fer_lightning.data.faces import SPLITS, USAGES
from fer_lightning.data.identity import Stamp, images_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_IMAGES, too_many_files
from fer_lightning.data.readers.entries import is_folder, leads_nowhere, subfolders, visible_entries
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.pixel_text import some
from fer_lightning.errors import DataError
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES

SPLIT_SPELLINGS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
USAGE_SPELLINGS = {"train": "Training"} | {usage.lower(): usage for usage in USAGES}

DEEPEST = 8
"""Folders within a class's folder that are looked into."""


def is_image_folder(root: Path) -> bool:
    """Checks for folders called train, test, … with folders in them, for emotions' folders, or for several folders of
    any name with images right in them."""
    if not root.is_dir():
        return False
    folders = subfolders(root)
    if any(_is_class(folder.name) for folder in folders):
        return True
    if any(subfolders(folder) for folder in folders if _is_part(folder.name)):
        return True
    with_images = (folder for folder in folders if any(map(is_image, visible_entries(folder))))
    return len(list(islice(with_images, 2))) == 2


def list_images(root: Path) -> ImageList:
    """Lists the images, in the order of parts, classes and file names; also those in folders within a class's.

    A link that leads nowhere, where an image, a class or a part should be, is a bad image.

    Raises DataError for two folders for one part, no image, or far too many files.
    """
    part_names, folders = part_folders(root)
    images = [
        ListedImage(0, "", entry.name)
        for entry in visible_entries(root)
        if _is_part(entry.name) and leads_nowhere(entry)
    ]
    ignored = [folder.name for folder in subfolders(root) if part_names != ("all",) and not _is_part(folder.name)]
    stamps: dict[str, Stamp | None] = {image.path: None for image in images}
    for part_name, folder in folders.items():
        for class_name, entry in _entries(folder):
            path = _below(root, entry.path)
            if class_name is None:
                ignored.append(path)
            else:
                images.append(ListedImage(part_names.index(part_name), class_name, path))
                stamps[path] = None if leads_nowhere(entry) else stamp(entry.stat())
            if len(images) + len(ignored) > MOST_IMAGES:
                raise too_many_files(root)
    if not any(stamps.values()):
        raise DataError(f"{root}: no image ({', '.join(IMAGE_SUFFIXES)}) in its class folders. Give another data.path.")
    class_names = in_order(image.class_name for image in images if image.class_name)
    places = {name: place for place, name in enumerate(class_names)}
    images = [image if image.class_name else image._replace(class_name=class_names[0]) for image in images]
    return ImageList(
        root=root,
        part_names=part_names,
        images=tuple(sorted(images, key=lambda image: (image.part, places[image.class_name], image.path))),
        ignored=tuple(ignored),
        digest=images_identity(root, stamps),
        mode=mode_for_all(stamps.values()),
    )


def part_folders(root: Path) -> tuple[tuple[str, ...], dict[str, Path]]:
    """Returns the parts' names in their order, and the folder of each part that there is."""
    found = [folder for folder in subfolders(root) if _is_part(folder.name)]
    if not found:
        return ("all",), {"all": root}
    by_usage = any(_plain(folder.name) in ("publictest", "privatetest") for folder in found)
    spellings = USAGE_SPELLINGS if by_usage else SPLIT_SPELLINGS
    folders: dict[str, Path] = {}
    for folder in found:
        part = spellings.get(_plain(folder.name))
        if part is None or part in folders:
            raise DataError(
                f"{root}: cannot tell the parts apart: found {some([f.name for f in found])}, "
                f"expected at most one each of {', '.join(SPLITS)}, or of {', '.join(USAGES)}. Move the rest."
            )
        folders[part] = folder
    return USAGES if by_usage else tuple(part for part in SPLITS if part in folders), folders


def is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(IMAGE_SUFFIXES) and (leads_nowhere(entry) or entry.is_file())


def _entries(folder: Path) -> Iterator[tuple[str | None, os.DirEntry[str]]]:
    """Yields the images of a part with their classes, and without one what lies among them."""
    for entry in visible_entries(folder):
        name = folder_class(entry.name)
        if leads_nowhere(entry):
            yield name if _is_class(entry.name) else None, entry
        elif not is_folder(entry) or (not _is_class(entry.name) and not _has_image(Path(entry.path))):
            yield None, entry
        else:
            yield from ((name if is_image(found) else None, found) for found in _files_below(Path(entry.path)))


def _files_below(folder: Path, depth: int = 0) -> Iterator[os.DirEntry[str]]:
    for entry in visible_entries(folder):
        if is_folder(entry) and depth < DEEPEST:
            yield from _files_below(Path(entry.path), depth + 1)
        else:
            yield entry


def _has_image(folder: Path) -> bool:
    return any(is_image(entry) for entry in _files_below(folder))


def _is_part(folder_name: str) -> bool:
    return _plain(folder_name) in SPLIT_SPELLINGS.keys() | USAGE_SPELLINGS.keys()


def _is_class(folder_name: str) -> bool:
    """Checks for a name that is an emotion or a number, of a folder that need not have an image to be a class's."""
    name = folder_class(folder_name)
    return is_emotion(name) or is_number(name)


def _plain(folder_name: str) -> str:
    return re.sub(r"[\W_]", "", folder_name.lower())


def _below(root: Path, path: str | Path) -> str:
    start, text = os.path.join(root, ""), os.fspath(path)
    if os.sep == "/" and text.startswith(start):  # ten times as fast, for a hundred thousand images
        return text.removeprefix(start)
    return Path(path).relative_to(root).as_posix()
