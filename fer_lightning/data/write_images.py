"""Faces as image files: python -m fer_lightning.data.write_images PATH OUT

Writes OUT/<part>/<emotion>/<row>.png, or OUT/<emotion>/<row>.png where the source has no parts, and OUT/labels.csv,
whose columns `labelled_images` describes. `data.path=OUT` reads the very same faces back, in the same order, with their
parts, classes and persons. OUT gets its name only when complete: until then it is called OUT.unfinished.
"""

import argparse
import csv
import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from tqdm import tqdm

from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.labels_table import COLUMNS, NAME, PERSON
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from fer_lightning.files import folder_around, safe_text
from fer_lightning.installation import typed_value
from fer_lightning.transforms.pixels import as_picture

log = logging.getLogger(__name__)

LONGEST_NAME = 60
"""Characters of a folder's name: at most 240 bytes, which every file system takes."""


def export(
    path: Path, out: Path, on_bad_rows: Literal["error", "drop"] = "error", votes: VotesOptions | None = None
) -> None:
    """Writes the faces of `path` below the folder `out`, with a progress bar; the others as for `read_faces`.

    Raises DataError if the faces cannot be read, or `out` is in `path`, or anything but a folder that is empty or not
    there yet.
    """
    if folder_around(out, [path]) is not None:
        raise DataError(f"{out}: is in {path}, and nothing is written into a set of faces. Give another OUT.")
    with _written_whole(out) as folder:
        faces = read_faces(path, on_bad_rows, votes)
        _write(faces, folder)
    again = shlex.quote(f"data.path={typed_value(str(out))}")
    log.info("wrote %s images and %s into %s; %s reads them back", f"{len(faces):,}", NAME, out, again)


def _write(faces: Faces, folder: Path) -> None:
    width = len(str(len(faces)))
    has_parts = faces.part_names != ("all",)
    soft_names = () if faces.soft_labels is None else faces.class_names
    persons, has_persons = _person_texts(faces), faces.persons is not None or faces.several_of_each
    lines: list[Sequence[object]] = []
    images = (faces.images[row] for row in range(len(faces)))
    rows = zip(images, faces.parts.tolist(), faces.labels.tolist(), strict=True)
    shown_rows = tqdm(rows, "writing", len(faces), unit=" faces", mininterval=0.5, disable=None)  # None: on terminals
    for row, (image, part_index, label) in enumerate(shown_rows, start=1):
        part, emotion = faces.part_names[part_index], faces.class_names[label]
        file = folder / (_folder_name(part) if has_parts else "") / _folder_name(emotion) / f"{row:0{width}}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(as_picture(image)).save(file)
        # Nine digits are enough for every float32 to come back as it was.
        soft = [] if faces.soft_labels is None else [f"{share:.9g}" for share in faces.soft_labels[row - 1].tolist()]
        texts = map(safe_text, (file.relative_to(folder).as_posix(), part, emotion))
        person = [persons[row - 1]] if has_persons else []
        lines.append((*texts, label, row, *person, *soft))
    with (folder / NAME).open("w", newline="", encoding="utf-8") as labels:
        columns = (*COLUMNS, *([PERSON] if has_persons else []), *soft_names)
        csv.writer(labels, lineterminator="\n").writerows([columns, *lines])


def _person_texts(faces: Faces) -> list[str]:
    """Returns a number for each face, whose order as texts is that of the numbers; "" if persons are not known."""
    if faces.persons is None:
        return [""] * len(faces)
    numbers = faces.persons.tolist()
    width = len(str(max(numbers)))
    return [f"{number:0{width}}" for number in numbers]


def _folder_name(name: str) -> str:
    """Returns a name for a folder of a part or class, which comes from anywhere: labels.csv has the name itself."""
    safe = re.sub(r"[^\w \-]", "_", name).strip()[:LONGEST_NAME]
    return safe if safe.strip("_") else "_"


@contextmanager
def _written_whole(out: Path) -> Iterator[Path]:
    """Yields a folder that becomes `out` when the block ends, and is gone if it fails."""
    if out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out}: this folder is not empty, and nothing is overwritten. Give another OUT, or empty it.")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: there is a file of this name. Give another OUT.")
    unfinished = out.with_name(out.name + ".unfinished")
    try:
        unfinished.mkdir(parents=True)
    except FileExistsError:
        raise DataError(
            f"{unfinished}: left over from an export that was killed, or another one is writing it now. "
            f"Delete it, or give another OUT."
        ) from None
    try:
        yield unfinished
        if out.is_dir():
            out.rmdir()  # Windows renames to no name that is taken, not even by an empty folder
        os.replace(unfinished, out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fer_lightning.data.write_images",
        description="Writes faces as OUT/<part>/<emotion>/<row>.png and OUT/labels.csv; data.path=OUT reads them back.",
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="whatever data.path takes: a CSV, an archive, a folder")
    parser.add_argument("out", metavar="OUT", type=Path, help="a folder that is empty or not there yet")
    parser.add_argument("--votes", metavar="FILE", type=Path, help="FER+'s fer2013new.csv, for its eight classes")
    parser.add_argument("--rule", choices=("majority", "probability"), help="how votes become labels (majority)")
    parser.add_argument("--on-bad-rows", choices=("error", "drop"), default="error", help="refuse them (error) or not")
    given = parser.parse_args(arguments)
    if given.rule and not given.votes:
        parser.error("--rule says how votes become labels: give --votes FILE too")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    votes = VotesOptions(given.votes, given.rule or "majority") if given.votes else None
    out = Path(os.path.expanduser(given.out)).absolute()
    try:
        export(given.path, out, given.on_bad_rows, votes)
    except (DataError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"stopped: {out} was not written")


if __name__ == "__main__":
    main()
