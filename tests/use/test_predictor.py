"""Predicting from Python takes paths, pictures and arrays, and gives small objects or a table."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lightning import Predictor
from fer_lightning.use.detector import WholePicture
from fer_lightning.use.faces import Face
from tests.scripts import REPOSITORY
from tests.use.conftest import Darkness
from tests.use.photograph import HOPPER, group, hopper
from tests.use.sound_videos import walking


def test_a_photograph_is_a_path_a_picture_or_an_array() -> None:
    predictor = Predictor(Darkness())
    (face,) = predictor.faces(str(HOPPER))
    assert (face.source, face.label, face.confidence) == (str(HOPPER), "light", face.probabilities["light"])
    assert face.detection.box == pytest.approx((182.9, 120.5, 353.2, 333.0), abs=1)
    for same in (HOPPER, hopper(), np.asarray(hopper())):
        (other,) = predictor.faces(same)
        assert (other.detection, other.probabilities) == (face.detection, face.probabilities)


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    upright = hopper()
    exif = Image.Exif()
    exif[274] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    predictor = Predictor(Darkness())
    with Image.open(tmp_path / "turned.png") as picture:
        assert predictor.faces(picture)[0].detection == predictor.faces(upright)[0].detection


def test_what_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    predictor = Predictor(Darkness())
    for name in ("none.jpg", "notes.txt"):
        with pytest.raises(ValueError, match=rf"{name}: "):
            predictor.faces(tmp_path / name)
    with pytest.raises(TypeError, match="a picture is an array of float64"):
        predictor.faces(np.zeros((4, 4)))  # type: ignore[arg-type]
    assert predictor.faces(np.zeros((100, 100), np.uint8)) == []


def test_the_table_has_a_row_for_each_face_and_for_none(tmp_path: Path) -> None:
    Image.fromarray(group([(20, 20, 200), (300, 100, 200)])).save(tmp_path / "two.png")
    grey = np.full((50, 50, 3), 90, np.uint8)
    predictor = Predictor(Darkness(), unsure=0.99)
    table = predictor.table([tmp_path / "two.png", grey, str(tmp_path / "none.jpg"), grey])
    assert table.columns.tolist() == [
        *("source", "frame", "time_s", "face", "track", "x", "y", "width", "height", "score", "label", "confidence"),
        *("p_light", "p_dark", "smoothed_light", "smoothed_dark", "note"),
    ]
    two = str(tmp_path / "two.png")
    assert table["source"].tolist() == [two, two, "picture 0", str(tmp_path / "none.jpg"), "picture 1"]
    assert table["face"].tolist()[:2] == [0, 1]
    assert table["x"][0] < 150 < 350 < table["x"][1]
    assert table["label"].tolist()[:2] == ["unsure"] * 2
    assert set(table["note"][:2]) <= {"perhaps light", "perhaps dark"}
    assert table["note"].tolist()[2:] == ["no face", "there is no such file or folder", "no face"]
    assert pd.isna(table["p_dark"][2:]).all()
    assert len(predictor.table(two)) == 2


def test_a_video_is_followed_and_smoothed(tmp_path: Path) -> None:
    walking(tmp_path / "clip.mp4", HOPPER, 12, 10, (400, 300))
    predictor = Predictor(Darkness())
    faces = predictor.faces(tmp_path / "clip.mp4")
    assert [(face.frame, face.track) for face in faces] == [(number, 1) for number in range(12)]
    assert all(face.smoothed is not None for face in faces)
    table = predictor.table(tmp_path / "clip.mp4")
    assert table["smoothed_light"].tolist() == [(face.smoothed or {})["light"] for face in faces]


def test_a_run_and_a_detector_of_ones_own_are_taken(short_run: Path) -> None:
    predictor = Predictor(short_run, detector=WholePicture())
    (face,) = predictor.faces(np.zeros((48, 48), np.uint8))
    assert isinstance(face, Face)
    assert predictor.card.class_names == tuple(face.probabilities)
    assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_importing_it_takes_neither_torch_nor_pandas() -> None:
    code = "import sys; from fer_lightning import Predictor, __version__; print({'torch', 'pandas'} & {*sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
    import fer_lightning

    with pytest.raises(AttributeError, match="module 'fer_lightning' has no attribute 'Predicter'"):
        _ = fer_lightning.Predicter  # type: ignore[attr-defined]
