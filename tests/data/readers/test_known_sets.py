import logging
import os
import shutil
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
from tests.data.drawn_sets import EMOTIONS, SETS, Truth, draw, write
from tests.data.faces_files import messages


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


def test_compound_emotions_are_not_taken_for_basic_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SETS["RAF-DB"](tmp_path)
    written(tmp_path / "EmoLabel" / "list_patition_label.txt", "train_00001.jpg 2", "train_00001.jpg 11")
    with caplog.at_level(logging.INFO), pytest.raises(DataError, match="a number does not say which emotion it is"):
        read_faces(tmp_path)
    assert "has labels above 7, as RAF-DB's compound emotions do" in caplog.text


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


def test_another_numbering_than_a_sets_own_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SETS["RAF-DB"](tmp_path)
    warning = "data.numbering is taken, though this form has its numbers in the order of rafdb"
    assert warning not in messages(caplog, tmp_path, classes=ClassOptions("rafdb"))[1]
    assert warning in messages(caplog, tmp_path, classes=ClassOptions("alphabetical"))[1]


def test_persons_and_sets_are_not_taken_for_classes(tmp_path: Path) -> None:
    SETS["JAFFE"](tmp_path / "sets" / "jaffe")
    draw(tmp_path / "sets" / "photographs" / "me.png")
    assert read_faces(tmp_path / "sets").files[0].startswith("jaffe/")
