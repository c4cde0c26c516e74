"""Images whose names say in letters who shows what: JAFFE's and KDEF's."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fer_lightning.data.emotions import folder_class, is_emotion
from fer_lightning.data.readers.entries import files_below
from fer_lightning.data.readers.image_folder import part_folders
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.set_files import is_image_name, name_in

CODES: Mapping[str, str] = {
    "AN": "angry",
    "DI": "disgust",
    "AF": "fear",
    "FE": "fear",
    "HA": "happy",
    "SA": "sad",
    "SU": "surprise",
    "NE": "neutral",
}
"""The emotions by their letters: fear is AF in KDEF, FE in JAFFE."""


def listed_by_name(root: Path, form: str, pattern: re.Pattern[str]) -> ImageList:
    """Lists the images below a folder, by their names.

    Folders called train, test, … are parts. Where folders around images are called by emotions, these are a second
    opinion.

    Args:
        root: the folder.
        form: the set's name.
        pattern: of a name, with the groups person, emotion, and, where the names have it, angle.
    """
    part_names, folders = part_folders(root)
    places = {folder.name: part_names.index(part) for part, folder in folders.items()}

    def part_of(path: str) -> int:
        return 0 if part_names == ("all",) else places.get(path.partition("/")[0], -1)

    listing = Listing(root, form, part_names)
    ignored: list[str] = []
    angles: list[str] = []
    by_folder: list[str] = []
    for path in sorted(files_below(root), key=part_of):
        named = pattern.fullmatch(name_in(path))
        if named is None or part_of(path) < 0:
            ignored += [path] if is_image_name(path) else []
            continue
        listing.add(part_names[part_of(path)], CODES[named["emotion"].upper()], path, named["person"].upper())
        angles.append(named.groupdict().get("angle", "").upper())
        around = folder_class(path.split("/")[-2]) if "/" in path else ""
        by_folder.append(around if is_emotion(around) else "")
    found = listing.completed("this folder", ignored, f"named as {form} names them")
    by_name = tuple(image.class_name for image in found.images)
    return replace(
        found,
        angles=tuple(angles) if any(angles) else (),
        opinions={"names": by_name, "folders": tuple(by_folder)} if any(by_folder) else {},
    )
