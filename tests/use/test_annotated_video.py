"""An annotated video plays in a browser, has the frames at their times, and the sound packet by packet."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition

from fer_lightning.use.annotated_video import AnnotatedVideo, _start_s
from fer_lightning.use.annotation import emotion_colours
from fer_lightning.use.faces import Frame
from fer_lightning.use.videos import video_frames
from tests.use.answers import CLASSES, answer, grey
from tests.use.sound_videos import (
    TIMES,
    frame_times,
    packets,
    pictures,
    same_packets,
    video,
    video_behind_cover,
)

TICK = 1 / 20


def copied(
    out: Path, source: Path | None, seconds: Sequence[float], size: tuple[int, int] = (64, 48), stopped: bool = False
) -> Path:
    writer = AnnotatedVideo(out, source, emotion_colours(CLASSES))
    for index, time in enumerate(seconds):
        frame = Frame("clip", index, time, grey(size[1], size[0], 8 * index % 256))
        writer.write(answer(frame, ((5, 25, 20, 20), "happy")))
    writer.close(stopped)
    return out


def seconds(times: Sequence[int] = TIMES) -> list[float]:
    return [time * TICK for time in times]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_frames_keep_their_times_and_the_sound_its_packets(tmp_path: Path, ending: str) -> None:
    source = video(tmp_path / f"clip.{ending}")
    result = copied(tmp_path / "out.mp4", source, frame_times(source))
    assert frame_times(result) == pytest.approx(frame_times(source), abs=1e-6)
    assert same_packets(packets(result), packets(source))
    assert sorted(tmp_path.iterdir()) == sorted([source, result])


def test_a_cover_is_no_video_though_it_comes_first(tmp_path: Path) -> None:
    source = video_behind_cover(tmp_path / "clip.mp4")
    times = [0.0, 0.1, 0.2, 0.3]
    with source.open("rb") as stream:
        shown = [frame for frame in video_frames("clip.mp4", stream) if isinstance(frame, Frame)]
    assert [(frame.time_s, frame.pixels.shape) for frame in shown] == [(time, (48, 64, 3)) for time in times]
    writer = AnnotatedVideo(tmp_path / "out.mp4", source, emotion_colours(CLASSES))
    with av.open(source) as container:
        cover, moving = container.streams.video
        assert cover.disposition & Disposition.attached_pic
        assert cover.time_base != moving.time_base
        assert writer._time_base == moving.time_base
        assert _start_s(container) == float((moving.start_time or 0) * (moving.time_base or 0)) != 0
    for frame in shown:
        writer.write(answer(frame))
    writer.close()
    assert frame_times(tmp_path / "out.mp4") == pytest.approx(times, abs=1e-6)


def test_it_is_what_browsers_play(tmp_path: Path) -> None:
    result = copied(tmp_path / "out.mp4", video(tmp_path / "clip.mp4"), seconds())
    with av.open(result) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    content = result.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content


def test_times_that_start_late_start_at_zero_with_their_sound(tmp_path: Path) -> None:
    source = video(tmp_path / "clip.mkv", begins=60)
    result = copied(tmp_path / "out.mp4", source, seconds())
    assert frame_times(result) == pytest.approx(seconds(), abs=1e-6)
    assert [content for content, _ in packets(result)] == [content for content, _ in packets(source)]
    assert packets(result)[0][1] == pytest.approx(packets(source)[0][1] - 3, abs=0.002)


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1, 1), (65, 48)])
def test_odd_sizes_gain_a_row_or_a_column(tmp_path: Path, size: tuple[int, int]) -> None:
    result = copied(tmp_path / "out.mp4", None, seconds(), size)
    shown = pictures(result)
    assert len(shown) == len(TIMES)
    assert shown[0].shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)


def test_the_frames_are_those_of_the_source_with_boxes(tmp_path: Path) -> None:
    shown = pictures(copied(tmp_path / "out.mp4", None, seconds(), (160, 120)))
    for number, pixels in enumerate(shown):
        assert abs(pixels[100:, 100:].mean() - 8 * number) < 4
        edge = pixels[25:45, 2:6].reshape(-1, 3).astype(int)
        assert (edge[:, 0] - edge[:, 2]).max() > 80  # yellow


def test_times_finer_than_any_unit_stay_apart(tmp_path: Path) -> None:
    times = [0, 0.01, 0.010001, 0.02]
    assert frame_times(copied(tmp_path / "out.mp4", None, times)) == pytest.approx(times, abs=2e-5)


def test_the_unit_of_a_source_is_kept(tmp_path: Path) -> None:
    base = Fraction(1001, 30000)
    source = video(tmp_path / "clip.mp4", times=range(40), time_base=base, sound="")
    ntsc = [float(number * base) for number in range(40)]
    assert frame_times(copied(tmp_path / "out.mp4", source, ntsc)) == pytest.approx(frame_times(source), abs=1e-6)


def test_a_frame_of_another_size_is_fitted_in(tmp_path: Path) -> None:
    writer = AnnotatedVideo(tmp_path / "out.mp4", None, emotion_colours(CLASSES))
    for index, size in enumerate((64, 96, 64)):
        writer.write(answer(Frame("clip", index, index / 10, grey(48, size))))
    writer.close()
    assert [one.shape for one in pictures(tmp_path / "out.mp4")] == [(48, 64, 3)] * 3


def test_a_stopped_video_ends_with_its_sound_at_the_last_frame(tmp_path: Path) -> None:
    source = video(tmp_path / "clip.mp4")
    result = copied(tmp_path / "out.mp4", source, seconds()[:5], stopped=True)
    assert frame_times(result) == pytest.approx(seconds()[:5])
    whole = packets(source)
    assert 0 < len(packets(result)) < len(whole)
    assert packets(result) == whole[: len(packets(result))]
    assert packets(result)[-1][1] <= seconds()[4]


def test_a_killed_program_leaves_a_video_that_plays(tmp_path: Path) -> None:
    writer = AnnotatedVideo(tmp_path / "out.mp4", None, emotion_colours(CLASSES))
    for index in range(300):
        writer.write(answer(Frame("clip", index, index / 25, grey(48, 64))))
    left = (tmp_path / "out.mp4").read_bytes()  # nothing was closed
    (tmp_path / "left.mp4").write_bytes(left)
    assert len(pictures(tmp_path / "left.mp4")) >= 100
    writer.close()
    assert len(pictures(tmp_path / "out.mp4")) == 300


def test_a_sound_that_mp4_cannot_hold_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = video(tmp_path / "clip.avi", sound="wmav2")
    with caplog.at_level(logging.WARNING):
        result = copied(tmp_path / "out.mp4", source, frame_times(source))
    assert len(frame_times(result)) == len(TIMES)
    with av.open(result) as container:
        assert not container.streams.audio
    assert "is without the sound of" in caplog.text
    assert "wmav2" in caplog.text


def test_no_frame_leaves_no_file(tmp_path: Path) -> None:
    assert not copied(tmp_path / "out.mp4", None, []).exists()


def test_damaged_frames_are_passed_over(tmp_path: Path) -> None:
    from fer_lightning.use.faces import Unreadable

    writer = AnnotatedVideo(tmp_path / "out.mp4", None, emotion_colours(CLASSES))
    whole = answer(Frame("clip", 0, 0.0, grey(48, 64)))
    writer.write(whole)
    writer.write(replace(whole, frame=Unreadable("clip", "damaged", 1, 0.1)))
    writer.write(replace(whole, frame=Frame("clip", 2, 0.2, grey(48, 64))))
    writer.close()
    assert frame_times(tmp_path / "out.mp4") == pytest.approx([0, 0.2])
