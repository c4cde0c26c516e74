"""Folders of images: `train/<class>/…`, `test/<class>/…`, or `<class>/…` alone.

Parts and classes are recognised by the folders' names, never by their place in the alphabet.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fer_lightning.data.emotions import folder_class, in_order, is_emotion, whole_number_in
from fer_lightning.data.faces import SPLITS, USAGES
from fer_lightning.data.identity import Stamp, images_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_IMAGES, too_many_files
from fer_lightning.data.readers.entries import entries_below, is_folder, leads_nowhere, subfolders, visible_entries
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

WRAPPING_WORDS = {
    *("image", "images", "img", "imgs", "picture", "pictures", "pics", "photo", "photos", "face", "faces"),
    *("data", "dataset", "set", "archive", "aligned", "cropped", "crops", "original", "raw", "jpg", "jpeg", "png"),
}
"""Words of the names of folders that are around classes' folders, as sets are packed, and never a class's."""


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
    named = (folder for folder in folders if not _is_wrapping(folder.name))
    with_images = (folder for folder in named if any(map(is_image, visible_entries(folder))))
    return len(list(islice(with_images, 2))) == 2


def list_images(root: Path) -> ImageList:
    """Lists the images, in the order of parts, classes and file names; also those in folders within a class's.

    A link that leads nowhere, where an image, a class or a part should be, is a bad image.

    Raises DataError for two folders for one part, classes in several places of one, no image, or far too many files.
    """
    part_names, folders = part_folders(root)
    lost = [entry.name for entry in visible_entries(root) if _is_part(entry.name) and leads_nowhere(entry)]
    ignored = [folder.name for folder in subfolders(root) if part_names != ("all",) and not _is_part(folder.name)]
    paths: defaultdict[tuple[int, str], list[str]] = defaultdict(list)  # of the images of each part and class
    stamps: dict[str, Stamp | None] = dict.fromkeys(lost)
    for part_name, folder in folders.items():
        part, classes_folder = part_names.index(part_name), _unwrapped(folder, part_name, root)
        start = "" if classes_folder == root else f"{_below(root, classes_folder)}/"
        for class_name, entries in _entries(classes_folder, root):
            found = [start + path for path, _ in entries]
            if len(stamps) + len(ignored) + len(found) > MOST_IMAGES:
                raise too_many_files(root)
            if class_name is None:
                ignored += found
            else:
                paths[part, class_name] += found
                stamps.update(zip(found, [_stamp(entry) for _, entry in entries], strict=True))
    if not any(stamps.values()):
        raise DataError(
            f"{root}: no image ({', '.join(IMAGE_SUFFIXES)}) in its class folders: found {some(ignored) or 'none'}, "
            "expected a folder for each class, as in train/happy/1.jpg. Give another data.path."
        )
    class_names = in_order(class_name for _, class_name in paths)
    paths[0, class_names[0]] += lost
    in_their_order = sorted(paths, key=lambda key: (key[0], class_names.index(key[1])))
    return ImageList(
        root=root,
        part_names=part_names,
        images=tuple(ListedImage(*key, path) for key in in_their_order for path in sorted(paths[key])),
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
    is_one = entry.name.lower().endswith(IMAGE_SUFFIXES)
    return is_one and (entry.is_file(follow_symlinks=False) or leads_nowhere(entry) or entry.is_file())


def _unwrapped(folder: Path, part: str, root: Path) -> Path:
    """Returns the folder that has the classes' folders: a part's own, or the one in it that they are packed in.

    Raises DataError if there are several.
    """
    wrappings = [inner for inner in subfolders(folder) if _is_wrapping(inner.name) or _is_part(inner.name)]
    around = [inner for inner in wrappings if any(_has_image(found, root) for found in subfolders(inner))]
    if not around:
        return folder
    classes = [inner for inner in subfolders(folder) if inner not in wrappings and _has_image(inner, root)]
    others = [inner for inner in around if _is_part(inner.name) and not _is_same_part(inner.name, part)]
    if classes or others or len(around) > 1:
        several = some([_below(root, inner) for inner in (*around, *classes)])
        raise DataError(
            f"{root}: the classes' folders are in several places: {several}. Images would be there twice, or in two "
            "parts. Give the folder that is meant as data.path, or move the others away."
        )
    return _unwrapped(around[0], part, root)


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    return None if leads_nowhere(entry) else stamp(entry.stat())


def _entries(folder: Path, root: Path) -> Iterator[tuple[str | None, list[tuple[str, os.DirEntry[str]]]]]:
    """Yields each class of a part with its images, as their paths below its folder; and without one what lies among
    them."""
    for entry in visible_entries(folder):
        name = folder_class(entry.name)
        if leads_nowhere(entry):
            yield name if _is_class(entry.name) else None, [(entry.name, entry)]
        elif not is_folder(entry) or not (_is_class(entry.name) or _may_be_class(Path(entry.path), root)):
            yield None, [(entry.name, entry)]
        else:
            below = [(f"{entry.name}/{path}", found) for path, found in entries_below(Path(entry.path), root)]
            images = [(path, found) for path, found in below if is_image(found)]
            yield name, images
            if len(images) < len(below):
                yield None, [(path, found) for path, found in below if not is_image(found)]


def _may_be_class(folder: Path, root: Path) -> bool:
    return not (_is_wrapping(folder.name) or _is_part(folder.name)) and _has_image(folder, root)


def _has_image(folder: Path, root: Path) -> bool:
    return any(is_image(entry) for _, entry in entries_below(folder, root))


def _is_wrapping(folder_name: str) -> bool:
    words = re.findall(r"[A-Z]*[^\W\d_A-Z]+|[A-Z]+", folder_name)
    return bool(words) and all(word.lower() in WRAPPING_WORDS for word in words)


def _is_same_part(name: str, other: str) -> bool:
    return SPLIT_SPELLINGS.get(_plain(name), _plain(name)) == SPLIT_SPELLINGS.get(_plain(other), _plain(other))


def _is_part(folder_name: str) -> bool:
    return _plain(folder_name) in SPLIT_SPELLINGS.keys() | USAGE_SPELLINGS.keys()


def _is_class(folder_name: str) -> bool:
    """Checks for a name that is an emotion or a number, of a folder that need not have an image to be a class's."""
    name = folder_class(folder_name)
    return is_emotion(name) or whole_number_in(name) is not None


def _plain(folder_name: str) -> str:
    return re.sub(r"[\W_]", "", folder_name.lower())


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
