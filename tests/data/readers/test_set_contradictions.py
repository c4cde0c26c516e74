"""What a known set says twice and in two ways is refused or counted, and never guessed."""

from pathlib import Path

import pytest

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.readers.image_choice import ImageChoice
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.drawn_sets import SETS, csv_text, draw
from tests.data.faces_files import messages
from tests.data.readers.test_known_sets import told, written


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
