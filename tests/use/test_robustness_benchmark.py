"""Networks are measured on disturbed faces: nothing changes at no strength, and each strength has its row."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.disturbances import DISTURBANCES, Disturbance
from benchmarks.disturbances import Faces as Images
from benchmarks.robustness import main, opened_networks, table, words
from benchmarks.robustness_curves import Curves, LabelledFaces, curves, labelled_faces
from fer_lightning.data.faces import FERPLUS_EMOTIONS, Faces
from fer_lightning.errors import ConfigError
from fer_lightning.report.results_table import BEGIN, END
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.use.measured import measured
from fer_lightning.use.network import network
from tests.use.brightness_network import write_network

LEVELS = [(kind, strength) for kind in DISTURBANCES for strength in kind.strengths]


@pytest.fixture(scope="module")
def drawn(few_faces: Path) -> LabelledFaces:
    return labelled_faces(few_faces)


@pytest.fixture(scope="module")
def images(drawn: LabelledFaces) -> Images:
    return drawn.faces.images[torch.arange(len(drawn.faces))].numpy()


def changes(images: Images, kind: Disturbance, strength: float) -> np.ndarray:
    """Returns by how much each value differs from the clean face's, once the disturbed face has its size again."""
    disturbed = kind.disturbed(images, strength)
    assert disturbed.dtype == np.uint8
    as_large = np.stack([PixelFormat(48, 1)(face[0]) for face in disturbed])
    return np.abs(as_large.astype(int) - images)


@pytest.mark.parametrize("kind", DISTURBANCES, ids=lambda kind: kind.name)
def test_faces_stay_at_no_strength_and_change_more_with_it(kind: Disturbance, images: Images) -> None:
    assert changes(images, kind, kind.none).max() <= (1 if kind.name == "JPEG" else 0)
    for side in (1, -1):  # stronger upwards, downwards, or both
        strengths = sorted((at for at in kind.strengths if side * (at - kind.none) > 0), key=lambda at: side * at)
        means = [changes(images, kind, at).mean() for at in strengths]
        assert means == sorted(means)
        assert len({*means}) == len(means)
        assert not means or means[0] > 0


@pytest.mark.parametrize("kind", [kind for kind in DISTURBANCES if kind.name != "noise"], ids=lambda kind: kind.name)
def test_colour_faces_are_disturbed_as_grey_ones_are(kind: Disturbance, images: Images) -> None:
    grey = kind.disturbed(images, kind.strengths[-1]).astype(int)
    colour = kind.disturbed(images.repeat(3, axis=1), kind.strengths[-1])
    assert colour.shape[1] == 3
    assert np.abs(colour - grey).max() <= (6 if kind.name == "JPEG" else 0)  # YCbCr is rounded


def test_shrinking_takes_the_mean_over_each_area() -> None:
    ramp = np.arange(48, dtype=np.uint8)[None, None, None].repeat(48, axis=2)
    by_name = {kind.name: kind for kind in DISTURBANCES}
    shrunk = by_name["low resolution"].disturbed(ramp * 4, 32)
    assert shrunk[0, 0, 5].tolist()[:4] == [round(4 * x) for x in (1 / 3, 5 / 3, 10 / 3, 14 / 3)]
    reduced = np.asarray(Image.fromarray(ramp[0, 0] * 4).reduce(4))
    assert (by_name["low resolution"].disturbed(ramp * 4, 12)[0, 0] == reduced).all()


def test_each_strength_has_its_row(drawn: LabelledFaces, tmp_path: Path) -> None:
    one = network(write_network(tmp_path / "n.onnx"))
    found = curves(one, "n", [drawn])
    header, _, *lines = table([found, replace(found, name="other")]).splitlines()
    assert header == "| disturbance | strength | n | other |"
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert [row[0] for row in rows] == ["none", *(kind.name for kind in DISTURBANCES for _ in kind.strengths), "all"]
    assert all(row[2] == row[3] for row in rows)
    faces, _ = drawn.for_network(one.card)
    assert rows[0][1:3] == ["–", measured(one, faces).accuracy_in_words()]
    sad = np.mean(faces.labels == one.card.class_names.index("sad"))  # what the network says of all that is dark
    (darkest,) = [row[2] for row in rows if row[:2] == ["darkness", "values × 0.1"]]
    assert darkest.startswith(f"{sad:.1%} (")
    mean = np.mean([float(row[2].partition("%")[0]) for row in rows[1:-1]])
    assert float(rows[-1][2].partition("%")[0]) == pytest.approx(mean, abs=0.1)


def test_losses_are_said_in_points_with_their_intervals() -> None:
    clean, same = np.array([True] * 75 + [False] * 25), {(k.name, at): np.ones(100, bool) for k, at in LEVELS}
    changed = {("crop scale", 0.9): clean, ("low resolution", 24): np.array([True] * 65 + [False] * 35)}
    one = Curves("n", "faces", clean, same | changed)
    assert words([one]) == (
        "- n (faces) loses at crop scale 0.9 × the side, 0.0 points (0.0 to 0.0); at crop scale 1.1 × the side, −25.0 "
        "points (−33.5 to −16.5); at low resolution 24 × 24 px, 10.0 points (4.1 to 15.9)."
    )  # 1.96 · √(25 − 25²/100) = 8.5, 1.96 · √(10 − 10²/100) = 5.9
    assert "| low resolution | 24 × 24 px | 65.0% (−10.0) |" in table([one])
    assert "| crop scale | 0.9 × the side | 75.0% (+0.0) |" in table([one])


def test_the_command_writes_page_and_picture(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, picture, model = tmp_path / "page.md", tmp_path / "curves.png", write_network(tmp_path / "more.onnx")
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    monkeypatch.setattr(logging, "disable", lambda level: None)  # which would last for all other tests
    given = ["--data", str(few_faces), "--faces", "5", "--model", str(model), "--into", str(page)]
    monkeypatch.setattr("sys.argv", ["robustness", *given, "--picture", str(picture)])
    main()
    text, printed = page.read_text("utf-8"), capsys.readouterr().out
    assert text == f"before\n{BEGIN}\n{printed.strip()}\n{END}\nafter\n"
    assert all(f"| {name} " in text for name in opened_networks([str(model)]))
    assert text.count("5 faces of PublicTest of fer2013.csv, its own labels") == len(opened_networks([str(model)]))
    assert str(tmp_path) not in text
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 1000


def test_ferplus_labels_are_for_networks_of_its_classes(few_faces: Path, drawn: LabelledFaces, tmp_path: Path) -> None:
    voted = labelled_faces(few_faces, votes=few_faces.parent / "fer2013new.csv")
    ferplus, seven = network(write_network(tmp_path / "a.onnx", FERPLUS_EMOTIONS)), network("small")
    assert curves(seven, "small", [drawn, voted]).faces.endswith("fer2013.csv, its own labels")
    by_votes, by_own = (curves(ferplus, "ferplus", sources) for sources in ([drawn, voted], [drawn]))
    assert by_votes.faces.endswith("fer2013.csv, labels by FER+'s votes")
    assert by_own.faces.endswith("fer2013.csv, its own labels")
    assert (by_votes.clean == by_own.clean).all()  # the votes are all for what was drawn


def test_only_classes_of_both_are_counted_and_answered(tmp_path: Path, drawn: LabelledFaces) -> None:
    white = torch.full((4, 1, 48, 48), 255, dtype=torch.uint8)
    labels, numbers = torch.tensor([0, 1, 1, 2]), torch.arange(4)
    faces = Faces(white, labels, torch.zeros(4, dtype=torch.uint8), numbers, ("all",), ("anger", "sadness", "calm"))
    one = network(write_network(tmp_path / "n.onnx", ("happy", "angry", "sad")))
    found = curves(one, "n", [LabelledFaces(faces, "four")])
    assert found.faces == "3 faces of four"  # none is calm
    assert found.clean.tolist() == [False, True, True]  # sad, though happy, which no face can be, is more probable
    with pytest.raises(ConfigError, match=r"brightness cannot be measured on .*: none in common"):
        curves(network(write_network(tmp_path / "o.onnx", ("cat", "dog"))), "o", [drawn])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--into", "page.md"), "page.md has no line <!-- results: begin -->"),
        (("--into", "none.md"), "none.md"),
        (("--part", "Nowhere"), "Nowhere"),
        (("--faces", "0"), "--faces is 0; it must be at least 1"),
        (("--threads", "-1"), "--threads is -1; it must be at least 1"),
        (("--model", "none.onnx"), "none.onnx is neither a network"),
        (("--model", "n.onnx", "other/n.onnx"), "would have the same name"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(
    options: tuple[str, ...], message: str, few_faces: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "page.md").write_text("no markers", "utf-8")
    (folder / "other").mkdir()
    write_network(folder / "other" / "n.onnx")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(logging, "disable", lambda level: None)
    monkeypatch.setattr("benchmarks.robustness.curves", lambda *given: pytest.fail("it measures"))
    monkeypatch.setattr("sys.argv", ["robustness", "--data", str(few_faces), *options])
    with pytest.raises(SystemExit, match="error: .*" + re.escape(message)):
        main()
