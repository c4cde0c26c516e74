"""The table of written images is what counts when they are read, in whatever dialect it was saved."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data import DataError
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.write_images import export
from tests.data.faces_files import (
    CSV,
    IMAGES,
    LABELS,
    USAGES,
    assert_same_faces,
    fer2013_csv,
    messages,
    votes_csv,
    write_image,
)


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    return path


@pytest.fixture
def exported(pixels: Path, tmp_path: Path) -> Path:
    export(pixels, tmp_path / "images")
    return tmp_path / "images"


def test_the_table_outweighs_the_folders_and_orders_the_faces(exported: Path) -> None:
    header, *lines = (exported / "labels.csv").read_text().splitlines()
    lines = [line.replace(",happy,3,", ",sad,4,") for line in reversed(lines)]
    (exported / "labels.csv").write_text("\n".join([header, *lines]))
    faces = read_faces(exported)
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES[::-1])
    assert faces.labels.tolist() == [4 if label == 3 else label for label in reversed(LABELS)]
    assert [faces.part_names[part] for part in faces.parts] == list(reversed(USAGES))


def test_a_table_that_a_spreadsheet_saved_is_followed_too(exported: Path) -> None:
    lines = (exported / "labels.csv").read_text().splitlines()[:4]
    (exported / "labels.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    assert read_faces(exported).labels.tolist() == list(LABELS[:3])


def test_a_changed_table_or_image_is_read_again(exported: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_faces(exported)
    text = (exported / "labels.csv").read_text()
    (exported / "labels.csv").write_text(text.replace(",happy,3,1\n", ",sad,4,1\n"))
    assert messages(caplog, exported)[0].labels[0] == 4
    write_image(exported / "Training" / "happy" / "1.png", IMAGES[1])
    assert np.array_equal(messages(caplog, exported)[0].images[0][0], IMAGES[1])


def test_a_listed_file_that_is_gone_or_broken_is_a_bad_row(exported: Path) -> None:
    (exported / "Training" / "happy" / "1.png").unlink()
    (exported / "Training" / "angry" / "2.png").write_bytes(b"")
    with pytest.raises(DataError, match="2 of 8 images are bad") as caught:
        read_faces(exported)
    assert "- Training/happy/1.png: there is no such file" in str(caught.value)
    assert "- Training/angry/2.png: found an unreadable image" in str(caught.value)
    assert read_faces(exported, on_bad_rows="drop").labels.tolist() == list(LABELS[2:])


def test_what_the_table_does_not_list_is_ignored_with_a_warning(
    exported: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(exported / "Training" / "sad" / "new.png", IMAGES[0])
    (exported / "notes.txt").write_text("mine")
    faces, log = messages(caplog, exported)
    assert len(faces) == 8
    assert "ignoring 2 that are not listed in labels.csv: Training/sad/new.png, notes.txt" in log


def test_a_labels_csv_of_somebody_else_changes_nothing(exported: Path, caplog: pytest.LogCaptureFixture) -> None:
    (exported / "labels.csv").write_text("image,label\n1.png,0\n")
    faces, log = messages(caplog, exported)
    assert faces.labels.tolist() == [0, 1, 3, 5, 2, 3, 4, 6]
    assert f"{exported / 'labels.csv'} is not read: found the columns 'image,label', and ours has file,part," in log
    (exported / "labels.csv").write_bytes(b"\xff\xfe\0")
    assert len(read_faces(exported)) == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            ",happy,3,1\n",
            ",happy,4,1\n",
            r"line 2: found the emotion 'happy' with the label '4', expected one opinion: happy 3, or sad 4",
        ),
        (",angry,0,2\n", ",bored,4,2\n", r"line 3: found the emotion 'bored' with the label '4', expected angry 0"),
        (
            ",Training,angry",
            ",Trainig,angry",
            r"line 3: found the part 'trainig', expected one of Training",
        ),
        (
            ",Training,happy",
            ",Trainig,happy",
            r"line 2: found the part 'trainig', expected one of Training, PublicTest, PrivateTest",
        ),
        ("\nTraining/happy", "\n../Training/happy", r"line 2: found the file '\.\./Training/.*', expected one below"),
        ("\nTraining/happy", "\n/etc/happy", r"line 2: found the file '/etc/.*', expected one below the folder"),
        ("\nTraining/happy", "\nC:/happy", r"line 2: found the file 'C:/.*', expected one below the folder"),
        (",happy,3,1\n", ",happy,3\n", r"line 2: found 4 fields, expected 5 \(file,part,emotion,label,row\)"),
        (",happy,3,1\n", ',happy,3,1"\n\n"', r"line 10 is not CSV"),
        (",happy,3,1\n", ",happy,4,1\n" * 2, r"line 2: found .*\n- labels\.csv, line 3: found 4 fields"),
        (
            "Training/angry/2.png,Training,angry,0,2",
            "Training//happy/1.png,Training,happy,3,2",
            r"line 3: lists 'Training/happy/1\.png' again, as line 2 does\n",
        ),
        (
            "Training/angry/2.png,Training,angry,0,2",
            "Training/happy/1.png,Training,sad,4,2",
            r"line 2: line 3 lists 'Training/happy/1\.png' otherwise\n.*line 3: lists .* again",
        ),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_number(exported: Path, old: str, new: str, message: str) -> None:
    text = (exported / "labels.csv").read_text()
    assert old in text
    (exported / "labels.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=rf"labels\.csv[,:] {message}"):
        read_faces(exported)
    if "is not CSV" not in message:
        assert len(read_faces(exported, "drop")) in (6, 7)


def changed_lines(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(change(line) + "\n" for line in text.splitlines())


def with_index(name: str) -> Callable[[str], str]:
    return lambda text: "".join(f"{n - 1 if n else name},{line}\n" for n, line in enumerate(text.splitlines()))


DIALECTS: dict[str, Callable[[str], str]] = {
    "semicolons": lambda text: text.replace(",", ";"),
    "tabs": lambda text: text.replace(",", "\t"),
    "bars": lambda text: text.replace(",", "|"),
    "quotes": changed_lines(lambda line: ",".join(f'"{field}"' for field in line.split(","))),
    "semicolons and quotes": changed_lines(lambda line: ";".join(f'"{field}"' for field in line.split(","))),
    "spaces": lambda text: text.replace(",", ", "),
    "an index": with_index(""),
    "an index read again": with_index("Unnamed: 0"),
    "capitals": lambda text: text.replace("file,part,emotion", "File,PART,Emotion").replace(",sad,", ",Sad,"),
    "capitals everywhere": lambda text: text.replace("Training,", "TRAINING,").replace(",happy,", ",HAPPY,"),
    "a mark and windows' line ends": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "line ends of old": lambda text: text.replace("\n", "\r"),
    "empty columns": changed_lines(lambda line: line + ",,,"),
    "empty columns of the header": lambda text: text.replace("label,row", "label,row,,"),
    "empty lines": lambda text: text.replace("\n", "\n,,,,\n\n"),
    "sep=": lambda text: "sep=;\n" + text.replace(",", ";"),
    "another order": changed_lines(lambda line: ",".join(reversed(line.split(",")))),
    "no rows": changed_lines(lambda line: line.rpartition(",")[0]),
    "notes": changed_lines(lambda line: f"{line},checked"),
    "decimals": lambda text: re.sub(r",(\d),(\d)\n", r",\1.0,\2.0\n", text),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_correction_is_read_in_whatever_dialect_it_was_saved(exported: Path, dialect: str, encoding: str) -> None:
    text = (exported / "labels.csv").read_text().replace(",happy,3,1\n", ",sad,4,1\n")
    (exported / "labels.csv").write_bytes(DIALECTS[dialect](text).encode(encoding))
    faces = read_faces(exported)
    assert faces.labels.tolist() == [4, *LABELS[1:]]
    assert [faces.part_names[part] for part in faces.parts] == list(USAGES)
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace(",label,", ",number,"), "no column 'label': found the columns 'file,part,emotion,n"),
        (changed_lines(lambda line: f'"{line}"'), "no column 'file': found the columns"),
        (lambda text: text.replace(",", ":"), "no column 'file': found the columns 'file:part:"),
        (lambda text: text.replace(",row", ",emotion"), "names the column 'emotion' twice"),
        (lambda text: text.replace(",row", ",angry"), "has the column 'angry', but not one of each class"),
        (lambda text: text.split("\n")[0], "lists no image"),
    ],
)
def test_a_table_of_ours_that_cannot_be_read_is_never_ignored(
    exported: Path, change: Callable[[str], str], why: str
) -> None:
    (exported / "labels.csv").write_text(change((exported / "labels.csv").read_text()))
    with pytest.raises(DataError, match=rf"labels\.csv: {why}"):
        read_faces(exported)


def test_a_table_that_is_a_link_to_nowhere_or_no_text_is_refused(exported: Path) -> None:
    content = (exported / "labels.csv").read_bytes()
    (exported / "labels.csv").write_bytes(content.replace(b"1.png", b"\xe9.png", 1))
    with pytest.raises(DataError, match="cannot be read as a CSV in UTF-8"):
        read_faces(exported)
    (exported / "labels.csv").unlink()
    (exported / "labels.csv").symlink_to("gone")
    with pytest.raises(DataError, match="cannot be read"):
        read_faces(exported)


def test_what_is_not_read_of_a_table_is_logged(exported: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = changed_lines(lambda line: f"{line},better")((exported / "labels.csv").read_text())
    (exported / "labels.csv").write_text(with_index("")(text))
    assert "labels.csv: these columns are not read: better\n" in messages(caplog, exported)[1]


def test_soft_labels_with_decimal_commas_are_read(pixels: Path, tmp_path: Path) -> None:
    votes = [(usage, "face.png", f"{2 + row} {row} 0 2 0 0 0 3 0 0") for row, usage in enumerate(USAGES)]
    (tmp_path / "votes.csv").write_bytes(votes_csv(votes))
    export(pixels, tmp_path / "images", votes=VotesOptions(tmp_path / "votes.csv", "probability"))
    expected = read_faces(tmp_path / "images")
    text = (tmp_path / "images" / "labels.csv").read_text()
    text = changed_lines(lambda line: ";".join([*line.split(",")[5:], *line.split(",")[:5]]))(text)
    (tmp_path / "images" / "labels.csv").write_text(re.sub(r"(?<=\d)\.(?=\d)", ",", text))
    assert_same_faces(read_faces(tmp_path / "images"), expected)


def test_a_correction_unlike_the_soft_labels_is_a_bad_row(pixels: Path, tmp_path: Path) -> None:
    votes = [(usage, "face.png", "6 4 0 0 0 0 0 0 0 0") for usage in USAGES]
    (tmp_path / "votes.csv").write_bytes(votes_csv(votes))
    export(pixels, tmp_path / "images", votes=VotesOptions(tmp_path / "votes.csv", "probability"))
    text = (tmp_path / "images" / "labels.csv").read_text()
    (tmp_path / "images" / "labels.csv").write_text(text.replace(",neutral,0,1,", ",happiness,1,1,"))
    with pytest.raises(DataError, match="line 2: found the emotion happy and the greatest share for neutral"):
        read_faces(tmp_path / "images")


@pytest.mark.parametrize("share", ["0.9", "-0.1", "nan", "much"])
def test_soft_labels_that_are_no_shares_are_refused(pixels: Path, tmp_path: Path, share: str) -> None:
    votes = [(usage, "face.png", "6 4 0 0 0 0 0 0 0 0") for usage in USAGES]
    (tmp_path / "votes.csv").write_bytes(votes_csv(votes))
    export(pixels, tmp_path / "images", votes=VotesOptions(tmp_path / "votes.csv", "probability"))
    text = (tmp_path / "images" / "labels.csv").read_text()
    (tmp_path / "images" / "labels.csv").write_text(re.sub(r",0\.4\d*,", f",{share},", text, count=1))
    with pytest.raises(DataError, match=r"labels\.csv, line 2: found .*(add up to 1|share of 0 to 1)"):
        read_faces(tmp_path / "images")


def test_an_exported_folder_can_be_moved(exported: Path, tmp_path: Path) -> None:
    expected = read_faces(exported)
    shutil.move(exported, tmp_path / "elsewhere")
    assert_same_faces(read_faces(tmp_path / "elsewhere"), expected)
    assert fer2013_csv(expected.images[:, 0].numpy()) == CSV
