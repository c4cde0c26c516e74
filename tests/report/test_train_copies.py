"""The accuracy without copies of training faces is what predictions.csv and copies_in_train.csv make of it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.copies import jpeg, shifted
from fer_lightning.data.near_pairs import FAR, NEAR
from fer_lightning.data.write_images import export
from fer_lightning.report.page import Section
from fer_lightning.report.results import Results
from fer_lightning.report.run_page import _summary
from fer_lightning.report.train_copies import TrainCopies
from fer_lightning.training.classifier import EmotionClassifier
from tests.conftest import Command
from tests.data.faces_files import csv_bytes, pixel_text
from tests.data.test_perceptual_hash import faces
from tests.report.test_results import RESULTS
from tests.runs import SHORT, metrics, run_of, table_of

KEYS = ("test/accuracy", "test/accuracy_new", "test/accuracy_without_near", "copies_in_train", "near_copies_in_train")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fer2013.csv of 70 faces in train, 14 in val and 28 in test: 5 of these are in train too, 6 nearly."""
    pixels = faces(112)[:, 0].numpy()
    changes = [lambda face: face] * 5 + [jpeg(60), jpeg(40), np.fliplr, np.fliplr, shifted(1, 0), jpeg(80)]
    for place, change in enumerate(changes):
        pixels[84 + 2 * place] = change(pixels[3 * place])
    usages = ["Training"] * 70 + ["PublicTest"] * 14 + ["PrivateTest"] * 28
    rows = [
        f"{row % 7},{pixel_text(face)},{usage}" for row, (face, usage) in enumerate(zip(pixels, usages, strict=True))
    ]
    file = tmp_path_factory.mktemp("planted") / "fer2013.csv"
    file.write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    return file


@pytest.fixture(scope="module")
def trained(planted: Path, run_in: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("trained")
    result = run_in(folder, "train.py", *SHORT, "trainer.max_epochs=1", f"data.path={planted}")
    return run_of(result, folder), result.stdout


def by_hand(report: Path) -> dict[str, float]:
    predictions = pd.read_csv(report / "predictions.csv").set_index(["split", "row"])
    copies = pd.read_csv(report / "copies_in_train.csv").set_index(["split", "row"])
    right = predictions["label"] == predictions["prediction"]
    exact = copies[copies["copy"] == "exact"]
    values = (
        right.mean(),
        right.drop(exact.index).mean(),
        right.drop(copies.index).mean(),
        len(exact),
        len(copies),
    )
    return dict(zip(KEYS, map(float, values), strict=True))


def test_the_report_says_what_its_tables_say(trained: tuple[Path, str]) -> None:
    run, printed = trained
    found = metrics(run)
    assert {key: found[key] for key in KEYS} == pytest.approx(by_hand(run / "report"))
    assert (found["copies_in_train"], found["near_copies_in_train"]) == (5, 11)
    copies = pd.read_csv(run / "report" / "copies_in_train.csv")
    assert copies["row"].tolist() == [85 + 2 * place for place in range(11)]
    assert copies["copy"].tolist() == ["exact"] * 5 + ["near"] * 6
    assert copies["bits"].between(0, NEAR).all()
    near = f"without the 11 that are in train too or look like a face there {found['test/accuracy_without_near']:.2%}"
    assert near in printed
    assert (
        "11 of the 28 faces of test are copies or near copies of faces that the network learns from (5 exact" in printed
    )
    assert "11 faces are copies or near copies" in (run / "report" / "index.html").read_text("utf-8")


def test_testing_gives_the_figures_of_training(trained: tuple[Path, str], planted: Path, run_command: Command) -> None:
    run, printed = trained
    export(planted, planted.parent / "images")
    test_part = planted.parent / "images" / "PrivateTest"
    other = planted.parent / "other"
    test_part.rename(other)  # which has no training part
    for words in ([], [f"data.path={other}", "data.splits.test=all"]):
        tested = run_command("test.py", f"run_dir={run}", *words)
        assert tested.returncode == 0, tested.stderr
        report = max((run_command.args[0] / "outputs" / "test").iterdir())  # type: ignore[attr-defined]
        again, known = metrics_in(report), metrics(run)
        assert {key: again[key] for key in KEYS} == {key: known[key] for key in KEYS}
        if not words:
            assert table_of(tested.stdout) == table_of(printed)


def metrics_in(folder: Path) -> dict[str, Any]:
    (folder / "report").symlink_to(folder)
    return metrics(folder)


def test_a_run_from_before_the_hashes_has_no_such_line(trained: tuple[Path, str], run_command: Command) -> None:
    run, _ = trained
    for checkpoint in (run / "checkpoints").glob("*.ckpt"):
        content = torch.load(checkpoint, weights_only=True)
        content["FERDataModule"].pop("train_hashes")
        torch.save(content, checkpoint)
    tested = run_command("test.py", f"run_dir={run}")
    assert tested.returncode == 0, tested.stderr
    assert "without the 5 faces that are in train too" in tested.stdout
    assert "look like" not in tested.stdout
    report = max((run_command.args[0] / "outputs" / "test").iterdir())  # type: ignore[attr-defined]
    assert "near_copies_in_train" not in metrics_in(report)
    assert len(pd.read_csv(report / "copies_in_train.csv")) == 5


def test_no_figure_is_given_for_no_faces() -> None:
    exact = torch.tensor([True, False, False])
    copies = TrainCopies(exact, torch.tensor([0, 3, 20], dtype=torch.uint8))
    right = torch.tensor([True, True, False])
    assert copies.metrics(right) == {"test/accuracy_new": 0.5}
    assert TrainCopies(exact).metrics(right) == {"test/accuracy_new": 0.5}
    some = TrainCopies(exact, torch.tensor([0, FAR, 3], dtype=torch.uint8))
    assert some.metrics(right) == {"test/accuracy_new": 0.5, "test/accuracy_without_near": 1.0}
    assert TrainCopies(exact).notes() == ()


def test_the_summary_has_both_figures() -> None:
    metrics = RESULTS.metrics | {
        "test/accuracy_without_near": 0.125,
        "test/top2_accuracy": 1,
        "test/calibration_error": 0,
    }
    section = Section("Summary")
    results: Results = dataclasses.replace(RESULTS, metrics=metrics, near_copies=3)
    _summary(section, EmotionClassifier("deep_emotion"), results, {}, "faces.csv")
    facts = dict(section.facts)
    assert facts["without copies of training faces"] == "50.00%"
    assert facts["without near copies of them either"] == "12.50% (3 faces are copies or near copies)"
