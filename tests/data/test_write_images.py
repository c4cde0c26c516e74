"""What is exported as image files reads back as the very same faces."""

import csv
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data import DataError
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.forms_taken import FORMS
from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.write_images import export, main
from tests.data.drawn_sets import SETS
from tests.data.faces_files import (
    BAD,
    CSV,
    FLAT,
    IMAGES,
    LABELS,
    USAGES,
    assert_same_faces,
    csv_bytes,
    fer2013_csv,
    messages,
    votes_csv,
    write_image,
)
from tests.scripts import run_in, started_in

SCRIPT = "fer_lightning/data/write_images.py"


def refusal(*arguments: object) -> str:
    """What the command ends with where it cannot be done: exit status 1 and this message."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return str(caught.value.code)


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    return path


def test_the_command_writes_images_by_part_and_emotion(pixels: Path, tmp_path: Path) -> None:
    result = run_in(tmp_path, SCRIPT, "fer2013.csv", "images")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "images" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "part", "emotion", "label", "row"]
    assert rows[0] == {
        "file": "Training/happy/1.png",
        "part": "Training",
        "emotion": "happy",
        "label": "3",
        "row": "1",
    }
    assert [row["part"] for row in rows] == list(USAGES)
    written = sorted(path.relative_to(tmp_path / "images").as_posix() for path in tmp_path.glob("images/*/*/*"))
    assert written == sorted(row["file"] for row in rows)
    assert_same_faces(read_faces(tmp_path / "images"), read_faces(pixels))


@pytest.mark.parametrize("form", ["usage", "no parts", "train and test", "exported"])
def test_every_form_reads_back_as_it_was_and_from_the_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    source = tmp_path / "source" / "fer2013.csv"
    source.parent.mkdir()
    if form == "train and test":
        source = source.parent
        for number, name in enumerate(("train/happy", "train/angry", "test/sad", "test/angry")):
            write_image(source / name / "face.jpg", IMAGES[number])
    elif form == "no parts":
        source.write_bytes(csv_bytes("emotion,pixels", [f"3,{FLAT}", f"0,{FLAT}", f"6,{FLAT}"]))
    else:
        source.write_bytes(CSV)
    if form == "exported":
        export(source, tmp_path / "first")
        source = tmp_path / "first"
    export(source, tmp_path / "images")
    expected = read_faces(source)
    for came_from in ("parsed", "from the cache"):
        faces, log = messages(caplog, tmp_path / "images")
        assert f"image folder with labels.csv ({', '.join(expected.part_names)}), {came_from}" in log
        assert "ignoring" not in log
        assert_same_faces(faces, expected)
    assert (tmp_path / "images" / "angry").exists() == (form == "no parts")


@pytest.mark.parametrize("form", ["JAFFE", "KDEF", "FERG", "CK+48", "FER+, folders with votes", "image folder"])
def test_persons_of_a_set_read_back(form: str, tmp_path: Path) -> None:
    SETS[form](tmp_path / "set")
    export(tmp_path / "set", tmp_path / "images")
    expected = read_faces(tmp_path / "set")
    assert (expected.persons is None) == (form in ("FER+, folders with votes", "image folder"))
    for _ in ("parsed", "from the cache"):
        assert_same_faces(read_faces(tmp_path / "images"), expected)


def test_persons_that_are_not_known_are_remembered(tmp_path: Path) -> None:
    (tmp_path / "ckextended.csv").write_bytes(CSV)
    export(tmp_path / "ckextended.csv", tmp_path / "images")
    faces = read_faces(tmp_path / "images")
    assert (faces.persons, faces.several_of_each) == (None, True)


def test_parts_and_classes_of_any_name_read_back_and_stay_inside(tmp_path: Path) -> None:
    """A name that leads out of the folder, or that no folder can have, is a table's alone."""
    classes = ("../../out", "=1+1", "a/b", "喜び", "happy", "w" * 300, "CON ")
    parts = ("Ärzte", "../up", "fold 1", "Ärzte", "fold 1", "Ärzte", "fold 1")
    persons = ("b", "a", "c", "b", "a", "c", "b")
    rows = ["image,label,split,person"]
    for number, fields in enumerate(zip(classes, parts, persons, strict=True)):
        write_image(tmp_path / "set" / f"{number}.png", IMAGES[number])
        rows.append(",".join((f"{number}.png", *fields)))
    (tmp_path / "set" / "faces.csv").write_text("\n".join(rows), "utf-8")
    export(tmp_path / "set", tmp_path / "out" / "images")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["images"]
    assert len([*(tmp_path / "out" / "images").rglob("*.png")]) == len(classes)
    assert_same_faces(read_faces(tmp_path / "out" / "images"), read_faces(tmp_path / "set"))


def test_soft_labels_read_back_to_the_bit(pixels: Path, tmp_path: Path) -> None:
    votes = [(usage, "face.png", f"{2 + row} {row} 0 2 0 0 0 3 0 0") for row, usage in enumerate(USAGES)]
    (tmp_path / "votes.csv").write_bytes(votes_csv(votes))
    main([str(pixels), str(tmp_path / "images"), "--votes", str(tmp_path / "votes.csv"), "--rule", "probability"])
    expected = read_faces(pixels, votes=VotesOptions(tmp_path / "votes.csv", "probability"))
    assert expected.soft_labels is not None
    assert expected.soft_labels.frac().count_nonzero() > 3
    for _ in range(2):
        assert_same_faces(read_faces(tmp_path / "images"), expected)


def test_bad_rows_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(BAD)
    bad, out = tmp_path / "bad.csv", tmp_path / "images"
    assert refusal(bad, out).startswith(f"error: {bad}: 7 of 9 rows are bad")
    assert os.listdir(tmp_path) == ["bad.csv"]
    main([str(bad), str(out), "--on-bad-rows", "drop"])
    assert_same_faces(read_faces(tmp_path / "images"), read_faces(tmp_path / "bad.csv", on_bad_rows="drop"))


def test_nothing_is_overwritten(pixels: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear Ann")
    message = refusal(pixels, tmp_path / "mine")
    assert message == (
        f"error: {tmp_path / 'mine'}: this folder is not empty, and nothing is overwritten. "
        "Give another OUT, or empty it."
    )
    assert refusal(pixels, pixels) == f"error: {pixels}: there is a file of this name. Give another OUT."
    assert (tmp_path / "mine" / "letter.txt").read_text() == "Dear Ann"
    assert pixels.read_bytes() == CSV


def test_nothing_is_written_into_the_set(pixels: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for out in (tmp_path / "images", tmp_path / "link" / "images"):
        assert refusal(tmp_path, out) == (
            f"error: {out}: is in {tmp_path}, and nothing is written into a set of faces. Give another OUT."
        )
    assert sorted(os.listdir(tmp_path)) == ["fer2013.csv", "link"]


def test_an_empty_folder_is_filled(pixels: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    export(pixels, tmp_path / "images")
    assert len(read_faces(tmp_path / "images")) == len(LABELS)


def test_a_rule_without_votes_is_refused(pixels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(pixels, tmp_path / "images", "--rule", "majority") == "2"
    assert "give --votes FILE too" in capsys.readouterr().err


def heeding_sigint() -> None:
    """Tests that run in the background inherit that SIGINT is ignored, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_export_never_looks_complete(tmp_path: Path, how: signal.Signals) -> None:
    rows = [f"{row % 7},{FLAT},Training" for row in range(4000)]
    (tmp_path / "fer2013.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    said = tmp_path / "said.txt"
    process = started_in(tmp_path, SCRIPT, "fer2013.csv", "images", printed=(said, said), before=heeding_sigint)
    while process.exitcode is None and not (tmp_path / "images.unfinished" / "Training" / "happy").exists():
        time.sleep(0.001)
    assert process.pid is not None
    os.kill(process.pid, how)
    process.join(60)
    assert process.exitcode
    assert not (tmp_path / "images").exists()
    if how is signal.SIGINT:
        assert said.read_text().endswith(f"stopped: {tmp_path / 'images'} was not written\n")
        assert not (tmp_path / "images.unfinished").exists()
    else:
        assert not (tmp_path / "images.unfinished" / "labels.csv").exists()
        with pytest.raises(DataError, match=r"images\.unfinished: left over from an export that was killed"):
            export(tmp_path / "fer2013.csv", tmp_path / "images")


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


def test_the_home_folder_is_understood_in_every_path(
    pixels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "votes.csv").write_bytes(votes_csv([(usage, "f", "9 0 0 0 0 0 0 0 0 0") for usage in USAGES]))
    main(["~/fer2013.csv", "~/images", "--votes=~/votes.csv"])
    assert read_faces("~/images").labels.tolist() == [0] * 8
    assert refusal("~nobody_of_this_name/a.csv", "~/others") == (
        "error: ~nobody_of_this_name/a.csv: there is no such file or folder. Give as data.path one of:\n" + FORMS
    )


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
