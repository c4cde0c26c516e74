"""A network of the package is replaced by one command, and only by one that is as good and small enough."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.training.model_file import MODEL_FILE
from fer_lightning.use.card import Card
from fer_lightning.use.known_faces import KnownFaces, measured_parts, run_data, training_faces
from fer_lightning.use.measured import Measured, measured, paired_difference
from fer_lightning.use.model_card import model_card
from fer_lightning.use.network import NETWORKS
from fer_lightning.use.onnx_network import OnnxNetwork
from fer_lightning.use.packing import pack
from tests.runs import run_of
from tests.scripts import REPOSITORY, run_in
from tests.use.conftest import SHORT_RUN


@pytest.fixture
def worse_run(short_run: Path, tmp_path: Path) -> Path:
    """The same run, but for a network that gives the least likely class."""
    folder = Path(shutil.copytree(short_run, tmp_path / "worse"))
    file = folder / MODEL_FILE
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    save_file(
        {name: -value if name.startswith("fc.") else value for name, value in load_file(file).items()}, file, metadata
    )
    return folder


def test_one_command_replaces_a_network_by_a_better_one(short_run: Path, worse_run: Path, tmp_path: Path) -> None:
    into = tmp_path / "packed"
    before = sorted(NETWORKS.glob("*"))
    assert pack(worse_run, "large", into=into).difference is None
    worse = (into / "large.onnx").read_bytes()
    command = [sys.executable, "-m", "fer_lightning.use.pack", str(short_run), "large", "--into", str(into)]
    command += ["--margin", "1.2"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search(r"better than before by [1-9]\d\.\d\d% \(95% interval ", result.stdout)
    packed = OnnxNetwork(into / "large.onnx")
    assert (packed.card.name, packed.card.weights) == ("large", "float32")  # which fits
    assert packed.card.margin == 1.2
    page = (into / "large.md").read_text("utf-8")
    parts = [measured(packed, faces) for faces in measured_parts(run_data(short_run))]
    assert "| **seed** | 0 |" in page
    assert "in a square of 1.2 times the width of the face's box" in page
    assert "A figure on val leans to the high side" in page
    assert [part.faces.what for part in parts] == [
        "PublicTest of fer2013.csv (val of the run)",
        "PrivateTest of fer2013.csv (test of the run)",
    ]
    for part in parts:
        assert f"{part.faces.what}: accuracy {part.accuracy_in_words()}" in result.stdout
        assert part.accuracy_in_words() in page
    for text in (packed.card.command, packed.card.sha256, "An expression is not a feeling"):
        assert text in page
    content = (into / "large.onnx").read_bytes()
    assert content != worse

    with pytest.raises(ConfigError, match=r"large\.onnx stays: on PublicTest of fer2013\.csv .* which is worse by"):
        pack(worse_run, "large", into=into)
    assert (into / "large.onnx").read_bytes() == content
    assert (into / "large.md").read_text("utf-8") == page
    assert sorted(NETWORKS.glob("*")) == before


def test_one_that_is_too_large_is_refused(short_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 17\d,\d{3} weights, in 17\d,\d{3} bytes .*; small may have 150,000"):
        pack(short_run, "small", into=tmp_path)
    with pytest.raises(ConfigError, match="huge is no network of the package; there are small, large, ferplus"):
        pack(short_run, "huge", into=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.nightly
def test_networks_of_other_classes_are_not_compared(short_run: Path, few_faces: Path, tmp_path: Path) -> None:
    pack(short_run, "large", into=tmp_path)
    ferplus = (*SHORT_RUN[1:], "data=ferplus", f"data.path={few_faces}", "trainer.max_epochs=1")
    run = run_of(run_in(tmp_path, "train.py", *ferplus), tmp_path)
    with pytest.raises(ConfigError, match="they cannot be compared"):
        pack(run, "large", into=tmp_path)
    packed = pack(run, "ferplus", into=tmp_path)
    assert packed.made.card.class_names[-1] == "contempt"
    assert [len(part.right) for part in packed.measured] == [24, 24]


def test_a_paired_difference_counts_where_two_differ() -> None:
    old = np.array([True] * 70 + [False] * 30)
    new = old.copy()
    new[:2], new[70:80] = False, True
    difference, low, high = paired_difference(new, old)
    assert difference == pytest.approx(0.08)
    half = 1.96 * (0.12 - 0.08**2) ** 0.5 / 10  # by hand: won 0.10, lost 0.02 of 100
    assert [low, high] == pytest.approx([0.08 - half, 0.08 + half])
    assert paired_difference(old, old) == (0, 0, 0)


def test_the_page_shows_the_measured_numbers() -> None:
    card = Card("toy", ("a", "b"), 8, 1, unsure_below=0.7)
    labels = np.array([0] * 6 + [1] * 4)
    p = np.array([0.9, 0.9, 0.9, 0.6, 0.6, 0.2, 0.1, 0.1, 0.4, 0.8], np.float32)
    faces = KnownFaces("test of toys", np.zeros((10, 1, 8, 8), np.uint8), labels)
    test = Measured(faces, card, np.stack([p, 1 - p], 1))
    assert test.accuracy == 0.8
    assert list(test.answered()) == pytest.approx([0.7, 5 / 7])
    assert test.f1 == pytest.approx((10 / 12 + 6 / 8) / 2)
    page = model_card([test], 1234, 7)
    assert "| **seed** | 7 |" in page
    assert "weights stored as float32 |" in page
    assert "on val" not in page
    whole = replace(test, card=replace(card, weights="int8"), faces=replace(faces, is_val=True))
    stored = model_card([test, whole], 1234), model_card([whole, test], 1234)
    assert all("A figure on val leans to the high side" in one for one in stored)
    assert "weights stored as int8, those of layers of up to 16,384 as float16" in stored[1]
    assert "| **seed** | not known |" in stored[1]
    assert "| a | 6 | 83.3% (43.6% to 97.0%) | 83.3% (43.6% to 97.0%) |" in page
    assert "| not unsure (confidence from 0.70 on) |" in page
    assert "| 70%, of these right 71.4% |" in page
    assert "1,234 bytes" in page


def test_the_page_speaks_of_the_data_of_its_run(few_faces: Path, tmp_path: Path) -> None:
    def page(data: FERDataModule) -> str:
        data.setup("fit")
        (*_, faces) = measured_parts(data)
        assert faces.labels is not None
        right = np.eye(7, dtype=np.float32)[faces.labels]
        return model_card([Measured(faces, Card("toy", EMOTIONS, 48, 1), right)], 1234, 7, training_faces(data))

    for place, emotion in enumerate(EMOTIONS):
        for number in range(6):
            file = tmp_path / "toys" / emotion / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng((place, number)).integers(0, 256, (48, 48), np.uint8)).save(file)
    other = page(FERDataModule(tmp_path / "toys"))
    assert "FER2013 is a research data set" not in other
    assert "PublicTest" not in other
    assert re.search(r"It has learnt from \d\d faces, train of toys \(", other)
    own = page(FERDataModule(few_faces))
    assert "FER2013 is a research data set" in own
    assert "Recipes were chosen with PublicTest in sight" in own


def test_faces_that_a_run_has_trained_on_do_not_measure_it(few_faces: Path) -> None:
    def parts(**splits: str) -> list[str]:
        data = FERDataModule(few_faces, splits=splits)
        data.setup("fit")
        return [faces.what for faces in measured_parts(data)]

    assert parts(test="PublicTest") == [
        "PublicTest of fer2013.csv (test of the run)",
        "PrivateTest of fer2013.csv (neither val nor test of the run)",
    ]
    assert parts(train="PrivateTest", test="PublicTest") == ["PublicTest of fer2013.csv (test of the run)"]
