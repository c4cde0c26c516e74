"""CK+48: three near-equal frames of each labelled sequence of CK+ (Lucey et al., CVPR-W 2010), in class folders.

An image's name, such as `S005_001_00000009.png`, says whose face it is (S005), the sequence and the frame.
"""

import re
from dataclasses import replace
from pathlib import Path

from fer_lightning.data.readers.image_folder import is_image_folder, list_images
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.set_files import are_named, name_in

IMAGE = re.compile(r"(S\d{3})_\d{3}_\d{8}\.\w+", re.IGNORECASE)


def is_ck48(root: Path) -> bool:
    """Checks for class folders with images that have CK+'s names."""
    return is_image_folder(root) and are_named(root, IMAGE)


def list_ck48(root: Path) -> ImageList:
    """Lists the images by their folders, with the persons of their names. An image without one is bad."""
    found = list_images(root)
    names = [IMAGE.fullmatch(name_in(image.path)) for image in found.images]
    persons = [named[1].upper() if named else "" for named in names]
    return replace(
        found,
        form="CK+48",
        images=tuple(image._replace(person=person) for image, person in zip(found.images, persons, strict=True)),
        bad={
            place: f"{found.images[place].path}: found no person in the name, expected one as S005_001_00000009.png"
            for place, person in enumerate(persons)
            if not person
        },
    )
