"""What the writers make together: one page, which shows the first of many, and a summary for the terminal."""

import gc
import os
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.use import found_page, summary
from fer_lightning.use.annotated_pictures import LONGEST_SIDE
from fer_lightning.use.annotation import annotated, emotion_colours, spoken
from fer_lightning.use.arguments import PARTS
from fer_lightning.use.faces import Answer, Frame, Unreadable
from fer_lightning.use.output import Heading, Output
from fer_lightning.use.overview import MOST_FAILURES
from fer_lightning.use.tracks import tracked
from tests.browser import in_browser, needs_browser
from tests.use.answers import CLASSES, answer, crossing, grey

BOX = (30.0, 30.0, 40.0, 50.0)

COLOURS = emotion_colours(CLASSES)


def output(folder: Path | None) -> Output:
    return Output(folder, PARTS, Heading(CLASSES, {"network": "one"}, {"network": "one"}, {}))


def finished(made: Output, *answers: Answer) -> Output:
    for one in answers:
        made.write(one)
    made.close()
    made.write_page()
    return made


def picture(name: str, *labels: str) -> Answer:
    return answer(Frame(name, 0, None, grey()), *(((x, 30.0, 20.0, 25.0), label) for x, label in enumerate(labels)))


def walk(source: str) -> list[Answer]:
    """Ten frames of a video with two faces."""
    moments = crossing([place / 25 for place in range(10)])
    frames = [(replace(moment.frame, source=source), moment) for moment, _ in moments]
    return [*tracked(replace(moment, frame=frame) for frame, moment in frames)]


@needs_browser
def test_a_page_of_many_pictures_shows_the_first(tmp_path: Path) -> None:
    many = [picture(f"{number}.jpg", "happy") for number in range(found_page.MOST_PICTURES + 30)]
    finished(output(tmp_path), *many)
    found, console = in_browser(tmp_path / "index.html", 390)
    assert "CONSOLE" not in console
    assert len(found["pictures"]) == found_page.MOST_PICTURES
    assert not found["tooWide"]
    assert "The first 200 of 230; all are in faces.csv and faces.jsonl." in (tmp_path / "index.html").read_text()
    assert len([*(tmp_path / "pictures").iterdir()]) == len(many)


def test_two_videos_and_a_picture_are_told_apart(tmp_path: Path) -> None:
    one, other = walk("a/walk.mp4"), walk("b/walk.mp4")
    made = finished(output(tmp_path), *one, picture("walk.jpg", "sad"), *other)
    files = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert files == {
        "faces.csv", "faces.jsonl", "index.html", "pictures/walk-2.jpg",
        "videos/walk.mp4", "videos/walk.timeline.png", "videos/walk-3.mp4", "videos/walk-3.timeline.png",
    }  # fmt: skip
    assert made.overview.sources == 3
    assert [row.source for row in made.overview.rows if row.source] == ["a/walk.mp4", "walk.jpg", "b/walk.mp4"]
    page = (tmp_path / "index.html").read_text()
    for link in ('src="videos/walk.mp4"', 'src="videos/walk-3.mp4"', 'href="pictures/walk-2.jpg"'):
        assert link in page


def test_without_a_folder_only_counts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = finished(output(None), picture("a.jpg", "happy", "sad"))
    assert [*tmp_path.iterdir()] == []
    assert made.written == []
    assert made.overview.labels == {"happy": 1, "sad": 1}


def test_the_table_names_few_and_counts_many() -> None:
    few = finished(output(None), picture("a.jpg", "happy", "sad"), picture("b.jpg")).overview
    assert summary.results_table(few).splitlines() == [
        "source  faces  label    confidence",
        "a.jpg       2  happy         80.0%",
        "               sad           80.0%",
        "b.jpg       0  no face",
    ]
    assert summary.counts_in_words(few) == "2 pictures: 2 faces; 1 without a face"
    many = finished(output(None), *(picture(f"{number}.jpg", "happy") for number in range(1500))).overview
    assert summary.results_table(many).splitlines() == ["label  faces   share", "happy  1,500  100.0%"]
    assert len(many.rows) < 30


def test_many_failures_are_counted() -> None:
    broken = [Answer(Unreadable(f"{number}.jpg", "empty"), (), "empty") for number in range(MOST_FAILURES + 7)]
    made = finished(output(None), *broken).overview
    assert made.nothing_read
    lines = [*summary.failure_lines(made)]
    assert lines[0] == "not read: 0.jpg: empty"
    assert lines[-1] == "not read: 7 more"
    assert len(lines) == MOST_FAILURES + 1


def test_names_neither_break_lines_nor_steer_the_terminal() -> None:
    made = finished(output(None), picture("a\n\x1b[31m.jpg", "happy")).overview
    assert "\x1b" not in summary.results_table(made)
    assert len(summary.results_table(made).splitlines()) == 2


def test_east_asian_names_line_up() -> None:
    lines = summary.results_table(
        finished(output(None), picture("写真.jpg", "happy"), picture("ab.jpg", "sad")).overview
    )
    _, wide, narrow = lines.splitlines()
    assert wide.index("1") + 2 == narrow.index("1")


def test_a_broken_part_leaves_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = output(tmp_path)
    (tmp_path / "videos").write_text("in the way")
    moments = tracked(answer(Frame("a.mp4", number, number / 25, grey()), (BOX, "happy")) for number in range(5))
    finished(made, *moments, picture("b.jpg", "sad"))
    assert "the annotated video of a.mp4 could not be written" in caplog.text
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 7
    assert "a.mp4" in (tmp_path / "index.html").read_text()


def test_one_file_that_cannot_be_completed_leaves_none_open(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # which Windows does not have
    made = Output(tmp_path, ("table",), Heading(CLASSES, {}, {}, {}))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "faces.csv").stat().st_size, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            made.write(picture("a.jpg", "happy"))
        with pytest.raises(OSError, match="File too large"):
            made.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    opened = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [file for file in opened if file.startswith(str(tmp_path))] == []


def test_pixels_are_not_kept() -> None:
    made = output(None)
    seen = []
    for number in range(200):
        one = answer(Frame("a.mp4", number, number / 25, np.zeros((8, 8, 3), np.uint8)), (BOX, "happy"))
        seen.append(one)
        made.write(one)
    kept = [weakref.ref(one.frame) for one in seen]
    del seen, one
    gc.collect()
    assert sum(reference() is not None for reference in kept) <= 3


def test_a_picture_that_cannot_be_written_stops_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "pictures" / "b.jpg" / "in the way").mkdir(parents=True)
    made = finished(output(tmp_path), *(picture(f"{letter}.jpg", "happy") for letter in "abc"))
    files = {file.name for file in (tmp_path / "pictures").iterdir() if file.is_file()}
    assert files == {"a.jpg", "c.jpg"}
    assert "annotated pictures of b.jpg could not be written" in caplog.text
    assert made.incomplete == ["annotated pictures"]


def test_a_picture_longer_than_jpeg_takes_is_shrunk(tmp_path: Path) -> None:
    long = answer(Frame("long.png", 0, None, np.zeros((4, 66_000, 3), np.uint8)))
    made = finished(output(tmp_path), long, picture("b.jpg", "happy"))
    with Image.open(tmp_path / "pictures" / "long.jpg") as shrunk:
        assert shrunk.width == LONGEST_SIDE
    assert (tmp_path / "pictures" / "b.jpg").is_file()
    assert made.incomplete == []


def test_several_faces_are_numbered_where_they_are_listed(tmp_path: Path) -> None:
    finished(output(tmp_path), picture("two.jpg", "happy", "sad"), picture("one.jpg", "fear"), *walk("walk.mp4"))
    page = (tmp_path / "index.html").read_text()
    assert page.index("1 happy 80%") < page.index("2 sad 80%") < page.index("fear 80%")
    assert "1 fear" not in page
    one, two = (
        annotated(grey(), picture("a.jpg", *labels).faces[:1], COLOURS) for labels in (("sad",), ("sad", "sad"))
    )
    assert one == two  # alone, it has no number
    both = annotated(grey(), picture("a.jpg", "sad", "sad").faces, COLOURS)
    assert spoken(picture("a.jpg", "sad", "sad").faces[1], is_numbered=True) == "2 sad 80%"
    assert both != annotated(
        grey(), [replace(face, number=7) for face in picture("a.jpg", "sad", "sad").faces], COLOURS
    )


def test_many_failures_of_one_reason_are_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "pictures").write_text("in the way")
    finished(output(tmp_path), *(picture(f"{number}.jpg", "happy") for number in range(20)))
    assert caplog.text.count("annotated pictures of") == 1
