"""From frames to answers: in order, by as few calls as can be, of faces cut as the data module cuts them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.faces import Detection, Frame, Unreadable
from fer_lightning.use.line import answers
from tests.data.drawn_sets import expw
from tests.use.conftest import Darkness

BOX = Detection(10, 12, 20, 24)


def frame(index: int, grey: int = 100, side: int = 60) -> Frame:
    return Frame("clip.mp4", index, index / 25, np.full((side, side, 3), grey, np.uint8))


def boxes(frame: Frame) -> list[Detection]:
    """As many as the frame's index says, modulo four."""
    return [Detection(10 + n, 12, 20, 24, 0.9) for n in range(frame.index % 4)]


def test_answers_come_in_order_with_their_own_faces() -> None:
    network = Darkness()
    frames = [frame(n, grey=n * 10) for n in range(20)]
    answered = list(answers(frames, boxes, network, batch=7))
    assert [answer.frame for answer in answered] == frames
    for number, answer in enumerate(answered):
        assert [face.detection for face in answer.faces] == boxes(frames[number])
        assert [face.number for face in answer.faces] == list(range(number % 4))
        assert {(face.source, face.frame, face.time_s) for face in answer.faces} <= {("clip.mp4", number, number / 25)}
        assert all(face.probabilities["light"] == pytest.approx(number * 10 / 255) for face in answer.faces)
        assert answer.note == ("" if number % 4 else "no face")
    assert all(len(faces) <= 7 for faces in network.given)


def test_faces_of_many_frames_go_into_one_call() -> None:
    network = Darkness()
    assert len(list(answers((frame(1) for _ in range(200)), boxes, network, batch=64))) == 200
    assert [len(faces) for faces in network.given] == [64, 64, 64, 8]


def test_more_faces_in_a_frame_than_in_a_batch_are_all_seen() -> None:
    network = Darkness()
    (answer,) = answers([frame(0)], lambda _: [BOX] * 150, network, batch=64)
    assert [len(faces) for faces in network.given] == [64, 64, 22]
    assert [face.number for face in answer.faces] == list(range(150))


@pytest.mark.parametrize(("batch", "max_wait", "side", "ahead"), [(1, 64, 60, 1), (64, 5, 60, 5), (64, 64, 4000, 5)])
def test_few_frames_wait(batch: int, max_wait: int, side: int, ahead: int) -> None:
    """A camera's frame is answered at once, and large ones do not fill the memory."""
    taken = 0

    def camera() -> Iterator[Frame]:
        nonlocal taken
        picture = frame(1, side=side).pixels
        for number in range(12):
            taken += 1
            yield Frame("webcam:0", number, None, picture)

    line = answers(camera(), lambda _: [BOX], Darkness(), batch, max_wait=max_wait)
    next(line)
    assert taken == ahead


def test_frames_without_faces_do_not_wait() -> None:
    line = answers(iter([frame(0), frame(4), frame(1)]), boxes, Darkness())
    assert [next(line).note, next(line).note] == ["no face", "no face"]


def test_what_cannot_be_read_keeps_its_place() -> None:
    broken = Unreadable("clip.mp4", "cut short", index=1, time_s=0.04)
    answered = list(answers([frame(1), broken, frame(2)], boxes, Darkness()))
    assert [answer.frame.index for answer in answered] == [1, 1, 2]
    assert (answered[1].frame, answered[1].faces, answered[1].note) == (broken, (), "cut short")
    assert [len(answer.faces) for answer in answered] == [1, 0, 2]


def test_a_face_that_cannot_be_cut_out_is_a_note() -> None:
    outside = Detection(500, 500, 20, 20)
    (answer,) = answers([frame(0)], lambda _: [BOX, outside, BOX], Darkness())
    assert [face.number for face in answer.faces] == [0, 2]
    assert answer.note.startswith("1 of 3 faces could not be cut out: its face box (500, 500, 520, 520) is not in the ")
    (none,) = answers([frame(0)], lambda _: [outside], Darkness())
    assert none.faces == ()
    assert none.note.startswith("1 of 1 faces could not be cut out")


@pytest.mark.parametrize(("unsure", "label"), [(None, "unsure"), (0.0, "dark"), (0.59, "dark"), (0.61, "unsure")])
def test_a_face_that_is_not_clear_is_unsure(unsure: float | None, label: str) -> None:
    network = Darkness(unsure_below=0.7)
    (answer,) = answers([frame(1, grey=102)], boxes, network, unsure=unsure)
    assert answer.faces[0].label == label
    assert answer.faces[0].best == "dark"
    assert answer.faces[0].confidence == pytest.approx(0.6)


def test_a_whole_picture_is_not_cropped() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (50, 70, 3), np.uint8)
    network = Darkness(size=32, channels=3)
    list(answers([Frame("a.png", 0, None, picture)], lambda _: [Detection(0, 0, 70, 50, whole=True)], network))
    assert np.array_equal(network.given[0][0], PixelFormat(32, 3)(picture))


def test_a_card_can_have_another_margin() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    network = Darkness()
    network.card = network.card.__class__("wide", ("light", "dark"), 48, 1, margin=1.5)
    list(answers([Frame("a.png", 0, None, pixels)], lambda _: [BOX], network))
    square = face_square(Image.fromarray(pixels), BOX.box, 1.5)
    assert np.array_equal(network.given[0][0], PixelFormat()(square))


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_are_those_of_the_data_module_to_the_bit(channels: int, tmp_path: Path) -> None:
    from fer_lightning.data import FERDataModule

    expw(tmp_path)
    data = FERDataModule(tmp_path, size=24, channels=1 if channels == 1 else 3, image_size=24)
    faces = data.source_faces()
    lines = [line.rsplit(maxsplit=7) for line in (tmp_path / "label" / "label.lst").read_text("utf-8").splitlines()]
    files = {path.name: path for path in tmp_path.rglob("*.jpg")}
    network = Darkness(24, channels)
    for name, _, top, left, right, bottom, *_ in lines:
        x, y = float(left), float(top)
        box = Detection(x, y, float(right) - x, float(bottom) - y)
        pixels = np.asarray(Image.open(files[name]).convert("RGB"))
        list(answers([Frame(name, 0, None, pixels)], lambda _, box=box: [box], network))  # type: ignore[misc]
    expected = faces.images[faces.numbers.argsort()].numpy()
    assert np.array_equal(np.concatenate(network.given), expected)


def test_frames_searched_at_the_same_time_keep_their_order() -> None:
    searched: list[int] = []
    together = threading.Barrier(3, timeout=20)  # which three threads must reach

    def first_last(frame: Frame) -> list[Detection]:
        together.wait()
        time.sleep(0.05 * (2 - frame.index % 3))
        searched.append(frame.index)
        return [Detection(10, 12, 20, 24, score=frame.index / 100)]

    found = [*answers([frame(n) for n in range(9)], first_last, Darkness(), at_once=3)]
    assert [answer.faces[0].detection.score for answer in found] == [n / 100 for n in range(9)]
    assert [answer.faces[0].frame for answer in found] == [*range(9)]
    assert searched != [*range(9)]


def test_an_error_in_one_frame_ends_all_threads() -> None:
    def broken(frame: Frame) -> list[Detection]:
        raise RuntimeError(f"frame {frame.index}")

    with pytest.raises(RuntimeError, match="frame 0"):
        [*answers([frame(n) for n in range(9)], broken, Darkness(), at_once=3)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("find faces")]
