"""Boxes that somebody gives are those of their frames, and a table that is wrong says where."""

import re
from pathlib import Path

import pytest

from fer_lightning.errors import DataError
from fer_lightning.use.detector import GivenBoxes
from fer_lightning.use.faces import Detection
from fer_lightning.use.line import answers
from tests.use.conftest import Darkness
from tests.use.photograph import frame, group


def table(folder: Path, text: str) -> Path:
    file = folder / "boxes.csv"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_boxes_are_those_of_their_frame(start: str, end: str, tmp_path: Path) -> None:
    lines = [
        "source,frame,x,y,width,height,note",
        "a.jpg,,300,20,40,50,",
        '"b, c.mp4",3,10,10.5,20,30,',
        "a.jpg,,5,6,7,8,",
    ]
    boxes = GivenBoxes(table(tmp_path, start + end.join(lines) + end))
    pixels = group([])
    assert boxes(frame(pixels)) == [Detection(5, 6, 7, 8), Detection(300, 20, 40, 50)]
    assert boxes(frame(pixels, "b, c.mp4", 3)) == [Detection(10, 10.5, 20, 30)]
    assert boxes(frame(pixels, "b, c.mp4", 2)) == boxes(frame(pixels, "other.jpg")) == []


def test_other_ways_to_a_file_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    boxes = GivenBoxes(table(tmp_path, "height,width,y,x,source\n8,7,6,5,./f/../a.jpg\n"))
    for source in ("a.jpg", "./a.jpg", str(tmp_path / "a.jpg")):
        assert boxes(frame(group([]), source)) == [Detection(5, 6, 7, 8)]


def test_a_table_that_predicting_wrote_can_be_given(tmp_path: Path) -> None:
    boxes = GivenBoxes(
        table(tmp_path, "source,frame,face,x,y,width,height,note\na.jpg,0,,,,,,no face\na.jpg,0,0,5,6,7,8,\n")
    )
    assert boxes(frame(group([]))) == [Detection(5, 6, 7, 8)]


def test_sources_that_never_came_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    boxes = GivenBoxes(table(tmp_path, "source,x,y,width,height\na.jpg,5,6,7,8\nmispelt.jpg,5,6,7,8\n"))
    boxes(frame(group([])))
    assert boxes.unused() == ["mispelt.jpg"]
    assert not boxes.all_unused
    others = GivenBoxes(table(tmp_path, "source,x,y,width,height\n-,5,6,7,8\nmispelt.jpg,5,6,7,8\n"))
    others(frame(group([])))
    assert others.unused() == ["-", "mispelt.jpg"]
    assert others.all_unused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line is empty; a table of boxes needs the columns source, x, y, width, height there"),
        ("a.jpg,1,2,3,4\n", "the first line is a.jpg, 1, 2, 3, 4; a table of boxes needs"),
        ("source,x,y,w,h\n", "width, height are missing"),
        ("source,x,y,width,height\na.jpg,1,2,3,4\na.jpg,1,2,three,4\n", "line 3: x 1, y 2, width three, height 4;"),
        ("source,x,y,width,height\na.jpg,1,2,3\n", "line 2: x 1, y 2, width 3, height nothing; expected four numbers"),
        ("source,x,y,width,height\na.jpg,1,2,0,4\n", "line 2: x 1, y 2, width 0, height 4; expected four numbers"),
        ("source,x,y,width,height\na.jpg,nan,2,3,4\n", "line 2: x nan, y 2, width 3, height 4; expected four numbers"),
        ("source,x,y,width,height\n,1,2,3,4\n", "line 2: there is no source; expected the path"),
        ("source,frame,x,y,width,height\na.mp4,1.5,1,2,3,4\n", "line 2: frame is 1.5; expected a number from 0"),
    ],
)  # fmt: skip
def test_a_wrong_table_says_where(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        GivenBoxes(table(tmp_path, text))


def test_no_table_and_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: there is no such file of boxes"):
        GivenBoxes(tmp_path / "none.csv")
    (tmp_path / "boxes.csv").write_bytes(b"source,x,y,width,height\nf\xfcr.jpg,1,2,3,4\n")
    with pytest.raises(DataError, match="a table of boxes is a text in UTF-8, which this is not"):
        GivenBoxes(tmp_path / "boxes.csv")


def test_a_box_outside_its_frame_says_which(tmp_path: Path) -> None:
    boxes = GivenBoxes(table(tmp_path, "source,x,y,width,height\na.jpg,5,6,7,8\na.jpg,640,6,7,8\nb.jpg,5,6,7,8\n"))
    one, other = answers([frame(group([])), frame(group([]), "b.jpg")], boxes, Darkness())
    outside = "line 3: its face box (640.0, 6.0, 647.0, 14.0) is not in the image of 640x480"
    assert one.note == f"1 of 2 faces could not be cut out: {tmp_path / 'boxes.csv'}, {outside}"
    assert [face.detection.x for face in one.faces] == [5]
    assert (len(other.faces), other.note) == (1, "")


def test_a_name_that_the_table_had_to_quote_is_found(tmp_path: Path) -> None:
    boxes = GivenBoxes(table(tmp_path, "source,x,y,width,height\n'+g.jpg,5,6,7,8\n"))
    assert boxes(frame(group([]), "+g.jpg")) == [Detection(5, 6, 7, 8)]


def test_a_frame_of_too_many_digits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: frame is 9{20}; expected a number"):
        GivenBoxes(table(tmp_path, f"source,frame,x,y,width,height\na.jpg,{'9' * 5000},5,6,7,8\n"))
