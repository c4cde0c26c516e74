"""AffectNet (Mollahosseini et al., 2017) in its form of 2021: cut faces, and a file of annotation for each.

`train_set/images/<i>.jpg` and `val_set/images/<i>.jpg` with `annotations/<i>_exp.npy`, which hold one number each.
"""

import io
import re
from collections import Counter
from functools import lru_cache
from io import FileIO
from pathlib import Path

import numpy as np

from fer_lightning.data.emotions import WITHOUT_EMOTION
from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.known_sets import log_left_out
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.pixel_text import some
from fer_lightning.data.readers.set_files import below, inner, is_image_name
from fer_lightning.data.readers.set_tables import BadLineError, number_in
from fer_lightning.errors import DataError

FORM = "AffectNet, annotations"
PARTS = {"train": "train_set", "val": "val_set"}
EXPRESSION = re.compile(r"(.+)_exp\.npy")
LARGEST = 4096
"""Bytes of an annotation at most: it is one number."""


def is_affectnet_annotations(root: Path) -> bool:
    """Checks for a part's folder with annotations in it."""
    return any(inner(root, f"{folder}/annotations") for folder in PARTS.values())


def list_affectnet_annotations(root: Path) -> ImageList:
    """Lists the images that have an annotation of their expression, or should have one.

    Raises:
        DataError: a part without annotations or without images.
    """
    folders = {part: path for part, name in PARTS.items() if (path := inner(root, name)) is not None}
    listing = Listing(root, FORM, tuple(folders), "affectnet")
    left_out: Counter[str] = Counter()
    for part, folder in folders.items():
        images, annotations = inner(folder, "images"), inner(folder, "annotations")
        if images is None or annotations is None:
            lacking = "annotations" if annotations is None else "images"
            raise DataError(
                f"{folder}: AffectNet: there is no folder {lacking} in it, expected images/0.jpg, … and "
                "annotations/0_exp.npy, …. Unpack this part again."
            )
        files = {name.rpartition(".")[0]: name for name in files_below(images) if is_image_name(name)}
        annotated = {named[1]: named[0] for name in files_below(annotations) if (named := EXPRESSION.fullmatch(name))}
        if not annotated:
            raise DataError(
                f"{annotations}: AffectNet: has none of the files 0_exp.npy, …, which say what each image shows, only "
                f"{some(list(files_below(annotations)))}. Unpack this part again."
            )
        for stem in sorted({*files, *annotated}, key=lambda stem: (len(stem), stem)):
            image = below(root, images) + files.get(stem, f"{stem}.jpg")
            try:
                if stem not in annotated:
                    raise BadLineError(f"no annotation: there is no {stem}_exp.npy")
                number = _number(_content(f"{annotations}/{annotated[stem]}"))
                if why := WITHOUT_EMOTION["affectnet"].get(int(number)):
                    left_out[why] += 1
                else:
                    listing.add(part, number, image)
            except BadLineError as why_bad:
                listing.add_bad(f"{image}: {why_bad}")
    log_left_out(root, FORM, left_out)
    return listing.completed("train_set/images and val_set/images")


def _content(file: str) -> bytes:
    with FileIO(file) as stream:  # a hundred thousand of them: a buffer for each costs more than reading it
        return stream.read(LARGEST)


@lru_cache(64)
def _number(content: bytes) -> str:
    """Returns the number in an annotation, which is a whole one or its text."""
    try:
        value = np.load(io.BytesIO(content), allow_pickle=False)
        text = str(value.item())
    except Exception as error:  # numpy raises whatever a damaged file leads it into
        raise BadLineError(f"its annotation is no .npy file with one number ({error}), expected one") from error
    return number_in("affectnet", text, "AffectNet")
