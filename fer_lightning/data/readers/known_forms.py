"""The forms of known sets, the most certain first: exact names of files, then patterns of names, then folders."""

from collections.abc import Callable
from pathlib import Path

from fer_lightning.data.emotions import folder_class, is_emotion
from fer_lightning.data.readers.affectnet_annotations import is_affectnet_annotations, list_affectnet_annotations
from fer_lightning.data.readers.affectnet_folders import is_affectnet_folders, list_affectnet_folders
from fer_lightning.data.readers.affectnet_tables import is_affectnet_tables, list_affectnet_tables
from fer_lightning.data.readers.ck48 import is_ck48, list_ck48
from fer_lightning.data.readers.ckplus import is_ckplus, list_ckplus
from fer_lightning.data.readers.entries import subfolders
from fer_lightning.data.readers.expw import is_expw, list_expw
from fer_lightning.data.readers.ferg import is_ferg, list_ferg
from fer_lightning.data.readers.ferplus_folders import is_ferplus_folders, list_ferplus_folders
from fer_lightning.data.readers.image_folder import is_image_folder
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.jaffe import is_jaffe, list_jaffe
from fer_lightning.data.readers.kdef import is_kdef, list_kdef
from fer_lightning.data.readers.rafdb import is_rafdb, list_rafdb
from fer_lightning.data.readers.rafdb_folders import is_rafdb_folders, list_rafdb_folders

KNOWN_FORMS: tuple[tuple[Callable[[Path], bool], Callable[[Path], ImageList]], ...] = (
    (is_rafdb, list_rafdb),
    (is_ferplus_folders, list_ferplus_folders),
    (is_affectnet_annotations, list_affectnet_annotations),
    (is_affectnet_tables, list_affectnet_tables),
    (is_expw, list_expw),
    (is_ckplus, list_ckplus),
    (is_rafdb_folders, list_rafdb_folders),
    (is_affectnet_folders, list_affectnet_folders),
    (is_ck48, list_ck48),
    (is_jaffe, list_jaffe),
    (is_kdef, list_kdef),
    (is_ferg, list_ferg),
)
"""What recognises a folder as one of them, and what lists its images."""


def is_folder_of_classes(root: Path) -> bool:
    """Checks for an image folder whose folders are classes: none is a set, or a person of one, by its images' names."""
    return is_image_folder(root) and not any(
        is_jaffe(folder) or is_kdef(folder) for folder in subfolders(root) if not is_emotion(folder_class(folder.name))
    )
