"""Small sets in the forms that people have, of drawn noise, each with the truth about its faces."""

import csv
import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
RAFDB = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # 1 to 7
AFFECTNET = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
CKPLUS = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")


class Truth(NamedTuple):
    """What is known of a face; its order is that of its file."""

    file: str
    part: str
    emotion: str
    person: str = ""


def draw(file: Path, side: int = 12) -> None:
    """Writes a picture of colours that its name decides, in the format of its ending."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(file.name.encode()))
    Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(file)


def draw_all(root: Path, truths: list[Truth]) -> list[Truth]:
    for truth in truths:
        draw(root / truth.file)
    return sorted(truths)


def rafdb(root: Path) -> list[Truth]:
    truths, lines = [], []
    for part, count in (("train", 21), ("test", 14)):
        for number in range(1, count + 1):
            label = number % 7
            lines.append(f"{part}_{number:05}.jpg {label + 1}")
            truths.append(Truth(f"Image/aligned/{part}_{number:05}_aligned.jpg", part, RAFDB[label]))
    write(root / "EmoLabel" / "list_patition_label.txt", "\n".join(lines))
    draw(root / "Image" / "original" / "train_00001.jpg")
    write(root / "Annotation" / "manual" / "train_00001_manu_attri.txt", "1 2")
    return draw_all(root, truths)


def rafdb_folders(root: Path) -> list[Truth]:
    truths = []
    for part, count in (("train", 21), ("test", 14)):
        lines = ["image,label"]
        for number in range(1, count + 1):
            label, name = number % 7, f"{part}_{number:05}_aligned.jpg"
            lines.append(f"{name},{label + 1}")
            truths.append(Truth(f"{part}/{label + 1}/{name}", part, RAFDB[label]))
        write(root / f"{part}_labels.csv", "\n".join(lines))
    return [truth._replace(file=f"DATASET/{truth.file}") for truth in draw_all(root / "DATASET", truths)]


def affectnet_annotations(root: Path) -> list[Truth]:
    truths = []
    for part, count in (("train", 20), ("val", 8)):
        for number in range(count):
            file = f"{part}_set/images/{number}.jpg"
            expression = number % 11 if part == "train" else number
            annotation = root / f"{part}_set" / "annotations" / f"{number}_exp.npy"
            annotation.parent.mkdir(parents=True, exist_ok=True)
            np.save(annotation, np.array(str(expression) if number % 2 else expression))
            np.save(annotation.with_name(f"{number}_val.npy"), np.array("0.5"))
            draw(root / file)
            if expression < 8:
                truths.append(Truth(file, part, AFFECTNET[expression]))
    return sorted(truths)


def affectnet_tables(root: Path) -> list[Truth]:
    """With a header in training.csv, without one in validation.csv."""
    truths = []
    header = ["subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"]
    header += ["facial_landmarks", "expression", "valence", "arousal"]
    for part, name, rows in (("train", "training.csv", [header]), ("val", "validation.csv", [])):
        for number in range(22 if part == "train" else 8):
            expression, path = number % 11, f"{number % 3}/{part}{number:x}.jpg"
            file = f"Manually_Annotated_Images/{path}"
            rows.append([path, "4", "2", "8", "8", "1.5;2.5;3.5", str(expression), "-2", "-2"])
            if expression < 8:
                draw(root / file, 24)
                truths.append(Truth(file, part, AFFECTNET[expression]))
        write(root / "Manually_Annotated_file_lists" / name, csv_text(rows))
    return sorted(truths)


def affectnet_folders(root: Path) -> list[Truth]:
    folders = {"anger": "angry", "happy": "happy", "sad": "sad", "contempt": "contempt", "surprise": "surprise"}
    truths = [
        Truth(f"{folder}/image{number:07}.png", "all", emotion)
        for number, (folder, emotion) in enumerate([*folders.items()] * 3)
    ]
    rows = [[str(row), truth.file, truth.file.partition("/")[0], "0.87"] for row, truth in enumerate(truths)]
    write(root / "labels.csv", csv_text([["", "pth", "label", "relFCs"], *rows]))
    return draw_all(root, truths)


def ck48(root: Path) -> list[Truth]:
    folders = dict(
        zip(("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"), CKPLUS[1:], strict=True)
    )
    return draw_all(
        root,
        [
            Truth(f"{folder}/S{person:03}_00{place}_000000{frame}.png", "all", emotion, f"S{person:03}")
            for place, (folder, emotion) in enumerate(folders.items(), 1)
            for person in (5, 10, 11, 42, 130, 999)
            for frame in (18, 19, 20)
        ],
    )


def ckplus(root: Path) -> list[Truth]:
    """With a sequence of each label, and one that has none."""
    truths = []
    for place, emotion in enumerate((*CKPLUS[1:], "")):
        person, sequence = f"S{place // 2 + 5:03}", f"{place % 2 + 1:03}"
        frames = [f"{person}_{sequence}_{frame:08}.png" for frame in range(1, 12)]
        for frame in frames:
            draw(root / "cohn-kanade-images" / person / sequence / frame)
        labels = root / "Emotion" / person / sequence
        labels.mkdir(parents=True)
        if emotion:
            label = f"   {CKPLUS.index(emotion)}.0000000e+00\n"
            write(labels / frames[-1].replace(".png", "_emotion.txt"), label)
            taken = [(frames[0], "neutral"), *((frame, emotion) for frame in frames[-3:])]
            truths += [
                Truth(f"cohn-kanade-images/{person}/{sequence}/{frame}", "all", shown, person) for frame, shown in taken
            ]
    return sorted(truths)


def jaffe(root: Path) -> list[Truth]:
    codes = dict(zip(("AN", "DI", "FE", "HA", "SA", "SU", "NE"), EMOTIONS, strict=True))
    write(root / "README", "JAFFE")
    return draw_all(
        root,
        [
            Truth(f"{person}.{code}{take}.{place}.tiff", "all", emotion, person)
            for person in ("KA", "KL", "YM")
            for place, (code, emotion) in enumerate(codes.items(), 39)
            for take in (1, 2)
        ],
    )


def kdef(root: Path) -> list[Truth]:
    """The truth is that of the frontal ones; two sessions are of each person."""
    codes = dict(zip(("AN", "DI", "AF", "HA", "SA", "SU", "NE"), EMOTIONS, strict=True))
    truths = draw_all(
        root,
        [
            Truth(f"{session}{person}/{session}{person}{code}{angle}.JPG", "all", emotion, person)
            for session in "AB"
            for person in ("F01", "M01", "M02")
            for code, emotion in codes.items()
            for angle in ("FL", "HL", "S", "HR", "FR")
        ],
    )
    return [truth for truth in truths if truth.file.endswith("S.JPG")]


def expw(root: Path) -> list[Truth]:
    """Two faces are of the first picture."""
    truths, lines = [], []
    for number in range(21):
        name = "愤怒_angry_0.jpg" if number < 2 else f"afraid_African_{number}.jpg"
        draw(root / "image" / name, 40)
        lines.append(f"{name} {number % 2} 4 {8 + number} {24 + number} 20 57.25 {number % 7}")
        truths.append(Truth(f"image/{name}", "all", EMOTIONS[number % 7]))
    write(root / "label" / "label.lst", "\n".join(lines) + "\n")
    return sorted(truths)


def ferg(root: Path) -> list[Truth]:
    words = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
    return draw_all(
        root,
        [
            Truth(f"{person}/{person}_{word}/{person}_{word}_{number}.png", "all", emotion, person)
            for person in ("aia", "bonnie", "jules")
            for word, emotion in zip(words, EMOTIONS, strict=True)
            for number in (1, 2)
        ],
    )


def ferplus_folders(root: Path) -> list[Truth]:
    """In each part, a face of each emotion, one that is unknown, one without a majority, one single vote too many."""
    truths = []
    for place, (folder, part) in enumerate(
        (("FER2013Train", "Training"), ("FER2013Valid", "PublicTest"), ("FER2013Test", "PrivateTest"))
    ):
        rows = []
        for number in range(11):
            name = f"fer{place}{number:06}.png"
            votes = [0] * 10
            if number < 8:
                votes[number], votes[(number + 1) % 10] = 9, 1
                truths.append(Truth(f"{folder}/{name}", part, FERPLUS[number]))
            elif number == 8:
                votes[8] = 10
            elif number == 9:
                votes[0], votes[1] = 5, 5
            else:  # 4 of 10, but 4 of 6 where single votes do not count
                votes[:7] = [4, 2, 1, 1, 1, 1, 0]
                truths.append(Truth(f"{folder}/{name}", part, FERPLUS[0]))
            draw(root / folder / name, 48)
            rows.append([name, "(0, 0, 48, 48)", *map(str, votes)])
        write(root / folder / "label.csv", csv_text(rows))
    return sorted(truths)


def mmafedb(root: Path) -> list[Truth]:
    return draw_all(
        root,
        [
            Truth(f"{folder}/{emotion}/{number}.jpg", part, emotion)
            for folder, part in (("train", "train"), ("valid", "val"), ("test", "test"))
            for emotion in EMOTIONS
            for number in (1, 2)
        ],
    )


SETS: Mapping[str, Callable[[Path], list[Truth]]] = {
    "RAF-DB": rafdb,
    "RAF-DB, numbered folders with tables": rafdb_folders,
    "AffectNet, annotations": affectnet_annotations,
    "AffectNet, tables with face boxes": affectnet_tables,
    "AffectNet, class folders with labels.csv": affectnet_folders,
    "CK+48": ck48,
    "CK+, sequences": ckplus,
    "JAFFE": jaffe,
    "KDEF": kdef,
    "ExpW": expw,
    "FERG": ferg,
    "FER+, folders with votes": ferplus_folders,
    "image folder": mmafedb,
}
"""What draws a set, by the form that the log tells."""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def csv_text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
