"""A folder of images with a `labels.csv` that says, line by line, which image is which face.

This is what `export` writes. The order of the faces, their parts, labels and class names are those of the file,
whatever the folders are called. Its columns: `file` (below the folder, with /), `part`, `emotion`, `label` (the
emotion's place among the class names), `row` (the face's place among those exported, from 1; not used in reading),
and, where the faces have soft labels, one column per class name. The class names are FER2013's seven or FER+'s eight.
"""

import csv
import hashlib
import io
import math
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from fer_lightning.data.archive import is_visible
from fer_lightning.data.faces import EMOTIONS, FERPLUS_EMOTIONS, SPLITS, USAGES, DataError
from fer_lightning.data.image_folder import ImageList
from fer_lightning.data.pixel_text import shown

NAME = "labels.csv"
COLUMNS = ("file", "part", "emotion", "label", "row")
KNOWN_CLASSES = (EMOTIONS, FERPLUS_EMOTIONS)
HEADERS = [",".join((*COLUMNS, *names)) for names in ((), *KNOWN_CLASSES)]
KNOWN_PARTS = (USAGES, SPLITS, ("all",))


def is_labelled(folder: Path) -> bool:
    """Whether the folder has a labels.csv with exactly our header; any other file of that name is somebody else's."""
    file = folder / NAME
    if not file.is_file():
        return False
    try:
        with file.open("rb") as stream:
            return stream.readline().decode("utf-8-sig").rstrip("\r\n") in HEADERS
    except (OSError, UnicodeDecodeError):
        return False


def list_labelled(folder: Path) -> ImageList:
    """The images that labels.csv lists; DataError for a line of it that cannot be.

    Whether the images are there and can be read shows when they are read.
    """
    file = folder / NAME
    try:
        content = file.read_bytes()
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read as a CSV in UTF-8 ({error}). Export the faces again.") from error
    if not rows:
        raise DataError(f"{file}: lists no image. Export the faces again.")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise _wrong(file, line, f"{len(row)} fields", f"{len(header)} ({','.join(header)})")
    part_names = _part_names(file, [row[1] for row in rows])
    class_names = _class_names(file, header, [(row[2], row[3]) for row in rows])
    paths = [row[0] for row in rows]
    for line, path in enumerate(paths, start=2):
        if (
            PurePosixPath(path).is_absolute()
            or PureWindowsPath(path).anchor
            or {"..", "\0"} & {*PurePosixPath(path).parts, *path}
        ):
            raise _wrong(file, line, f"the file {shown(path)}", "one below the folder")
    stamps = [_stamp(folder / path) for path in paths]
    return ImageList(
        root=folder,
        part_names=part_names,
        images=tuple((part_names.index(row[1]), int(row[3]), row[0]) for row in rows),
        ignored=tuple(sorted(set(_files_below(folder)) - {*paths, NAME})),
        digest=hashlib.blake2b(content + repr(stamps).encode(), digest_size=16).hexdigest(),
        form=f"image folder with {NAME}",
        wanted=f"listed in {NAME}",
        class_names=class_names,
        soft_labels=None if len(header) == len(COLUMNS) else _soft_labels(file, rows),
    )


def _part_names(file: Path, parts: list[str]) -> tuple[str, ...]:
    """FER2013's three even where one has no face; of train, val and test those that there are."""
    for known in KNOWN_PARTS:
        if parts[0] in known:
            for line, part in enumerate(parts, start=2):
                if part not in known:
                    raise _wrong(file, line, f"the part {shown(part)}", f"one of {', '.join(known)}")
            return known if known is not SPLITS else tuple(name for name in SPLITS if name in set(parts))
    expected = "; or ".join(", ".join(known) for known in KNOWN_PARTS)
    raise _wrong(file, 2, f"the part {shown(parts[0])}", f"one of {expected}")


def _class_names(file: Path, header: list[str], classes: list[tuple[str, str]]) -> tuple[str, ...]:
    """The known class names in which every emotion has the label that it has here."""
    soft_names = tuple(header[len(COLUMNS) :])
    candidates = [names for names in KNOWN_CLASSES if soft_names in ((), names)]
    for line, (emotion, label) in enumerate(classes, start=2):
        fitting = [names for names in candidates if (emotion, label) in {(n, str(i)) for i, n in enumerate(names)}]
        if not fitting:
            known = "; or ".join(
                " ".join(f"{name} {label}" for label, name in enumerate(names)) for names in candidates
            )
            raise _wrong(file, line, f"the emotion {shown(emotion)} with the label {shown(label)}", known)
        candidates = fitting
    return candidates[0]


def _soft_labels(file: Path, rows: list[list[str]]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    soft = []
    for line, row in enumerate(rows, start=2):
        try:
            shares = [float(share) for share in row[len(COLUMNS) :]]
        except ValueError as error:
            raise _wrong(file, line, str(error), "a share of 0 to 1 for each class") from None
        if not min(shares) >= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-4):
            raise _wrong(
                file, line, f"the shares {', '.join(row[len(COLUMNS) :])}", "shares of 0 to 1 that add up to 1"
            )
        soft.append(shares)
    return np.array(soft, dtype=np.float32)


def _wrong(file: Path, line: int, found: str, expected: str) -> DataError:
    return DataError(f"{file}: line {line}: found {found}, expected {expected}. Correct it, or export the faces again.")


def _stamp(image: Path) -> tuple[int, int] | None:
    try:
        stat = image.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _files_below(folder: Path) -> Iterable[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if is_visible(name)]
        below = Path(where).relative_to(folder)
        yield from ((below / name).as_posix() for name in files if is_visible(name))
