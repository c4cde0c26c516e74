"""faces.csv and faces.jsonl: a row at least for each frame, numbers and names that read back, whatever they are."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_lightning.files import plain_text
from fer_lightning.use.faces import UNSURE, Answer, Unreadable
from fer_lightning.use.tables import FacesLines, FacesTable
from fer_lightning.use.tracks import tracked
from tests.use.answers import CLASSES, answer, frame, probabilities

BOX = (10.123456, 20.0, 30.5, 40.25)


def written(folder: Path, *answers: Answer, names: tuple[str, ...] = CLASSES) -> tuple[pd.DataFrame, list[Any]]:
    """The rows of faces.csv, all as texts, and the lines of faces.jsonl."""
    writers = FacesTable(folder / "faces.csv", names), FacesLines.into(folder / "faces.jsonl", {"network": "one"})
    for one in answers:
        for writer in writers:
            writer.write(one)
    for writer in writers:
        writer.close()
    table = pd.read_csv(folder / "faces.csv", dtype=str, keep_default_na=False)
    lines = (folder / "faces.jsonl").read_text("utf-8").split("\n")
    return table, [json.loads(line, parse_constant=_refused) for line in lines[:-1]]


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not in JSON")


def test_a_picture_has_a_row_for_each_face(tmp_path: Path) -> None:
    table, (head, line) = written(tmp_path, answer(frame("a.jpg"), (BOX, "happy"), ((50, 20, 30, 40), "sad")))
    assert [*table.columns] == [
        *("source", "frame", "time_s", "face", "track", "x", "y", "width", "height", "score", "label", "confidence"),
        *(f"p_{name}" for name in CLASSES), *(f"smoothed_{name}" for name in CLASSES), "note",
    ]  # fmt: skip
    assert [*table.iloc[0][:12]] == ["a.jpg", "0", "", "0", "", "10.12", "20", "30.5", "40.25", "0.9", "happy", "0.8"]
    assert [*table["face"]] == ["0", "1"]
    assert [*table["p_happy"]] == ["0.8", "0.033333"]
    assert {*table["smoothed_happy"]} == {""}
    assert head == {"format_version": 1, "network": "one"}
    assert {key: line[key] for key in ("source", "frame", "time_s", "width", "height", "note")} == {
        "source": "a.jpg", "frame": 0, "time_s": None, "width": 160, "height": 120, "note": "",
    }  # fmt: skip
    assert [one["label"] for one in line["faces"]] == ["happy", "sad"]
    assert line["faces"][0]["probabilities"] == pytest.approx(probabilities("happy"), abs=1e-6)
    assert line["faces"][0]["smoothed"] is None


def test_what_has_no_face_has_a_row_that_says_why(tmp_path: Path) -> None:
    answers = [
        answer(frame("a.jpg")),
        Answer(Unreadable("b.jpg", "it is empty"), (), "it is empty"),
        Answer(Unreadable("c.mp4", "damaged", 7, 0.28), (), "damaged"),
    ]
    table, (_, *lines) = written(tmp_path, *answers)
    assert [*table["note"]] == ["no face", "it is empty", "damaged"]
    assert [*table["frame"]] == ["0", "", "7"]
    assert [*table["time_s"]] == ["", "", "0.28"]
    assert [line["note"] for line in lines] == [*table["note"]]
    assert [line["faces"] for line in lines] == [[], [], []]


def test_a_video_has_its_times_tracks_and_smoothed_values(tmp_path: Path) -> None:
    answers = [answer(frame(index=index, time_s=index / 30), (BOX, "happy")) for index in range(4)]
    table, (_, *lines) = written(tmp_path, *tracked(answers))
    assert [float(time) for time in table["time_s"]] == pytest.approx([index / 30 for index in range(4)], abs=1e-6)
    assert {*table["track"]} == {"1"}
    assert {*table["smoothed_happy"]} == {"0.8"}
    assert lines[3]["faces"][0]["smoothed"]["happy"] == 0.8


def test_an_unsure_face_has_its_best_guess_beside_it(tmp_path: Path) -> None:
    (one,) = tracked([answer(frame(time_s=0.0), (BOX, "fear"))], unsure_below=0.9)
    table, (_, line) = written(tmp_path, one)
    assert (table["label"][0], table["note"][0]) == (UNSURE, "perhaps fear")
    assert (line["faces"][0]["label"], line["faces"][0]["best"]) == (UNSURE, "fear")


@pytest.mark.parametrize(
    "name",
    [
        "=cmd|' /C calc'!A0",
        "@sum",
        "-1+2",
        "two\nlines.jpg",
        'quo"te, comma.jpg',
        "Müller, café.jpg",
        "写真 😀.heic",
        "a\r.png",
    ],
)
def test_names_read_back_and_are_no_formulas(tmp_path: Path, name: str) -> None:
    table, (_, line) = written(tmp_path, answer(frame(name), (BOX, "happy")))
    assert plain_text(table["source"][0]) == name
    assert table["source"][0][0] not in "=@-+"
    assert line["source"] == name


def test_bytes_that_are_no_text_are_shown(tmp_path: Path) -> None:
    table, (_, line) = written(tmp_path, answer(frame("caf\udce9.jpg"), (BOX, "happy")))
    assert table["source"][0] == r"caf\udce9.jpg"
    assert line["source"] == "caf\udce9.jpg"


def test_class_names_are_no_formulas_either(tmp_path: Path) -> None:
    names = ("=1+1", "sad")
    table, _ = written(tmp_path, answer(frame("a.jpg"), (BOX, probabilities("=1+1", names=names))), names=names)
    assert table["label"][0] == "'=1+1"
    assert "p_=1+1" in table.columns


def test_a_number_that_json_has_not_is_null(tmp_path: Path) -> None:
    nan = float("nan")
    table, (_, line) = written(tmp_path, answer(frame("a.jpg"), ((nan, 1, 2, np.inf), "happy")))
    assert line["faces"][0]["x"] is None
    assert table["height"][0] == ""


def test_rows_are_on_the_disk_before_the_next_comes(tmp_path: Path) -> None:
    table = FacesTable(tmp_path / "faces.csv", CLASSES)
    lines = FacesLines.into(tmp_path / "faces.jsonl", {})
    for number in range(3):
        one = answer(frame(f"{number}.jpg"), (BOX, "happy"))
        table.write(one)
        lines.write(one)
        with (tmp_path / "faces.csv").open(newline="") as stream:
            assert len([*csv.DictReader(stream)]) == number + 1
        assert len((tmp_path / "faces.jsonl").read_text().splitlines()) == number + 2
    table.close()
    lines.close()
