import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.image_choice import ImageChoice
from fer_lightning.data.readers.known_sets import KNOWN_SETS, WITHOUT_NAMES, KnownSet
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.drawn_sets import EMOTIONS, SETS, Truth, csv_text, draw, write
from tests.data.faces_files import messages

Damage = Callable[[Path], object]


def told(faces: Faces, truths: list[Truth]) -> list[Truth]:
    """Returns what faces say, in the order of their files; persons by the names that the truth has for them."""
    persons = sorted({truth.person for truth in truths})
    return sorted(
        Truth(
            file,
            faces.part_names[faces.parts[row]],
            faces.class_names[faces.labels[row]],
            "" if faces.persons is None else persons[faces.persons[row]],
        )
        for row, file in enumerate(faces.files)
    )


def written(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("form", SETS)
def test_labels_parts_and_persons_are_the_truth_by_name(
    form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truths = SETS[form](tmp_path)
    for came_from in ("parsed", "from the cache"):
        faces, text = messages(caplog, tmp_path)
        assert told(faces, truths) == truths
        assert f", {form} ({', '.join(faces.part_names)}), {came_from} in " in text
        assert "ignoring" not in text


@pytest.mark.parametrize("form", SETS)
def test_folders_around_a_set_do_not_matter(form: str, tmp_path: Path) -> None:
    """A readme beside it does not either, nor what macOS leaves behind."""
    truths = SETS[form](tmp_path / "人脸" / "images" / "images")
    draw(tmp_path / "人脸" / "__MACOSX" / "happy" / "x.png")
    write(tmp_path / "人脸" / "images" / "README.md", "# A set")
    faces = read_faces(tmp_path)
    expected = [truth._replace(file=f"人脸/images/images/{truth.file}") for truth in truths]
    assert told(faces, expected) == expected


@pytest.mark.parametrize("form", ["RAF-DB", "FER+, folders with votes"])
def test_a_file_with_another_ending_is_the_one_that_is_listed(form: str, tmp_path: Path) -> None:
    truths = []
    for truth in SETS[form](tmp_path):
        other = truth._replace(file=str(Path(truth.file).with_suffix(".PNG")))
        (tmp_path / truth.file).rename(tmp_path / other.file)
        truths.append(other)
    assert told(read_faces(tmp_path), truths) == sorted(truths)


def test_links_within_a_set_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    truths = SETS["KDEF"](tmp_path / "KDEF")
    (tmp_path / "KDEF" / ".store").mkdir()
    (tmp_path / "KDEF" / "AF01").rename(tmp_path / "KDEF" / ".store" / "elsewhere")
    (tmp_path / "KDEF" / "AF01").symlink_to(".store/elsewhere")
    (tmp_path / "KDEF" / ".store" / "elsewhere" / "round").symlink_to(tmp_path / "KDEF")
    assert told(read_faces(tmp_path / "KDEF"), truths) == truths


def test_links_out_of_a_set_are_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    truths = SETS["KDEF"](tmp_path / "KDEF")
    (tmp_path / "KDEF" / "AF01").rename(tmp_path / "elsewhere")
    (tmp_path / "KDEF" / "AF01").symlink_to(tmp_path / "elsewhere")
    faces, text = messages(caplog, tmp_path / "KDEF")
    kept = [truth for truth in truths if not truth.file.startswith("AF01/")]
    assert told(faces, kept) == kept
    assert f"{tmp_path / 'KDEF' / 'AF01'} is a link out of {tmp_path / 'KDEF'}, which is not followed" in text


@pytest.mark.parametrize("form", ["AffectNet, tables with face boxes", "ExpW"])
def test_faces_are_cut_by_their_boxes(form: str, tmp_path: Path) -> None:
    SETS[form](tmp_path)
    faces = read_faces(tmp_path, pixels=PixelOptions(16, 3))
    row = next(row for row, file in enumerate(faces.files) if file.endswith(("train1.jpg", "_5.jpg")))
    with Image.open(tmp_path / faces.files[row]) as picture:
        if form == "ExpW":  # left 13, top 4, right 29, bottom 20: margins of a quarter
            cut = picture.crop((21 - 9.92, 12 - 9.92, 21 + 9.92, 12 + 9.92))
        else:  # left 4, top 2, 8 wide
            cut = picture.crop((8 - 4.96, 6 - 4.96, 8 + 4.96, 6 + 4.96))
        expected = np.asarray(cut.convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.array_equal(faces.images[row].numpy(), expected)


def test_each_face_of_a_picture_is_one_of_its_own(tmp_path: Path) -> None:
    SETS["ExpW"](tmp_path)
    faces = read_faces(tmp_path)
    rows = [row for row, file in enumerate(faces.files) if "愤怒" in file]
    assert len(rows) == 2
    assert faces.labels[rows].tolist() == [0, 1]
    assert not faces.images[rows[0]].equal(faces.images[rows[1]])


def test_rafdb_without_aligned_images_is_cut_by_its_boxes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SETS["RAF-DB"](tmp_path)
    shutil.rmtree(tmp_path / "Image" / "original")
    (tmp_path / "Image" / "aligned").rename(tmp_path / "Image" / "original")
    for file in (tmp_path / "Image" / "original").iterdir():
        file.rename(file.with_name(file.name.replace("_aligned", "")))
    faces, text = messages(caplog, tmp_path)
    assert "Image/original is used, not aligned, not cut to the face: there is no Annotation/boundingbox" in text
    for file in (tmp_path / "Image" / "original").iterdir():
        write(tmp_path / "Annotation" / "boundingbox" / f"{file.stem}_boundingbox.txt", "2.0 3.0 10.0 11.0 \n")
    boxed, text = messages(caplog, tmp_path)
    assert "Image/original is used, not aligned, cut by Annotation/boundingbox" in text
    assert boxed.labels.tolist() == faces.labels.tolist()
    assert (faces.images.shape[-1], boxed.images.shape[-1]) == (12, 10)


def test_angles_are_chosen_and_frontal_ones_by_default(tmp_path: Path) -> None:
    SETS["KDEF"](tmp_path)
    assert len(read_faces(tmp_path)) == 2 * 3 * 7
    turned = read_faces(tmp_path, choice=ImageChoice(angles=["HL", "HR"]))
    assert {file[-6:-4] for file in turned.files} == {"HL", "HR"}
    assert len(turned) == 2 * 2 * 3 * 7
    for file in tmp_path.rglob("*S.JPG"):
        file.unlink()
    with pytest.raises(DataError, match=r"KDEF: has no image at the angle S: it has FL \(42\), FR \(42\), HL"):
        read_faces(tmp_path)


def test_a_choice_that_a_set_does_not_have_is_refused(tmp_path: Path) -> None:
    SETS["CK+48"](tmp_path)
    with pytest.raises(DataError, match=r"data\.angles is for KDEF, not for CK\+48"):
        read_faces(tmp_path, choice=ImageChoice(angles=["HL"]))
    with pytest.raises(DataError, match=r"CK\+48 says only once what an image shows"):
        read_faces(tmp_path, choice=ImageChoice(labels_from="table"))


def contradicting(form: str, root: Path) -> list[str]:
    """Returns the files, in order, of whose faces a set's table says something else than its folders."""
    truths = SETS[form](root)
    if form.startswith("RAF-DB"):
        files = [truth.file for truth in truths if "/test/" in truth.file][::2]
        for file in files:
            number, name = file.split("/")[-2:]
            written(root / "test_labels.csv", f"{name},{number}", f"{name},{int(number) % 7 + 1}")
    else:
        files = [truth.file for truth in truths if truth.emotion == "happy"]
        for file in files:
            written(root / "labels.csv", f"{file},happy", f"{file},neutral")
    return files


@pytest.mark.parametrize(
    ("form", "first"),
    [
        (
            "RAF-DB, numbered folders with tables",
            "- DATASET/test/1/test_00007_aligned.jpg: folders 1 (surprise), table 2 (fear)",
        ),
        ("AffectNet, class folders with labels.csv", "- happy/image0000001.png: folders happy, table neutral"),
    ],
)
def test_folders_and_table_that_contradict_need_a_choice(form: str, first: str, tmp_path: Path) -> None:
    files = contradicting(form, tmp_path)
    with pytest.raises(DataError) as caught:
        read_faces(tmp_path)
    lines = str(caught.value).splitlines()
    assert f"{form}: folders and table contradict each other on {len(files)} of its " in lines[0]
    assert lines[1] == first
    assert len(lines) == 2 + min(len(files), 5) + (len(files) > 5)
    assert lines[-1].endswith("whose labels are right with data.labels_from=folders or data.labels_from=table.")
    by_folder = read_faces(tmp_path, choice=ImageChoice("folders"))
    by_table = read_faces(tmp_path, choice=ImageChoice("table"))
    words = [
        {file: faces.class_names[label] for file, label in zip(faces.files, faces.labels.tolist(), strict=True)}
        for faces in (by_folder, by_table)
    ]
    assert sorted(file for file in words[0] if words[0][file] != words[1][file]) == sorted(files)
    if form.startswith("AffectNet"):
        assert {words[1][file] for file in files} == {"neutral"}


def test_a_name_and_a_folder_that_contradict_need_a_choice(tmp_path: Path) -> None:
    for folder, name in (("happy", "KA.HA1.1.tiff"), ("happy", "KA.SA1.2.tiff"), ("fear", "KL.FE1.3.tiff")):
        draw(tmp_path / folder / name)
    with pytest.raises(DataError, match=r"- happy/KA\.SA1\.2\.tiff: names sad, folders happy"):
        read_faces(tmp_path)
    faces = read_faces(tmp_path, choice=ImageChoice("names"))
    assert [faces.class_names[label] for label in faces.labels] == ["fear", "happy", "sad"]


def test_an_image_that_the_table_leaves_out_is_bad_by_the_table(tmp_path: Path) -> None:
    form = "RAF-DB, numbered folders with tables"
    truths = SETS[form](tmp_path)
    written(tmp_path / "train_labels.csv", "train_00003_aligned.jpg,4\n", "")
    assert told(read_faces(tmp_path), truths) == truths
    with pytest.raises(DataError, match=r"- DATASET/train/4/train_00003_aligned\.jpg: found no label in the table"):
        read_faces(tmp_path, choice=ImageChoice("table"))


def test_affectnet_in_numbered_folders_needs_a_numbering(tmp_path: Path) -> None:
    for number in range(8):
        draw(tmp_path / "train_class" / str(number) / "1.jpg")
    with pytest.raises(DataError, match="a number does not say which emotion it is"):
        read_faces(tmp_path)
    faces = read_faces(tmp_path, classes=ClassOptions("affectnet"))
    assert [faces.class_names[label] for label in faces.labels][6:] == ["angry", "contempt"]


def test_rafdb_folders_without_tables_are_bare_numbers(tmp_path: Path) -> None:
    SETS["RAF-DB, numbered folders with tables"](tmp_path)
    for file in tmp_path.glob("*.csv"):
        file.unlink()
    with pytest.raises(DataError, match="a number does not say which emotion it is"):
        read_faces(tmp_path)


def test_images_without_an_emotion_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for form in ("AffectNet, annotations", "AffectNet, tables with face boxes"):
        SETS[form](tmp_path / form)
        _, text = messages(caplog, tmp_path / form)
        assert "left out the images without an emotion: no face (" in text


def test_one_person_of_two_sessions_is_the_same(tmp_path: Path) -> None:
    SETS["KDEF"](tmp_path)
    faces = read_faces(tmp_path)
    assert faces.persons is not None
    sessions = {person: set[str]() for person in (0, 1, 2)}
    for file, person in zip(faces.files, faces.persons.tolist(), strict=True):
        sessions[person].add(file[:4])
    assert sessions == {0: {"AF01", "BF01"}, 1: {"AM01", "BM01"}, 2: {"AM02", "BM02"}}


def test_two_sets_side_by_side_are_not_read_as_one(tmp_path: Path) -> None:
    SETS["JAFFE"](tmp_path / "jaffe")
    SETS["KDEF"](tmp_path / "kdef")
    with pytest.raises(DataError, match="holds several data sets"):
        read_faces(tmp_path)


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


def test_compound_emotions_are_not_taken_for_basic_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SETS["RAF-DB"](tmp_path)
    written(tmp_path / "EmoLabel" / "list_patition_label.txt", "train_00001.jpg 2", "train_00001.jpg 11")
    with caplog.at_level(logging.INFO), pytest.raises(DataError, match="a number does not say which emotion it is"):
        read_faces(tmp_path)
    assert "has labels above 7, as RAF-DB's compound emotions do" in caplog.text


MISNAMED = {
    "KDEF": ("AM01/AM31H.JPG", "named as KDEF names them"),
    "JAFFE": ("KA.XX1.39.tiff", "named as JAFFE names them"),
    "FERG": ("aia/aia_thinking/1.png", "images in a folder <character>_<emotion>"),
    "image folder": ("train/1.jpg", "images in a class folder"),
    "RAF-DB": ("Image/aligned/new_aligned.jpg", "listed in EmoLabel/list_patition_label.txt"),
    "ExpW": ("image/new.jpg", "named in label.lst"),
    "FER+, folders with votes": ("FER2013Train/new.png", "listed in label.csv"),
}
"""An image in a set that its form has no place for, and what the log says that it is not."""


@pytest.mark.parametrize("form", MISNAMED)
def test_an_image_that_does_not_fit_is_left_out_and_named(
    form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truths = SETS[form](tmp_path)
    file, wanted = MISNAMED[form]
    draw(tmp_path / file)
    faces, text = messages(caplog, tmp_path)
    assert told(faces, truths) == truths
    assert f"ignoring 1 that are not {wanted}: {file}" in text


def test_parts_of_a_set_that_somebody_cut_are_kept(tmp_path: Path) -> None:
    for part, person in (("train", "F01"), ("test", "F02")):
        draw(tmp_path / part / "happy" / f"A{person}HAS.JPG")
    faces = read_faces(tmp_path)
    assert [faces.part_names[part] for part in faces.parts] == ["train", "test"]
    assert faces.persons is not None
    assert faces.persons.tolist() == [0, 1]


def test_the_log_says_what_is_known_of_a_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    SETS["CK+48"](tmp_path)
    counts = {known.counts: known.known for known in KNOWN_SETS}
    assert "three near-equal frames" in counts[981,]
    small = KnownSet((126,), "CK+48", counts[981,])
    monkeypatch.setattr("fer_lightning.data.readers.known_sets.KNOWN_SETS", (small,))
    for _ in ("parsed", "from the cache"):
        assert f"{tmp_path}: three near-equal frames a person" in messages(caplog, tmp_path)[1]
    os.unlink(tmp_path / "happy" / "S005_005_00000018.png")
    assert "near-equal" not in messages(caplog, tmp_path)[1]


@pytest.mark.parametrize("name", WITHOUT_NAMES)
def test_a_copy_that_lost_its_names_is_known_by_its_counts(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for emotion, count in WITHOUT_NAMES[name].items():
        for number in range(count):
            draw(tmp_path / emotion / f"{number}.png", 4)
    for _ in ("parsed", "from the cache"):
        faces, text = messages(caplog, tmp_path)
        assert (faces.persons, faces.several_of_each) == (None, True)
        assert f"as many images of each class as {name}, and other names of files" in text
    draw(tmp_path / "happy" / "new.png", 4)
    assert not read_faces(tmp_path).several_of_each


def test_a_kdef_that_lost_its_names_is_known_by_its_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for emotion in EMOTIONS:
        (tmp_path / "train" / emotion).mkdir(parents=True)
        Image.new("RGB", (562, 762)).save(tmp_path / "train" / emotion / "1.jpg")
    faces, text = messages(caplog, tmp_path)
    assert faces.several_of_each
    assert "has images of KDEF's size, 562x762, and other names of files" in text
    Image.new("RGB", (562, 763)).save(tmp_path / "train" / "sad" / "1.jpg")
    assert not read_faces(tmp_path).several_of_each


def test_the_mere_numbers_of_kdef_are_a_remark(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for part, count in (("train", 100), ("test", 40)):
        for emotion in EMOTIONS:
            for number in range(count):
                draw(tmp_path / part / emotion / f"{number}.bmp", 2)
    faces, text = messages(caplog, tmp_path)
    assert "the numbers are KDEF's, 140 of each emotion: if it is, each person is in several images" in text
    assert not faces.several_of_each


def test_a_new_label_in_a_table_is_seen_behind_the_cache(tmp_path: Path) -> None:
    truths = SETS["RAF-DB"](tmp_path)
    assert told(read_faces(tmp_path), truths) == truths
    written(tmp_path / "EmoLabel" / "list_patition_label.txt", "train_00001.jpg 2", "train_00001.jpg 1")
    first = "Image/aligned/train_00001_aligned.jpg"
    expected = [truth._replace(emotion="surprise") if truth.file == first else truth for truth in truths]
    assert told(read_faces(tmp_path), expected) == expected


def test_a_path_that_leads_out_of_a_set_is_bad(tmp_path: Path) -> None:
    SETS["AffectNet, tables with face boxes"](tmp_path)
    table = tmp_path / "Manually_Annotated_file_lists" / "validation.csv"
    rows = [
        ["../../secret.jpg", "4", "2", "8", "8", "", "1", "0", "0"],
        ["/etc/x.jpg", "4", "2", "8", "8", "", "1", "0", "0"],
    ]
    table.write_text(table.read_text() + csv_text(rows))
    with pytest.raises(DataError, match=r"validation\.csv, line 9: found the file '\.\./\.\./secret\.jpg'"):
        read_faces(tmp_path)


def test_another_numbering_than_a_sets_own_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SETS["RAF-DB"](tmp_path)
    warning = "data.numbering is taken, though this form has its numbers in the order of rafdb"
    assert warning not in messages(caplog, tmp_path, classes=ClassOptions("rafdb"))[1]
    assert warning in messages(caplog, tmp_path, classes=ClassOptions("alphabetical"))[1]


def test_persons_and_sets_are_not_taken_for_classes(tmp_path: Path) -> None:
    SETS["JAFFE"](tmp_path / "sets" / "jaffe")
    draw(tmp_path / "sets" / "photographs" / "me.png")
    assert read_faces(tmp_path / "sets").files[0].startswith("jaffe/")
