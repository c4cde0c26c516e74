"""YuNet finds the faces that OpenCV's finds with the same file, at any size; or nothing is looked for."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.transforms.face_crop import face_square
from fer_lightning.use.detector import YUNET, WholePicture, YuNet
from fer_lightning.use.faces import Detection, Frame
from fer_lightning.use.sources import frames
from tests.use.photograph import BOX, HOPPER, frame, group, hopper


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return YuNet(threads=1)


def only(found: list[Detection]) -> Detection:
    assert len(found) == 1
    return found[0]


def box_of(detection: Detection) -> tuple[float, float, float, float]:
    return detection.x, detection.y, detection.width, detection.height


def test_the_detectors_file_is_the_published_one() -> None:
    digest = hashlib.sha256(YUNET.read_bytes()).hexdigest()
    assert digest == "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
    licence = (YUNET.parent / "LICENSE").read_text("utf-8")
    assert licence.startswith("MIT License\n\nCopyright (c) 2020 Shiqi Yu")


def test_the_face_of_a_photograph_is_where_opencv_finds_it(yunet: YuNet) -> None:
    detection = only(yunet(frame(hopper())))
    assert box_of(detection) == pytest.approx(BOX, abs=0.05)
    assert detection.score == pytest.approx(0.943, abs=1e-3)
    landmarks = [(227.12, 193.33), (307.85, 195.37), (266.48, 240.01), (228.51, 267.87), (302.19, 269.57)]
    assert np.allclose(detection.landmarks, landmarks, atol=0.02)  # OpenCV's
    assert not detection.whole


@pytest.mark.parametrize("turn", range(1, 9))
def test_each_exif_turn_gives_the_same_box_and_crop(yunet: YuNet, turn: int, tmp_path: Path) -> None:
    undone = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    stored = hopper() if undone is None else hopper().transpose(undone)
    stored.save(tmp_path / "turned.png", exif=exif)
    (turned,) = frames([str(tmp_path / "turned.png")])
    assert isinstance(turned, Frame)
    detection = only(yunet(turned))
    assert detection == only(yunet(frame(hopper())))
    crop = face_square(Image.fromarray(turned.pixels), detection.box)
    assert np.array_equal(np.asarray(crop), np.asarray(face_square(hopper(), detection.box)))


def test_several_faces_come_from_the_left_to_the_right(yunet: YuNet) -> None:
    found = yunet(frame(group([(400, 200, 200), (20, 30, 100), (180, 40, 140)])))
    middles = [detection.x + detection.width / 2 for detection in found]
    expected = [x + width * (BOX[0] + BOX[2] / 2) / 512 for x, width in ((20, 100), (180, 140), (400, 200))]
    assert middles == pytest.approx(expected, abs=4)


def test_two_faces_that_overlap_are_two_and_one_is_not_two(yunet: YuNet) -> None:
    overlapping = Image.new("RGB", (640, 480))
    head = hopper().crop((150, 80, 390, 360))
    overlapping.paste(head, (60, 100))
    overlapping.paste(head, (240, 100))
    assert len(yunet(frame(overlapping))) == 2


@pytest.mark.parametrize("size", [(2048, 2400), (5120, 6000)], ids=str)
def test_a_large_picture_is_shrunk_and_its_box_is_not(yunet: YuNet, size: tuple[int, int]) -> None:
    detection = only(yunet(frame(hopper().resize(size))))
    scale = size[0] / 512
    assert box_of(detection) == pytest.approx([value * scale for value in BOX], abs=6 * scale)


@pytest.mark.parametrize("side", ["width", "height"])
def test_a_long_picture_keeps_its_proportions(yunet: YuNet, side: str) -> None:
    size = (1280, 300) if side == "width" else (300, 1280)
    detection = only(yunet(frame(group([(20, 10, 220)], size))))
    assert box_of(detection) == pytest.approx(
        [20 + BOX[0] * 220 / 512, 10 + BOX[1] * 220 / 512, BOX[2] * 220 / 512, BOX[3] * 220 / 512], abs=9
    )


def test_a_face_that_fills_a_picture_is_found_at_a_second_look() -> None:
    face = hopper().crop((190, 130, 345, 325)).resize((1240, 1560))
    small = Image.new("RGB", (1240, 1560))
    small.paste(face.resize((159, 200)), (0, 0))
    yunet = YuNet(threads=1)
    at_once = yunet._found(np.asarray(face), 640 / 1560)
    assert at_once == []
    detection = only(yunet(frame(face)))
    assert detection.width > 900


@pytest.mark.parametrize("size", [(1, 1), (5, 33), (700, 1)], ids=str)
def test_a_tiny_picture_has_no_faces(yunet: YuNet, size: tuple[int, int]) -> None:
    assert yunet(frame(Image.new("RGB", size))) == []


def test_noise_and_even_pictures_have_no_faces(yunet: YuNet) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert yunet(frame(noise)) == yunet(frame(Image.new("RGB", (640, 480), (200, 10, 10)))) == []


def test_faces_below_the_score_or_size_are_left_out() -> None:
    picture = frame(group([(20, 30, 100), (300, 40, 300)]))
    assert len(YuNet(threads=1)(picture)) == 2
    assert len(YuNet(min_size=50, threads=1)(picture)) == 1
    assert YuNet(min_score=0.99, threads=1)(picture) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_score": 0}, "min_score is 0; it must be above 0 and at most 1"),
        ({"min_score": 80}, "min_score is 80; it must be"),
        ({"min_size": -1}, "min_size is -1; it must be a number of pixels, at least 0"),
        ({"min_size": float("nan")}, "min_size is nan; it must be"),
    ],
)
def test_numbers_outside_their_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        YuNet(**options)  # type: ignore[arg-type]


def test_one_and_two_threads_find_the_same() -> None:
    one, two = (only(YuNet(threads=threads)(frame(hopper()))) for threads in (1, 2))
    assert box_of(one) == pytest.approx(box_of(two), abs=1e-3)


def test_another_file_than_yunets_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(os.urandom(1000))
    monkeypatch.setattr("fer_lightning.use.detector.YUNET", other)
    with pytest.raises(ValueError, match=r"other\.onnx is not the file that this package has"):
        YuNet()


def test_the_whole_picture_is_one_detection() -> None:
    assert WholePicture()(frame(Image.open(HOPPER))) == [Detection(0, 0, 512, 600, score=1, whole=True)]
