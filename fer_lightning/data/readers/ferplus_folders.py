"""FER+ (Barsoum et al., ICMI 2016) as FERPlus's own script writes it: FER2013's images, and votes for each.

`FER2013Train`, `FER2013Valid` and `FER2013Test` hold images and a label.csv without a header, whose lines are an
image's name, "(0, 0, 48, 48)" and ten votes. Labels are by majority, as in `ferplus`.
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_lightning.data.faces import FERPLUS_EMOTIONS, USAGES
from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.ferplus import EMOTION_COUNT, has_majority, without_outliers
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.set_files import below, inner, is_image_name, name_finder
from fer_lightning.data.readers.set_tables import BadLineError, at_line, safe_path, table_rows
from fer_lightning.data.readers.votes_file import VOTED
from fer_lightning.errors import DataError

log = logging.getLogger(__name__)

FORM = "FER+, folders with votes"
FOLDERS = dict(zip(USAGES, ("FER2013Train", "FER2013Valid", "FER2013Test"), strict=True))
TABLE = "label.csv"


def is_ferplus_folders(root: Path) -> bool:
    """Checks for one of FERPlus's folders with a table of votes."""
    return any(inner(root, f"{folder}/{TABLE}") for folder in FOLDERS.values())


def list_ferplus_folders(root: Path) -> ImageList:
    """Lists the images on which more than half of the voters agree.

    Raises:
        DataError: a folder without its table, or a table without its images.
    """
    folders = {part: path for part, name in FOLDERS.items() if (path := inner(root, name)) is not None}
    listing = Listing(root, FORM, USAGES)
    tables: list[Path] = []
    ignored: list[str] = []
    for part, folder in folders.items():
        table = inner(folder, TABLE)
        if table is None:
            raise DataError(f"{folder}: FER+: there is no {TABLE} in it, which has the votes. Get it from FERPlus.")
        files = [*filter(is_image_name, files_below(folder))]
        if not files:
            raise DataError(
                f"{folder}: FER+: found {TABLE}, but no images. FERPlus's script generate_training_data.py writes them "
                "there from fer2013.csv; data=ferplus with data.path=fer2013.csv needs neither."
            )
        _add(listing, part, folder, table, files)
        tables.append(table)
        listed = {image.path for image in listing.images} | {*listing.lines}
        ignored += [path for path in (below(root, folder) + file for file in files) if path not in listed]
    return listing.completed("these folders", ignored, f"listed in {TABLE}", tables, FERPLUS_EMOTIONS)


def _add(listing: Listing, part: str, folder: Path, table: Path, files: list[str]) -> None:
    """Adds a folder's images by majority, and logs how many have none."""
    file_named = name_finder(files)
    count = without = 0
    for number, (name, *fields) in table_rows(table, "FER+"):
        count += 1
        try:
            path = below(listing.root, folder) + file_named(safe_path(name))
            listing.refuse_repeated(path, f"{folder.name}/{at_line(table, number)}")
            votes = without_outliers(_votes(fields))
            if has_majority(votes)[0] and votes.argmax() < EMOTION_COUNT:
                listing.add(part, FERPLUS_EMOTIONS[votes.argmax()], path)
            else:
                without += 1
        except BadLineError as why:
            listing.add_bad(f"{folder.name}/{at_line(table, number)}: {why}")
    log.info(
        "FER+ %s, rule majority: %s of %s images kept; left out: %s whose votes agree on no emotion. Published figures "
        "are of other test faces where ties, unknown and NF are treated otherwise",
        *(part, f"{count - without:,}", f"{count:,}", f"{without:,}"),
    )


def _votes(fields: list[str]) -> NDArray[np.int64]:
    """Returns the votes of a line, int64 (1, 10)."""
    texts = fields[1:]
    if len(texts) != len(VOTED) or not all(text.isdecimal() and len(text) < 4 for text in texts):
        found = shown(",".join(fields))
        raise BadLineError(f'found {found}, expected "(0, 0, 48, 48)" and {len(VOTED)} numbers of votes')
    return np.array([[int(text) for text in texts]], np.int64)
