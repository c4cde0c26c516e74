"""RAF-DB (Li, Deng and Du, CVPR 2017) as its authors give it: a list of labels 1 to 7, and aligned images.

`EmoLabel/list_patition_label.txt` has lines such as "train_00001.jpg 5", and the image is
`Image/aligned/train_00001_aligned.jpg`. Without these it is `Image/original/train_00001.jpg`, as photographed, cut
by the box in `Annotation/boundingbox`, if the set has these.
"""

import logging
import os
import re
from pathlib import Path

from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.set_files import below, inner, is_image_name, name_finder
from fer_lightning.data.readers.set_tables import BadLineError, at_line, number_in, table_lines
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

LIST = "EmoLabel/list_patition_label.txt"
PARTS = ("train", "test")
COMPOUND = range(8, 12)
"""Labels that only the list of RAF-DB's compound emotions has, which are numbered otherwise."""

Box = tuple[float, float, float, float]


def is_rafdb(root: Path) -> bool:
    """Checks for RAF-DB's list of labels."""
    return inner(root, LIST) is not None


def list_rafdb(root: Path) -> ImageList:
    """Lists RAF-DB's images by its list of labels.

    Raises:
        DataError: no folder of images, or no image that the list names.
    """
    table = inner(root, LIST)
    assert table is not None, "is_rafdb looks for it"
    lines = [(number, line.split()) for number, line in enumerate(table_lines(table, "RAF-DB"), 1) if line.strip()]
    folder, ending, boxes = _images(root)
    files = {path for path in files_below(folder) if is_image_name(path)}
    file_named = name_finder(files)
    is_compound = any(fields[-1].isdecimal() and int(fields[-1]) in COMPOUND for _, fields in lines)
    if is_compound:
        log.warning("%s: has labels above 7, as RAF-DB's compound emotions do: these are not basic's 1 to 7", table)
    listing = Listing(root, "RAF-DB, compound" if is_compound else "RAF-DB", PARTS, "" if is_compound else "rafdb")
    for number, fields in lines:
        try:
            if len(fields) != 2 or not (named := re.fullmatch(r"((train|test)_.+)\.\w+", fields[0])):
                raise BadLineError(f"found {shown(' '.join(fields))}, expected a line such as train_00001.jpg 5")
            listing.refuse_repeated(fields[0], at_line(table, number))
            label = fields[1] if is_compound else number_in("rafdb", fields[1], "RAF-DB")
            path = below(root, folder) + file_named(f"{named[1]}{ending}.jpg")
            box = None if boxes is None else _box(boxes / f"{named[1]}_boundingbox.txt")
            listing.add_image(ListedImage(PARTS.index(named[2]), label, path, box=box))
        except BadLineError as why:
            listing.add_bad(f"{at_line(table, number)}: {why}")
    unread = files - {image.path.removeprefix(below(root, folder)) for image in listing.images}
    where = below(root, folder)
    return listing.completed(where, sorted(where + path for path in unread), f"listed in {LIST}", [table])


def _images(root: Path) -> tuple[Path, str, Path | None]:
    """Returns the folder of the images, what stands behind their names in the list, and the folder of their boxes."""
    for name, ending in (("aligned", "_aligned"), ("original", "")):
        folder = inner(root, f"Image/{name}")
        if folder is None or not any(map(is_image_name, files_below(folder))):
            continue
        boxes = inner(root, "Annotation/boundingbox") if name == "original" else None
        if name == "original":
            cut = (
                "cut by Annotation/boundingbox" if boxes else "not cut to the face: there is no Annotation/boundingbox"
            )
            log.warning("%s: RAF-DB without Image/aligned: Image/original is used, not aligned, %s", root, cut)
        return folder, ending, boxes
    raise DataError(
        f"{root}: RAF-DB: found {LIST}, but no images in Image/aligned or Image/original. Unpack the set's aligned.zip "
        "there."
    )


def _box(file: Path) -> Box:
    """Returns a face's box: left, top, right and bottom, in pixels."""
    if not os.path.isfile(file):
        raise BadLineError(f"no box of the face: there is no {shown(file.name)}, expected it in Annotation/boundingbox")
    text = file.read_bytes()[:200].decode("utf-8", "replace")
    try:
        left, top, right, bottom = map(float, text.split())
    except ValueError:
        raise BadLineError(f"found {shown(text)} in {file.name}, expected left, top, right and bottom") from None
    return left, top, right, bottom
