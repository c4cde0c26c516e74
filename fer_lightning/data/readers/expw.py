"""ExpW (Zhang et al., 2018): pictures from the web, and a list of the faces in them with their boxes and labels.

A line of `label.lst` is an image's name, the face's number in it, its box (top, left, right, bottom: in that order),
how certain the box is, and the label in FER2013's order.
"""

from pathlib import Path

from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.set_files import TRIED, below, folder_with, inner, is_image_name
from fer_lightning.data.readers.set_tables import BadLineError, at_line, number_in, safe_path, table_lines

LISTS = ("label.lst", "label/label.lst", "data/label/label.lst")
IMAGES = ("image", "image/origin", "images", "data/image", "data/image/origin", "origin", ".")
FIELDS = 8
EXPECTED = "an image, the face's number, top, left, right and bottom of its box, how certain that is, and a label"


def is_expw(root: Path) -> bool:
    """Checks for ExpW's list."""
    return inner(root, *LISTS) is not None


def list_expw(root: Path) -> ImageList:
    """Lists the faces that the list names, each with its box; several may be of one image."""
    table = inner(root, *LISTS)
    assert table is not None, "is_expw looks for it"
    lines = [(number, line.rsplit(maxsplit=FIELDS - 1)) for number, line in enumerate(table_lines(table, "ExpW"), 1)]
    folder = folder_with(root, IMAGES, (fields[0] for _, fields in lines[:TRIED] if len(fields) == FIELDS))
    where = below(root, folder or root / IMAGES[0])
    listing = Listing(root, "ExpW", ("all",), "fer2013")
    for number, fields in lines:
        if not fields:
            continue
        try:
            if len(fields) != FIELDS:
                raise BadLineError(f"found {shown(' '.join(fields))}, expected {EXPECTED}")
            name, face, *box, _, label = fields
            listing.refuse_repeated(f"face {face} of {name}", at_line(table, number))
            path = where + safe_path(name)
            listing.add_image(ListedImage(0, number_in("fer2013", label, "ExpW"), path, box=_box(box)))
        except BadLineError as why:
            listing.add_bad(f"{at_line(table, number)}: {why}")
    listed = {image.path for image in listing.images}
    files = (where + path for path in files_below(folder) if is_image_name(path)) if folder else ()
    return listing.completed(where, [path for path in files if path not in listed], f"named in {table.name}", [table])


def _box(fields: list[str]) -> tuple[float, float, float, float]:
    """Returns a face's left, top, right and bottom, in pixels."""
    try:
        top, left, right, bottom = map(float, fields)
    except ValueError:
        top = left = right = bottom = -1
    if not (right > left and bottom > top):
        raise BadLineError(f"found the box {shown(' '.join(fields))}, expected top, left, right and bottom in pixels")
    return left, top, right, bottom
