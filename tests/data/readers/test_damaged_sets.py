"""A known set that is damaged says so in its own words, by its own form."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.drawn_sets import SETS, draw
from tests.data.readers.test_known_sets import written

Damage = Callable[[Path], object]


def gone(pattern: str) -> Damage:
    def damage(root: Path) -> None:
        for path in [*root.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def changed(file: str, old: str, new: str) -> Damage:
    return lambda root: written(root / file, old, new)


def overwritten(file: str, content: bytes) -> Damage:
    return lambda root: (root / file).write_bytes(content)


def other_images(root: Path) -> None:
    gone("Image/aligned/*")(root)
    draw(root / "Image" / "aligned" / "me.jpg")


DAMAGES: dict[str, tuple[str, Damage, str]] = {
    "RAF-DB without images": ("RAF-DB", gone("Image/*"), "RAF-DB: found EmoLabel/list_patition_label.txt, but no im"),
    "RAF-DB without one image": (
        *("RAF-DB", gone("Image/aligned/train_00002_aligned.jpg")),
        r"- Image/aligned/train_00002_aligned\.jpg: there is no such file",
    ),
    "RAF-DB with other images": (
        *("RAF-DB", other_images),
        "RAF-DB: has labels for 35 images, and none of these is in Image/aligned/",
    ),
    "RAF-DB with a label 0": (
        *("RAF-DB", changed("EmoLabel/list_patition_label.txt", "train_00001.jpg 2", "train_00001.jpg 0")),
        r"- list_patition_label\.txt, line 1: found the label '0', expected RAF-DB's, 1 to 7",
    ),
    "RAF-DB with a line cut short": (
        *("RAF-DB", changed("EmoLabel/list_patition_label.txt", "test_00014.jpg 1", "test_000")),
        r"line 35: found 'test_000', expected a line such as train_00001\.jpg 5",
    ),
    "RAF-DB with a line twice": (
        *("RAF-DB", changed("EmoLabel/list_patition_label.txt", "train_00002.jpg 3", "train_00001.jpg 3")),
        r"line 2: names 'train_00001\.jpg' again, as list_patition_label\.txt, line 1 does",
    ),
    "RAF-DB with a binary list": (
        *("RAF-DB", overwritten("EmoLabel/list_patition_label.txt", b"\x00\xff")),
        "RAF-DB: is no text in UTF-8",
    ),
    "RAF-DB with an empty list": (
        *("RAF-DB", overwritten("EmoLabel/list_patition_label.txt", b"")),
        "RAF-DB: has no image with a label",
    ),
    "RAF-DB's folders without a part": (
        *("RAF-DB, numbered folders with tables", gone("DATASET/test")),
        r"RAF-DB: found test_labels\.csv, but no images in a folder test",
    ),
    "RAF-DB's tables without images": (
        *("RAF-DB, numbered folders with tables", gone("DATASET")),
        r"RAF-DB: found train_labels\.csv and test_labels\.csv, but no images in DATASET/train/1 to 7",
    ),
    "RAF-DB's folders renamed": (
        "RAF-DB, numbered folders with tables",
        lambda root: (root / "DATASET" / "train" / "7").rename(root / "DATASET" / "train" / "0"),
        "RAF-DB: found the class folders 0, expected RAF-DB's 1 to 7: these were renamed",
    ),
    "RAF-DB's folders without one image": (
        *("RAF-DB, numbered folders with tables", gone("DATASET/train/2/train_00001_aligned.jpg")),
        r"- train_labels\.csv, line 2: there is no image DATASET/train/2/train_00001_aligned\.jpg",
    ),
    "RAF-DB's table with a label 8": (
        *("RAF-DB, numbered folders with tables", changed("train_labels.csv", "jpg,2", "jpg,8")),
        r"- train_labels\.csv, line 2: found the label '8', expected RAF-DB's, 1 to 7",
    ),
    "AffectNet without annotations of a part": (
        *("AffectNet, annotations", gone("val_set/annotations")),
        "AffectNet: there is no folder annotations in it",
    ),
    "AffectNet without an annotation": (
        *("AffectNet, annotations", gone("train_set/annotations/3_exp.npy")),
        r"- train_set/images/3\.jpg: no annotation: there is no 3_exp\.npy",
    ),
    "AffectNet with a pickled annotation": (
        *("AffectNet, annotations", lambda root: np.save(root / "val_set/annotations/3_exp.npy", np.array([{}]))),
        r"- val_set/images/3\.jpg: its annotation is no \.npy file with one number",
    ),
    "AffectNet with only other annotations": (
        *("AffectNet, annotations", gone("*/annotations/*_exp.npy")),
        r"AffectNet: has none of the files 0_exp\.npy",
    ),
    "AffectNet's tables without photographs": (
        *("AffectNet, tables with face boxes", gone("Manually_Annotated_Images")),
        "none of these is in Manually_Annotated_Images",
    ),
    "AffectNet's tables with a bad box": (
        *(
            "AffectNet, tables with face boxes",
            changed("Manually_Annotated_file_lists/training.csv", ",4,2,8", ",4,2,-"),
        ),
        r"- training\.csv, line 2: found the face box '4,2,-,8', expected face_x,face_y",
    ),
    "AffectNet's table without a column": (
        "AffectNet, tables with face boxes",
        changed("Manually_Annotated_file_lists/training.csv", "expression", "mood"),
        r"training\.csv: AffectNet: has no column expression",
    ),
    "AffectNet's folders with a line twice": (
        *("AffectNet, class folders with labels.csv", changed("labels.csv", "image0000001", "image0000006")),
        r"- labels\.csv, line 8: names happy/image0000006\.png again, as labels\.csv, line 3 does",
    ),
    "CK+48 with an image of nobody": (
        *("CK+48", lambda root: draw(root / "happy" / "me.png")),
        r"- happy/me\.png: found no person in the name, expected one as S005_001_00000009\.png",
    ),
    "CK+ without labels": ("CK+, sequences", gone("Emotion"), r"CK\+: found cohn-kanade-images/, but no labels in"),
    "CK+ with a sequence cut short": (
        *("CK+, sequences", gone("cohn-kanade-images/S005/001/*_0000000[1-8].png")),
        r"S005_001_00000011_emotion\.txt: found 3 frames of its sequence, expected more than 3",
    ),
    "CK+ with a label of none": (
        *("CK+, sequences", overwritten("Emotion/S005/002/S005_002_00000011_emotion.txt", b"")),
        r"S005_002_00000011_emotion\.txt: found the label '', expected CK\+'s, 0 to 7",
    ),
    "ExpW without pictures": ("ExpW", gone("image"), "ExpW: has labels for 21 images, and none of these is in image/"),
    "ExpW with a box that is none": (
        *("ExpW", changed("label/label.lst", " 4 8 24 20 ", " 4 8 8 20 ")),
        r"- label\.lst, line 1: found the box '4 8 8 20', expected top, left, right and bottom",
    ),
    "JAFFE in folders of others' emotions": (
        *("JAFFE", lambda root: draw(root / "sad" / "KA.HA9.1.tiff")),
        r"JAFFE: names and folders contradict each other on 1 of its 43 images:\n- sad/KA\.HA9\.1\.tiff: names happy,",
    ),
    "JAFFE without emotions": (
        *("JAFFE", lambda root: [file.rename(root / f"{file.name[:2]}.tiff") for file in root.glob("*.*.tiff")]),
        "nothing there says which class each is of",
    ),
    "FERG without emotions": (
        "FERG",
        lambda root: [
            folder.rename(folder.with_name(str(place))) for place, folder in enumerate([*root.glob("*/*_*")])
        ],
        "holds several data sets",
    ),
    "MMAFEDB with two folders for one part": (
        *("image folder", lambda root: draw(root / "val" / "happy" / "1.jpg")),
        "cannot tell the parts apart: found test, train, val, valid",
    ),
    "MMAFEDB without images": (
        *("image folder", gone("*/*/*.jpg")),
        r"no image \(\.jpg, .* in its class folders: found none, expected a folder for each class",
    ),
    "FER+ without images": (
        *("FER+, folders with votes", gone("FER2013Valid/*.png")),
        r"FER2013Valid: FER\+: found label\.csv, but no images\. FERPlus's script",
    ),
    "FER+ without votes of a part": (
        *("FER+, folders with votes", gone("FER2013Test/label.csv")),
        r"FER2013Test: FER\+: there is no label\.csv in it",
    ),
    "FER+ with nine votes": (
        *("FER+, folders with votes", changed("FER2013Train/label.csv", ",9,1,0", ",9,0")),
        r"- FER2013Train/label\.csv, line 1: found .* and 10 numbers of votes",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_set_is_told_by_its_own_form(damage: str, tmp_path: Path) -> None:
    form, damaged, expected = DAMAGES[damage]
    SETS[form](tmp_path)
    damaged(tmp_path)
    with pytest.raises(DataError, match=expected) as caught:
        read_faces(tmp_path)
    for misleading in ("data.numbering", "emotion,pixels", "rename the", "UTF-8 CSV"):
        assert misleading not in str(caught.value)
