"""Videos become one row for each frame, upright, at its time; what is damaged is a row that says so."""

import gc
import io
import itertools
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_lightning.use import videos
from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.sources import frames, planned
from fer_lightning.use.videos import video_frames
from tests.scripts import REPOSITORY
from tests.use.made_videos import TIME_BASE, TURNS, damage, turn, write_video
from tests.use.photograph import group

FRAMES = 40

TIMES = [number / 25 + (0.3 if number > 10 else 0) + number**2 / 4000 for number in range(FRAMES)]
"""Seconds, further and further apart, with a gap."""


def numbered(number: int) -> NDArray[np.uint8]:
    """A picture that shows its number: as the brightness of its right half. In the left one is noise, as in most."""
    pixels = np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    pixels[:, 48:] = 5 * number + 20
    return pixels


def number_in(frame: Frame) -> float:
    return (float(frame.pixels[8:-8, 56:-8].mean()) - 20) / 5


def read(file: Path) -> tuple[list[Frame], list[Unreadable]]:
    """The frames and the damaged ones of a video, whose rows are in order of their numbers and times."""
    found = list(frames([str(file)]))
    assert [one.index for one in found] == list(range(len(found)))
    times = [one.time_s for one in found]
    assert times == sorted(times, key=lambda time: time or 0)
    return [one for one in found if isinstance(one, Frame)], [one for one in found if isinstance(one, Unreadable)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(file, [numbered(number) for number in range(FRAMES)], TIMES, tone=True)
    return file


def test_each_frame_is_a_row_at_its_time(clip: Path) -> None:
    found, damaged = read(clip)
    assert damaged == []
    assert [frame.time_s for frame in found] == [float(round(time / TIME_BASE) * TIME_BASE) for time in TIMES]
    assert [round(number_in(frame)) for frame in found] == list(range(FRAMES))


@pytest.mark.parametrize(
    ("ending", "codec", "options"),
    [
        ("mov", "libx264", {"bf": "0"}),
        ("mkv", "libx264", {}),
        ("webm", "libvpx-vp9", {}),
        ("webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}),  # with packets that are not shown
        ("avi", "mpeg4", {}),
        ("ts", "libx264", {}),
        ("flv", "libx264", {}),
        ("mpg", "mpeg2video", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_videos_of_every_form_have_all_their_frames(
    ending: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / f"clip.{ending}"
    times = None if codec == "mpeg2video" else TIMES
    write_video(file, [numbered(number) for number in range(FRAMES)], times, codec, options=options)
    found, damaged = read(file)
    assert damaged == []
    assert [round(number_in(frame)) for frame in found] == list(range(FRAMES))
    seconds = [frame.time_s or 0 for frame in found]
    assert seconds[0] == 0
    assert np.diff(seconds) == pytest.approx(np.diff(times or np.arange(FRAMES) / 25), abs=0.002)


@pytest.mark.parametrize("degrees", TURNS, ids=str)
def test_a_turned_video_is_upright(degrees: int | str, tmp_path: Path) -> None:
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48], upright[:32, 48:], upright[32:, :48] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    stored = upright[:, ::-1] if degrees == "mirrored" else np.rot90(upright, int(degrees) // 90)
    write_video(tmp_path / "turned.mp4", [np.ascontiguousarray(stored)] * 3)
    turn(tmp_path / "turned.mp4", degrees)
    found, _ = read(tmp_path / "turned.mp4")
    assert len(found) == 3
    assert found[0].pixels.shape == upright.shape
    assert np.abs(found[2].pixels[8::16, 8::16].astype(int) - upright[8::16, 8::16]).max() < 16


@pytest.mark.parametrize("damaged_packet", [12, 25])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_damaged_packet_is_a_row_and_the_others_go_on(ending: str, damaged_packet: int, tmp_path: Path) -> None:
    file = tmp_path / f"clip.{ending}"
    write_video(file, [numbered(number) for number in range(FRAMES)], TIMES, options={"bf": "0", "g": "5"})
    damage(file, damaged_packet)
    found, damaged = read(file)
    assert len(found) + len(damaged) == FRAMES
    (lost,) = damaged
    assert (lost.index, lost.reason) == (damaged_packet, "this frame is damaged")
    assert lost.time_s == pytest.approx(TIMES[damaged_packet], abs=0.001)
    intact = [frame for frame in found if frame.index < damaged_packet or frame.index >= damaged_packet // 5 * 5 + 5]
    assert [round(number_in(frame)) for frame in intact] == [frame.index for frame in intact]
    assert len(intact) >= FRAMES - 5


def test_damage_among_reordered_frames_keeps_their_number(clip: Path, tmp_path: Path) -> None:
    for packet in (5, 20, 33, FRAMES - 1):
        file = tmp_path / f"{packet}.mp4"
        file.write_bytes(clip.read_bytes())
        damage(file, packet)
        found, damaged = read(file)
        assert len(found) + len(damaged) == FRAMES
        assert 1 <= len(damaged) <= 4


def copied(source: Path, target: Path, kind: str, skipped: int = 0) -> Path:
    """Copies a stream of one kind, without its first packets, into another file."""
    with av.open(str(source)) as container, av.open(str(target), "w") as into:
        stream = next(one for one in container.streams if one.type == kind)
        copy = into.add_stream_from_template(stream)
        packets = [packet for packet in container.demux(stream) if packet.dts is not None]
        for packet in packets[skipped:]:
            packet.stream = copy
            into.mux(packet)
    return target


@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_frames_before_the_first_whole_one_are_not_rows(ending: str, tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    write_video(file, [numbered(number) for number in range(FRAMES)], options={"g": "10"})
    found, damaged = read(copied(file, tmp_path / f"cut.{ending}", "video", skipped=3))
    assert damaged == []
    shown = [round(number_in(frame)) for frame in found]
    assert shown == list(range(shown[0], FRAMES))
    assert 4 < shown[0] <= 10


def test_a_video_that_is_cut_short_says_where_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "clip.mkv"
    write_video(file, [numbered(number) for number in range(FRAMES)], TIMES)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found, damaged = read(file)
    assert 5 < len(found) < 35
    assert len(damaged) == 1
    assert damaged[0].index == len(found)
    assert damaged[0].reason.startswith("the video cannot be read from here on: it ends after ")
    assert damaged[0].reason.endswith(f" of {TIMES[-1] + 0.04:.1f} seconds")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n", "neither an image"),
        (b"ffconcat version 1.0\nfile clip.mp4\n", "neither an image"),
        (b"\0\0\0\x18ftypisom" + bytes(50), "the video cannot be read: Invalid data found when processing input"),
    ],
    ids=["a playlist of addresses", "a list of files", "a beginning alone"],
)  # fmt: skip
def test_what_is_no_video_says_so(content: bytes, reason: str, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "list").write_bytes(content)
    (only,) = frames([str(tmp_path / "list")])
    assert isinstance(only, Unreadable)
    assert only.reason.startswith(reason)


def test_sound_alone_has_no_frames(clip: Path, tmp_path: Path) -> None:
    copied(clip, tmp_path / "sound.mp4", "audio")
    (only,) = frames([str(tmp_path / "sound.mp4")])
    assert only == Unreadable(
        str(tmp_path / "sound.mp4"), "the video cannot be read: there are no moving pictures in it"
    )


def test_a_video_is_closed_when_its_reader_stops(clip: Path) -> None:
    (source,) = planned([str(clip)])
    reading = source.frames()
    next(reading)
    before = open_files(clip)
    reading.close()
    gc.collect()
    assert (before, open_files(clip)) == (1, 0)


def open_files(file: Path) -> int:
    """How often this process has a file open; where the system does not say, what the test expects next."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not say which files are open")
    return sum(os.path.realpath(one) == os.path.realpath(file) for one in descriptors.iterdir())


def test_a_video_is_read_as_it_is_needed(clip: Path) -> None:
    class Counted(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1) -> bytes:
            content = super().read(size)
            self.read_bytes += len(content)
            return content

    stream = Counted(clip.read_bytes() + bytes(1 << 24))
    (first,) = itertools.islice(video_frames("a", stream), 1)
    assert isinstance(first, Frame)
    assert stream.read_bytes < 1 << 21


def test_faces_come_and_go_in_a_video(tmp_path: Path) -> None:
    with_face, without = group([(100, 100, 200)]), group([])
    write_video(tmp_path / "clip.mp4", [with_face] * 3 + [without] * 4 + [with_face] * 2)
    yunet = YuNet(threads=1)
    found, _ = read(tmp_path / "clip.mp4")
    assert [len(yunet(frame)) for frame in found] == [1, 1, 1, 0, 0, 0, 0, 1, 1]


def test_photographs_need_neither_pyav_nor_torch_nor_onnx(tmp_path: Path) -> None:
    code = (
        "import sys; from fer_lightning.use.sources import frames; from tests.use.photograph import HOPPER\n"
        "assert len(list(frames([str(HOPPER)]))) == 1\n"
        "print(sorted({'av', 'torch', 'lightning', 'pandas', 'onnxruntime', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout == "[]\n"


def test_a_video_of_too_many_pixels_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "clip.mp4", [np.zeros((32, 48, 3), np.uint8)])
    monkeypatch.setattr(videos, "MOST_PIXELS", 32 * 48 - 1)
    (answer,) = frames([str(tmp_path / "clip.mp4")])
    assert isinstance(answer, Unreadable)
    assert "48x32: more than 1,535 pixels" in answer.reason
