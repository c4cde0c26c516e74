"""Paths are taken as people have them, each file once, and what cannot be read says why while the others go on."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.use import sources
from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.sources import Source, frames, planned
from tests.scripts import REPOSITORY
from tests.use.made_videos import write_video
from tests.use.photograph import HOPPER


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture(name: str, shade: int = 7) -> str:
    """Writes a PNG, of one even shade, whatever its ending."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (5, 4), shade).save(name, "png")
    return name


def names(*paths: str, recursive: bool = False) -> list[str]:
    return [source.path for source in planned(paths, recursive)]


def reason(*paths: str, recursive: bool = False) -> str:
    (only,) = frames(paths, recursive)
    assert isinstance(only, Unreadable)
    assert only.index is None
    return only.reason


@pytest.mark.parametrize(
    "name",
    ["a b.png", "größe.png", "x=1,y=2.png", "a[1].png", "*.png", "@x.png", "?.png", "a:b.png", "%03d.png", "~x.png",
     "'quoted'.png", "-x.png", "新しい.png", "no ending", "photo.txt", "clip.mp4", " .png", "a\nb.png", ".hidden.png"],
)  # fmt: skip
def test_a_file_is_read_whatever_its_name_is(name: str) -> None:
    picture("other.png", 1)
    picture(name, 200)
    (frame,) = frames([name])
    assert isinstance(frame, Frame)
    assert (frame.source, frame.index, frame.time_s, frame.pixels.shape) == (name, 0, None, (4, 5, 3))
    assert (frame.pixels == 200).all()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
def test_a_name_that_is_not_utf_8_is_read_and_can_be_printed() -> None:
    name = os.fsdecode(b"f\xfcr.png")
    picture(name)
    for paths in ([name], ["."], ["*.png"]):
        (frame,) = frames(paths)
        assert isinstance(frame, Frame)
        assert Path(frame.source).name == r"f\xfcr.png"
        assert frame.source.encode()
    (source,) = planned([name])
    assert Path(source.path).is_file()


def test_patterns_that_the_shell_left_alone_are_matched() -> None:
    for name in ("b/2.png", "b/10.png", "b/1.png", "b/c/3.png", "b/.4.png"):
        picture(name)
    assert names("b/*.png") == ["b/1.png", "b/2.png", "b/10.png"]
    assert names("b/[13]*.png") == ["b/1.png", "b/10.png"]
    assert names("b/**/*.png") == ["b/1.png", "b/2.png", "b/10.png", "b/c/3.png"]
    assert reason("b/*.jpg") == "no file matches"


def test_the_home_folder_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    picture("a.png")
    assert names("~/a.png") == [os.path.expanduser("~/a.png")]
    assert names("~/*.png") == [os.path.expanduser("~/a.png")]


@pytest.mark.parametrize(
    "content",
    [
        "ä b.png\nb.png\n".encode(),
        "\ufeffä b.png\r\n\r\nb.png".encode(),
        "ä b.png\r\nb.png\r\n".encode("utf-16"),
        "\nä*.png\nb.png\nb.png\n  \n".encode(),
    ],
    ids=["lines", "BOM and CRLF", "PowerShell's", "a pattern and twice the same"],
)
def test_a_list_of_paths_is_read(content: bytes) -> None:
    picture("ä b.png")
    picture("b.png")
    Path("list.txt").write_bytes(content)
    assert names("@list.txt") == ["ä b.png", "b.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
def test_a_list_may_have_names_that_are_not_utf_8() -> None:
    picture(os.fsdecode(b"f\xfcr.png"))
    Path("list.txt").write_bytes(b"f\xfcr.png\n")
    assert isinstance(next(frames(["@list.txt"])), Frame)


def test_what_is_no_list_says_so() -> None:
    assert reason("@none.txt") == "it cannot be read as a list of paths: there is no such file or folder"
    picture("a.png")
    assert reason("@a.png") == "it cannot be read as a list of paths: it is not text"
    Path("list.txt").write_text("missing.png\n")
    assert reason("@list.txt") == "there is no such file or folder"


def test_a_folder_gives_its_pictures_in_natural_order() -> None:
    for name in ("f/10.png", "f/2.jpg", "f/B.png", "f/a.webp", "f/sub/1.png", "f/no ending", "f/.hidden.png"):
        picture(name)
    for name in ("f/notes.txt", "f/Thumbs.db", "f/._2.jpg", "f/.DS_Store", "f/data.csv"):
        Path(name).write_text("nothing to see")
    expected = ["f/2.jpg", "f/10.png", "f/a.webp", "f/B.png", "f/no ending"]
    assert [source.replace(os.sep, "/") for source in names("f")] == expected
    below = [source.replace(os.sep, "/") for source in names("f", recursive=True)]
    assert below == [*expected[:-1], "f/no ending", "f/sub/1.png"]
    assert {source.kind for source in planned(["f"])} == {"image"}


def test_hidden_folders_are_passed_over() -> None:
    picture("f/.thumbnails/1.png")
    picture("f/1.png")
    assert names("f", recursive=True) == [os.path.join("f", "1.png")]


def test_a_folder_without_pictures_says_so() -> None:
    picture("f/sub/1.png")
    Path("f/notes.txt").write_text("nothing")
    expected = "no image or video in this folder"
    assert reason("f") == f"{expected}; the folders in it are read with --recursive"
    shutil.rmtree("f/sub")
    assert reason("f", recursive=True) == expected


def test_damaged_pictures_in_a_folder_are_not_passed_over() -> None:
    Path("f").mkdir()
    Path("f/a.jpg").write_bytes(b"")
    Path("f/b.png").write_text("no picture")
    Path("f/c.mp4").write_text("no video")
    found = list(frames(["f"]))
    assert [one.reason for one in found if isinstance(one, Unreadable)] == [
        "it is empty",
        "neither an image nor a video; expected jpg, png, webp, bmp, tiff, gif, avif, heic, or a video",
        "the video cannot be read: Invalid data found when processing input",
    ]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    picture("f/a.png")
    picture("f/b.png")
    assert names("f/b.png", "f", "./f/b.png", str(tmp_path / "f" / "a.png"), "f/*.png") == ["f/b.png", "f/a.png"]
    assert names("f/a.png", "f/b.png", "f") == ["f/a.png", "f/b.png"]


def test_the_others_go_on_where_one_cannot_be_read() -> None:
    picture("a.png")
    Path("text.png").write_text("renamed")
    found = list(frames(["missing.png", "a.png", "text.png", "a.png", "https://example.org/b.png"]))
    assert [(type(one).__name__, one.source) for one in found] == [
        ("Unreadable", "missing.png"),
        ("Frame", "a.png"),
        ("Unreadable", "text.png"),
        ("Unreadable", "https://example.org/b.png"),
    ]
    assert [one.reason for one in found if isinstance(one, Unreadable)] == [
        "there is no such file or folder",
        "neither an image nor a video; expected jpg, png, webp, bmp, tiff, gif, avif, heic, or a video",
        "it is an address: nothing is fetched from the network",
    ]


def test_a_text_that_is_named_is_unreadable() -> None:
    Path("notes.txt").write_text("to read")
    assert reason("notes.txt").startswith("neither an image nor a video; expected jpg")


@pytest.mark.skipif(os.name != "posix", reason="pipes and permissions of POSIX")
def test_a_pipe_a_dead_link_and_a_locked_file_say_so() -> None:
    os.mkfifo("pipe")
    Path("link.png").symlink_to("nothing")
    assert reason("pipe") == "it is not a file"
    assert reason("link.png") == "it is a link to nothing"
    if os.geteuid() != 0:
        Path(picture("locked.png")).chmod(0)
        assert reason("locked.png") == "Permission denied"


def test_a_file_that_goes_while_others_are_read_says_so() -> None:
    picture("a.png")
    (source,) = planned(["a.png"])
    Path("a.png").unlink()
    assert list(source.frames()) == [Unreadable("a.png", "No such file or directory")]


def test_what_comes_is_known_before_it_is_read() -> None:
    picture("a.png")
    write_video(Path("clip.mp4"), [np.zeros((32, 48, 3), np.uint8)] * 10)
    still = Image.new("L", (4, 4))
    still.save("moving.gif", save_all=True, append_images=[Image.new("L", (4, 4), 200)], duration=80)
    assert planned(["a.png", "clip.mp4", "moving.gif", "-", "none"]) == [
        Source("a.png", "image", 1),
        Source("clip.mp4", "video", 10, 0.4),
        Source("moving.gif", "animation", 2),
        Source("-", "stdin"),
        Source("none", "unreadable", reason="there is no such file or folder"),
    ]


def test_a_video_and_an_image_with_swapped_endings_are_read() -> None:
    write_video(Path("clip.mp4"), [np.full((32, 48, 3), 90, np.uint8)] * 3)
    shutil.move("clip.mp4", "f.jpg")
    picture("f.mp4")
    assert [(source.path, source.kind) for source in planned(["f.jpg", "f.mp4"])] == [
        ("f.jpg", "video"),
        ("f.mp4", "image"),
    ]
    assert len(list(frames(["f.jpg", "f.mp4"]))) == 4


def piped(content: bytes) -> list[str]:
    """What a process prints of the frames that it has from its standard input."""
    code = (
        "from fer_lightning.use.sources import frames\n"
        "for one in frames(['-', '-']):\n"
        "    print(one.source, one.index, one.time_s, getattr(one, 'reason', None) or one.pixels.shape)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=content, capture_output=True, check=True, cwd=REPOSITORY)
    return done.stdout.decode().splitlines()


def test_standard_input_may_be_an_image_or_a_video() -> None:
    assert piped(HOPPER.read_bytes()) == ["- 0 None (600, 512, 3)"]
    write_video(Path("clip.mp4"), [np.zeros((32, 48, 3), np.uint8)] * 3)
    assert piped(Path("clip.mp4").read_bytes()) == [f"- {n} {n / 25} (32, 48, 3)" for n in range(3)]


def test_standard_input_may_be_neither() -> None:
    assert piped(b"") == ["- None None it is empty"]
    assert piped(b"some text") == ["- None None the video cannot be read: Invalid data found when processing input"]


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    assert reason("-") == "standard input has nothing: pipe an image or a video into it"


def test_what_is_piped_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_PIPED", 3 << 20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(4 << 20))))
    assert reason("-") == "more than 3,145,728 bytes: give a file instead"
