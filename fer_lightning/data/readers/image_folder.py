"""Folders of images: `train/<emotion>/…`, `test/<emotion>/…`, or `<emotion>/…` alone; and reading listed images.

Parts and emotions are recognised by the folders' names, never by their place in the alphabet.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.data.faces import EMOTIONS, SHOWN, SIDE, SPLITS, USAGES, Faces, Reading
from fer_lightning.data.identity import Stamp, images_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_IMAGES, too_many_files
from fer_lightning.data.readers.entries import is_folder, leads_nowhere, subfolders, visible_entries
from fer_lightning.data.readers.pixel_text import short, some
from fer_lightning.errors import DataError
from fer_lightning.transforms.preprocessing import grey_face

log = logging.getLogger(__name__)

IMAGES_PER_TASK = 64
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
IMAGE_FORMATS = ("JPEG", "PNG", "BMP")
EXPECTED = "an 8-bit jpg, png or bmp"

MOST_PIXELS = 30_000_000
"""Pixels of one image at most, checked before it is decoded: a few kilobytes can unpack to gigabytes."""

SPELLINGS = (  # of the emotions, in the order of EMOTIONS
    ("angry", "anger"),
    ("disgust", "disgusted"),
    ("fear", "fearful", "afraid", "scared"),
    ("happy", "happiness"),
    ("sad", "sadness"),
    ("surprise", "surprised", "suprise"),
    ("neutral", "neutrality"),
)
LABELS = {spelling: label for label, spellings in enumerate(SPELLINGS) for spelling in (*spellings, str(label))}

NUMBERED = ", ".join(f"{label} {emotion}" for label, emotion in enumerate(EMOTIONS))

SPLIT_SPELLINGS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
USAGE_SPELLINGS = {"train": "Training"} | {usage.lower(): usage for usage in USAGES}


@dataclass(frozen=True)
class ImageList:
    """The images below `root`, in the order in which they become faces."""

    root: Path
    part_names: tuple[str, ...]
    images: tuple[tuple[int, int, str], ...]  # part, label, path below root
    ignored: tuple[str, ...]  # paths of what lies among them and is not read
    digest: str  # of every image's path below root, size and times, and of what else decides the faces
    mode: int = 0o777  # the permissions that all the images give
    form: str = "image folder"
    wanted: str = "images in an emotion folder"  # what the ignored ones are not
    class_names: tuple[str, ...] = EMOTIONS
    soft_labels: NDArray[np.float32] | None = None  # (images, classes)
    bad: Mapping[int, str] = field(default_factory=dict)  # places in `images` of what is no face, and why


def is_image_folder(root: Path) -> bool:
    """Checks for folders called train, test, … with folders in them, or for emotion folders, in `root`."""
    folders = subfolders(root)
    return any(_label(folder.name) is not None for folder in folders) or any(
        subfolders(folder) for folder in folders if _is_part(folder.name)
    )


def list_images(root: Path) -> ImageList:
    """Lists the images, in the order of parts, emotions and file names.

    A link that leads nowhere, where an image, an emotion or a part should be, is a bad image.

    Raises DataError for a folder that is no emotion, two folders for one part, no image, or far too many files.
    """
    part_names, part_folders = _parts(root)
    _refuse_other_numbers(root, part_folders)
    images = [(0, 0, entry.name) for entry in visible_entries(root) if _is_part(entry.name) and leads_nowhere(entry)]
    ignored = [folder.name for folder in subfolders(root) if part_names != ("all",) and not _is_part(folder.name)]
    stamps: dict[str, Stamp | None] = {path: None for _, _, path in images}
    for part_name, folder in part_folders.items():
        for label, entry in _entries(folder):
            path = _below(root, entry.path)
            if label is None:
                ignored.append(path)
            else:
                images.append((part_names.index(part_name), label, path))
                stamps[path] = None if leads_nowhere(entry) else stamp(entry.stat())
            if len(images) + len(ignored) > MOST_IMAGES:
                raise too_many_files(root)
    if not images:
        raise DataError(f"{root}: no {', '.join(IMAGE_SUFFIXES)} in its emotion folders. Give another data.path.")
    digest, mode = images_identity(root, stamps), mode_for_all(stamps.values())
    return ImageList(root, part_names, tuple(sorted(images)), tuple(ignored), digest, mode)


def read_images(found: ImageList) -> Reading:
    """Decodes the images on threads. Any other size is stretched to 48 by 48, colour becomes grey.

    Transparency is dropped. Images of more than 8 bits per channel or 30 million pixels count as bad, and so do files
    that do not decode.
    """
    log.info("reading %s images below %s …", f"{len(found.images):,}", found.root)
    if found.ignored:
        count, names = len(found.ignored), some(found.ignored)
        log.warning("%s: ignoring %s that are not %s: %s", found.root, f"{count:,}", found.wanted, names)
    pixels = np.empty((len(found.images), SIDE, SIDE), np.uint8)

    def read_into_place(start: int) -> list[tuple[int, str]]:
        bad = []
        for place, (_, _, path) in enumerate(found.images[start : start + IMAGES_PER_TASK], start):
            if place in found.bad:
                bad.append((place, found.bad[place]))
                continue
            try:
                pixels[place] = _grey_face(found.root / path)
            except FileNotFoundError:
                bad.append((place, f"{path}: there is no such file, expected {EXPECTED}"))
            except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them into
                bad.append(
                    (
                        place,
                        f"{path}: found an unreadable image ({short(str(error))}), expected {EXPECTED}",
                    )
                )
        return bad

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
        good = np.ones(len(found.images), np.bool_)
        first_bad: list[str] = []
        for bad in pool.map(read_into_place, range(0, len(found.images), IMAGES_PER_TASK)):
            good[[place for place, _ in bad]] = False
            first_bad += [message for _, message in bad][: SHOWN - len(first_bad)]
    parts, labels, paths = zip(*found.images, strict=True)
    faces = Faces(
        images=torch.from_numpy(pixels[good]),
        labels=torch.from_numpy(np.array(labels, np.int64)[good]),
        parts=torch.from_numpy(np.array(parts, np.uint8)[good]),
        numbers=torch.from_numpy(np.flatnonzero(good) + 1),
        part_names=found.part_names,
        class_names=found.class_names,
        files=tuple(_printable(path) for path, is_good in zip(paths, good, strict=True) if is_good),
        soft_labels=None if found.soft_labels is None else torch.from_numpy(found.soft_labels[good]),
    )
    form = f"{found.form} ({', '.join(found.part_names)})"
    return Reading(faces, form, bad_rows=int((~good).sum()), first_bad=tuple(first_bad))


def _grey_face(path: Path) -> NDArray[np.uint8]:
    if path.exists() and not path.is_file():  # to read a pipe might never end
        raise ValueError("not a file")
    with Image.open(path, formats=IMAGE_FORMATS) as image:
        if image.format == "PNG":
            image.verify()  # its checksums, which Pillow else leaves alone where they are of pixels
    with Image.open(path, formats=IMAGE_FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width}x{image.height}: more than {MOST_PIXELS:,} pixels")
        return grey_face(image)


def _printable(path: str) -> str:
    """Returns, for a name that is not UTF-8, one that a table and a page can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _entries(folder: Path) -> Iterator[tuple[int | None, os.DirEntry[str]]]:
    """Yields the images of a part with their labels, and without one what lies among them."""
    for entry in visible_entries(folder):
        label = _label(entry.name)
        if not is_folder(entry):
            yield label if leads_nowhere(entry) else None, entry
        elif label is None:
            raise DataError(
                f"{entry.path}: this folder's name is no emotion; expected one of "
                + ", ".join(f"{'/'.join(names)} ({label})" for label, names in enumerate(SPELLINGS))
                + ", or such a name behind a number (0_angry). If it is another word for one of these, rename the "
                "folder; if it is not, move it away."
            )
        else:
            for image in visible_entries(Path(entry.path)):
                yield label if _is_image(image) else None, image


def _refuse_other_numbers(root: Path, part_folders: Mapping[str, Path]) -> None:
    """Raises DataError if folders are called by numbers that are not FER2013's labels, 0 to 6."""
    names = {folder.name.strip() for part in part_folders.values() for folder in subfolders(part)}
    numbers = sorted(int(name) for name in names if re.fullmatch(r"[0-9]{1,9}", name))
    if numbers and (0 not in numbers or numbers[-1] >= len(EMOTIONS)):
        raise DataError(
            f"{root}: its emotion folders are called {some([str(number) for number in numbers], 10)}, and FER2013's "
            f"numbers are {NUMBERED}: these may be another data set's, in another order (RAF-DB's begin with 1, for "
            "surprise). Rename each folder to its emotion's name, as the description of the data set gives it."
        )


def _parts(root: Path) -> tuple[tuple[str, ...], dict[str, Path]]:
    """Returns the parts' names in their order, and the folder of each part that there is."""
    part_folders = [folder for folder in subfolders(root) if _is_part(folder.name)]
    if not part_folders:
        return ("all",), {"all": root}
    by_usage = any(_plain(folder.name) in ("publictest", "privatetest") for folder in part_folders)
    spellings = USAGE_SPELLINGS if by_usage else SPLIT_SPELLINGS
    folders: dict[str, Path] = {}
    for folder in part_folders:
        part = spellings.get(_plain(folder.name))
        if part is None or part in folders:
            raise DataError(
                f"{root}: cannot tell the parts apart: found {some([f.name for f in part_folders])}, "
                f"expected at most one each of {', '.join(SPLITS)}, or of {', '.join(USAGES)}. Move the rest."
            )
        folders[part] = folder
    return USAGES if by_usage else tuple(part for part in SPLITS if part in folders), folders


def _is_part(folder_name: str) -> bool:
    return _plain(folder_name) in SPLIT_SPELLINGS.keys() | USAGE_SPELLINGS.keys()


def _label(folder_name: str) -> int | None:
    """Returns the label of "angry", "Anger", "0" or "3_angry" (a name outweighs its number)."""
    return LABELS.get(re.sub(r"^\d+[\W_]+", "", folder_name.strip().lower()))


def _plain(folder_name: str) -> str:
    return re.sub(r"[\W_]", "", folder_name.lower())


def _below(root: Path, path: str | Path) -> str:
    return Path(path).relative_to(root).as_posix()


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(IMAGE_SUFFIXES) and (leads_nowhere(entry) or entry.is_file())
