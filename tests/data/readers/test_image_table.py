"""A table of any shape that names image files and their classes gives exactly these faces."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import messages, write_image
from tests.runs import SHORT, run_of
from tests.scripts import run_in

CLASSES = ("happy", "bored", "sad", "happy", "engaged", "sad")


PARTS = ("train", "train", "val", "test", "train", "test")


PERSONS = ("ann", "bo", "ann", "cy", "bo", "cy")


def shade(image: int) -> int:
    return 20 + 25 * image


def write_flat(folder: Path, *paths: str) -> None:
    """Writes images of one shade each, by which a face tells which file it is of."""
    for image, path in enumerate(paths):
        write_image(folder / path, np.full((48, 48), shade(image), np.uint8))


def faces_by_shade(faces: Faces) -> dict[int, tuple[str, str, int | None]]:
    """Returns the class, part and person of each face, by the number of its image."""
    persons = [None] * len(faces) if faces.persons is None else faces.persons.tolist()
    rows = zip(faces.images[:, 0, 0, 0].tolist(), faces.labels, faces.parts, persons, strict=True)
    return {
        (pixel - 20) // 25: (faces.class_names[label], faces.part_names[part], person)
        for pixel, label, part, person in rows
    }


def assert_true(faces: Faces, part: bool = True, person: bool = True) -> None:
    names = {name: place for place, name in enumerate(sorted(set(PERSONS)))}
    assert faces_by_shade(faces) == {
        image: (CLASSES[image], PARTS[image] if part else "all", names[PERSONS[image]] if person else None)
        for image in range(6)
    }


FILES = tuple(f"faces/{number}.png" for number in range(6))


def table(header: str, *columns: tuple[str, ...], end: str = "\n") -> str:
    return end.join([header, *(",".join(fields) for fields in zip(*columns, strict=True))]) + end


FULL = table("image,label,split,person", FILES, CLASSES, PARTS, PERSONS)


SHAPES: dict[str, str] = {
    "commas": FULL,
    "semicolons": FULL.replace(",", ";"),
    "tabs": FULL.replace(",", "\t"),
    "index": "".join(f"{n - 1 if n else ''},{line}\n" for n, line in enumerate(FULL.splitlines())),
    "other names": FULL.replace("image,label,split,person", "filepath,expression,Usage,subject"),
    "spelt otherwise": FULL.replace("image,label,split,person", "Image Path, Emotion ,SET,user_id"),
    "other order": table("person,split,notes,label,pth", PERSONS, PARTS, ("x",) * 6, CLASSES, FILES),
    "quotes and windows": "\ufeff" + FULL.replace("faces/", '"faces/').replace(".png", '.png"').replace("\n", "\r\n"),
    "backslashes": FULL.replace("faces/", "faces\\"),
    "names alone": FULL.replace("faces/", ""),
    "no endings": FULL.replace(".png", ""),
    "spellings": FULL.replace("happy", "Happiness").replace(",sad,", ",Sadness,").replace(",val,", ",Validation,"),
    "number beside words": table("image,label,emotion,split,person", FILES, tuple("012034"), CLASSES, PARTS, PERSONS),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("named", ["file", "folder"])
def test_a_table_of_any_shape_gives_these_faces(shape: str, named: str, tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    (tmp_path / "faces.csv").write_text(SHAPES[shape])
    assert_true(read_faces(tmp_path / "faces.csv" if named == "file" else tmp_path))


def test_columns_are_taken_that_are_named(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    wrong = ("calm",) * 6
    header = "id,pth,label,relabelled,fold,who"
    content = table(header, tuple("012345"), FILES, wrong, CLASSES, PARTS, PERSONS)
    (tmp_path / "faces.csv").write_text(content)
    columns = {"image": "pth", "label": "relabelled", "split": "fold", "person": "who"}
    assert_true(read_faces(tmp_path, columns=columns))
    assert set(read_faces(tmp_path).class_names) == {"calm"}
    with pytest.raises(DataError, match=r"the column 'rel' \(data\.columns\.label\) is not there: it has id, pth"):
        read_faces(tmp_path / "faces.csv", columns={"label": "rel"})
    with pytest.raises(DataError, match=r"holds no table of images with the columns rel \(data\.columns\)"):
        read_faces(tmp_path, columns={"label": "rel"})
    with pytest.raises(ValueError, match="columns names lable; its keys are image, label, split, person"):
        read_faces(tmp_path, columns={"lable": "x"})


def test_columns_that_nothing_has_are_refused_by_other_forms(tmp_path: Path) -> None:
    write_flat(tmp_path, "train/happy/1.png", "test/sad/1.png")
    with pytest.raises(DataError, match="holds no table of images with the columns pth"):
        read_faces(tmp_path, columns={"image": "pth"})


def test_a_part_of_ones_own_can_be_named(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    (tmp_path / "faces.csv").write_text(table("image,label,fold", FILES, CLASSES, tuple("001122")))
    assert read_faces(tmp_path).part_names == ("all",)
    faces = read_faces(tmp_path, columns={"split": "fold"})
    assert [faces.part_names[part] for part in faces.parts] == list("001122")


def test_a_table_for_each_part_gives_all_of_them(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    lines = FULL.splitlines()
    for part in ("train", "val", "test"):
        own = [line.replace(f",{part},", ",") for line in lines if f",{part}," in line]
        (tmp_path / f"faces_{part}.csv").write_text("\n".join(["image,label,person", *own]) + "\n")
    assert_true(read_faces(tmp_path))
    assert len(read_faces(tmp_path / "faces_train.csv")) == 3


def test_several_tables_without_parts_are_refused_by_name(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(FULL)
    with pytest.raises(DataError, match=r"several tables that could be meant: a\.csv, b\.csv\. Give the one to read"):
        read_faces(tmp_path)
    assert_true(read_faces(tmp_path / "a.csv"))


def test_parts_come_from_folders_where_no_column_says_them(tmp_path: Path) -> None:
    paths = tuple(f"images/{part}/{image}.png" for image, part in enumerate(PARTS))
    write_flat(tmp_path, *paths)
    (tmp_path / "faces.csv").write_text(table("file,label", paths, CLASSES))
    assert_true(read_faces(tmp_path), person=False)


def test_images_behind_links_are_found_once(tmp_path: Path) -> None:
    write_flat(tmp_path / "faces", *(f"store/{number}.png" for number in range(6)))
    (tmp_path / "faces" / "aligned").symlink_to("store")
    for start in ("aligned/", ""):
        files = tuple(f"{start}{number}.png" for number in range(6))
        (tmp_path / "faces" / "faces.csv").write_text(table("image,label,split,person", files, CLASSES, PARTS, PERSONS))
        assert_true(read_faces(tmp_path / "faces"))
    (tmp_path / "faces" / "store" / "1.png").rename(tmp_path / "1.png")
    (tmp_path / "faces" / "store" / "1.png").symlink_to(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"1 of 6 images are bad:\n- (store|aligned)/1\.png: .*a link leads out"):
        read_faces(tmp_path / "faces")


def test_bare_numbers_in_a_table_need_a_numbering(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    (tmp_path / "faces.csv").write_text(table("image,label", FILES, ("1.0", "2", "3", "4", "5", "7")))
    with pytest.raises(DataError, match="its classes are numbers, and a number does not say which emotion it is"):
        read_faces(tmp_path)
    faces = faces_by_shade(read_faces(tmp_path, classes=ClassOptions("rafdb")))
    assert [faces[image][0] for image in range(6)] == ["surprise", "fear", "disgust", "happy", "sad", "neutral"]


BAD_ROWS = {
    "faces/9.png,happy,train,ann": "faces.csv, row 7: there is no image 'faces/9.png' below",
    "../faces/1.png,happy,train,ann": "faces.csv, row 7: found the image '../faces/1.png', expected one below",
    "/etc/1.png,happy,train,ann": "faces.csv, row 7: found the image '/etc/1.png', expected one below",
    "C:\\1.png,happy,train,ann": "faces.csv, row 7: found the image 'C:\\\\1.png', expected one below",
    ",happy,train,ann": "faces.csv, row 7: the image '' is empty",
    "faces/6.png,,train,ann": "faces.csv, row 7: found the label '', expected a class or its whole number",
    "faces/6.png,0.5,train,ann": "faces.csv, row 7: found the label '0.5', expected a class",
    "faces/6.png,happy,,ann": "faces/6.png: its part is empty, expected one of",
    "faces/0.png,happy,train,ann": "faces.csv, row 7: names 'faces/0.png' again, as faces.csv, row 1 does",
    "same.png,happy,train,ann": "row 7: the image 'same.png' is the name of 2 files: a/same.png, b/same.png",
}


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_row_that_cannot_be_used_is_told_by_its_number(row: str, tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES, "faces/6.png", "a/same.png", "b/same.png")
    (tmp_path / "faces.csv").write_text(f"{FULL}{row}\n")
    with pytest.raises(DataError, match="1 of 7 rows are bad") as caught:
        read_faces(tmp_path / "faces.csv")
    assert BAD_ROWS[row] in str(caught.value)
    assert_true(read_faces(tmp_path / "faces.csv", "drop"))


def test_two_rows_with_two_classes_for_an_image_are_both_bad(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    (tmp_path / "faces.csv").write_text(f"{FULL}faces/0.png,sad,train,ann\n")
    with pytest.raises(
        DataError, match=r"2 of 7 .*\n- faces\.csv, row 1: faces\.csv, row 7 gives 'faces/0\.png' another"
    ):
        read_faces(tmp_path)


def test_what_cannot_be_the_label_is_not_guessed(tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    (tmp_path / "faces.csv").write_text(table("image,label,class", FILES, tuple("012345"), tuple("543210")))
    with pytest.raises(DataError, match=r"several columns may say the class: label \('0'\), class \('5'\)\. Name one"):
        read_faces(tmp_path)
    (tmp_path / "faces.csv").write_text(table("image,", FILES, CLASSES))
    with pytest.raises(DataError, match="no column 'emotion': found the columns 'image,'"):
        read_faces(tmp_path / "faces.csv")


def test_a_table_of_a_few_of_the_images_is_not_theirs(tmp_path: Path) -> None:
    write_flat(tmp_path, "train/happy/0.png", "train/sad/1.png", "test/happy/2.png", "test/sad/3.png", "test/sad/4.png")
    (tmp_path / "notes.csv").write_text("image,label\ntrain/happy/0.png,sad\n")
    faces = read_faces(tmp_path)
    assert [faces.class_names[label] for label in faces.labels] == ["happy", "sad", "happy", "sad", "sad"]


def test_images_that_the_table_does_not_list_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_flat(tmp_path, *FILES, "faces/more.png")
    (tmp_path / "faces.csv").write_text(FULL)
    faces, log = messages(caplog, tmp_path)
    assert_true(faces)
    assert "ignoring 1 that are not listed in faces.csv: faces/more.png" in log
    assert "table of images faces.csv: image, label, split, person (train, val, test), parsed" in log
    assert "classes: happy (2), sad (2), bored (1), engaged (1)" in log
    assert "from the cache" in messages(caplog, tmp_path)[1]


@pytest.mark.parametrize(
    ("header", "boxes"),
    [
        ("left,top,right,bottom", ("10,20,34,44", "100,20,124,44")),
        ("xmin,ymin,xmax,ymax", ("10,20,34,44", "100,20,124,44")),
        ("face_x,face_y,face_width,face_height", ("10,20,24,24", "100,20,24,24")),
    ],
)
def test_faces_are_cut_by_the_boxes_of_a_table(header: str, boxes: tuple[str, str], tmp_path: Path) -> None:
    pixels = np.zeros((80, 140), np.uint8)
    pixels[10:54, 0:44], pixels[10:54, 90:134] = shade(0), shade(3)  # with what is around the boxes
    write_image(tmp_path / "two.png", pixels)
    lines = [f"image,label,{header}", f"two.png,happy,{boxes[0]}", f"two.png,sad,{boxes[1]}"]
    (tmp_path / "faces.csv").write_text("\n".join(lines) + "\n")
    faces = read_faces(tmp_path)
    assert faces_by_shade(faces) == {0: ("happy", "all", None), 3: ("sad", "all", None)}
    assert all(len(faces.images[face].unique()) == 1 for face in range(2))
    (tmp_path / "faces.csv").write_text("\n".join([*lines, "two.png,sad,5,5,,5"]) + "\n")
    with pytest.raises(DataError, match=r"1 of 3 images are bad:\n- faces\.csv, row 3: .* are no box of a face"):
        read_faces(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"image,label\nfaces/0.png,happy\nfaces/1.png,sad,x\n", r"faces\.csv: is no table \(.*line 3.*\)"),
        (b"image,label\n", r"faces\.csv: the table ends after its header, expected a row for each image"),
        (b"image,label\nfaces/\xe9.png,happy\n", r"faces\.csv: cannot be read as a CSV in UTF-8"),
        (b"image,label,label\nfaces/0.png,happy,sad\n", r"faces\.csv: several columns may say the class|two columns"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    write_flat(tmp_path, *FILES)
    (tmp_path / "faces.csv").write_bytes(content)
    with pytest.raises(DataError, match=why):
        read_faces(tmp_path / "faces.csv")


def test_a_training_by_the_command_reads_a_table_with_persons(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names, classes, folds, persons = [], [], [], []
    for number in range(90):
        names.append(f"{number}.jpg")
        classes.append(("happy", "bored", "sad")[number % 3])
        folds.append(("train", "train", "val", "test", "train")[number // 3 % 5])
        persons.append(f"S{number // 3:03}")
        picture = rng.integers(0, 256, (60, 52, 3), dtype=np.uint8)
        (tmp_path / "faces").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "faces" / names[-1])
    content = table("pth,label,relabelled,fold,who", *map(tuple, (names, names, classes, folds, persons)))
    (tmp_path / "faces" / "list.csv").write_text(content)
    columns = "data.columns={image: pth, label: relabelled, split: fold, person: who}"
    how = (*SHORT, "trainer.max_epochs=1", "data.path=faces", columns)
    result = run_in(tmp_path, "train.py", *how)
    run = run_of(result, tmp_path)
    assert "classes: happy (30), sad (30), bored (30)" in result.stdout + result.stderr
    predictions = (run / "report" / "predictions.csv").read_text().splitlines()
    truth = dict(zip(names, classes, strict=True))
    header = predictions[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in predictions[1:]]
    assert {row["file"]: row["label"] for row in rows} == {
        name: truth[name] for name, fold in zip(names, folds, strict=True) if fold == "test"
    }
