"""What is exported as image files reads back as the very same faces."""

import csv
import os
import shlex
import signal
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

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


def test_how_to_read_them_back_is_quoted(pixels: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    out = tmp_path / "it's [1], a: {b}"
    export(pixels, out)
    (word,) = shlex.split(caplog.messages[-1].partition("; ")[2].removesuffix(" reads them back"))
    assert OverridesParser.create().parse_override(word).value() == str(out)


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
