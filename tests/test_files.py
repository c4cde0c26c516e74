"""A file that is written again is the one before until all of the new one is on the disk."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fer_lightning.commands.failures import in_one_message
from fer_lightning.files import printable
from fer_lightning.report.page import Section, write_page
from fer_lightning.report.predictions import Predictions
from fer_lightning.report.results import Results
from fer_lightning.report.results_table import BEGIN, END, write_into
from fer_lightning.sweep import report as sweep
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import save_model
from fer_lightning.transforms.preprocessing import Preprocessing
from tests.scripts import REPOSITORY

FACES, CLASSES = torch.zeros(2, 48, 48, dtype=torch.uint8), ("happy", "sad")
PREDICTIONS = Predictions(FACES, torch.tensor([0, 1]), torch.eye(2), torch.arange(2), ("PublicTest",) * 2, CLASSES)
RESULTS = Results({}, torch.eye(2), CLASSES, PREDICTIONS)
BEFORE = f"of before\n{BEGIN}\n{END}\n"


def shown_sweep(folder: Path) -> None:
    for number in range(4):
        job = folder / str(number)
        for file, text in {
            ".hydra/overrides.yaml": f"[optimizer.lr={number // 2}, seed={number % 2}]",
            "report/metrics.json": f'{{"val/accuracy": 0.{number}, "test/accuracy": 0, "test/f1": 0, "minutes": 1}}',
        }.items():
            (job / file).parent.mkdir(parents=True, exist_ok=True)
            (job / file).write_text(text)
    (folder / "multirun.yaml").write_text(
        "monitor: val/accuracy\nhydra: {sweep: {}, sweeper: {}, job: {name: train}, overrides: {task: [], hydra: []}}"
    )
    sweep.main([str(folder)])


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (lambda folder: write_page(folder / "index.html", "A page", [Section("One")]), ["index.html"]),
        (RESULTS.write_tables, ["predictions.csv", "per_class.csv", "confusion.csv"]),
        (lambda folder: write_into(folder / "RESULTS.md", "| a table |"), ["RESULTS.md"]),
        (shown_sweep, ["sweep.csv", "sweep_means.csv", "sweep.png"]),
    ],
    ids=["page", "tables", "results", "sweep"],
)
def test_reports_are_the_ones_before_until_they_are_whole(
    write: Callable[[Path], object], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        (tmp_path / name).write_text(BEFORE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *paths: None)  # up to here
        write(tmp_path)
    assert [(tmp_path / name).read_text() for name in names] == [BEFORE] * len(names)
    write(tmp_path)
    assert all(BEFORE.encode() not in (tmp_path / name).read_bytes() for name in names)


def test_nothing_is_written_under_its_own_name_bit_by_bit() -> None:
    writing = re.compile(r"^.*\.(?:write_text|write_bytes|to_csv|savefig)\(.*$", re.MULTILINE)
    whole = re.compile(r"unfinished\.write|\((?:unfinished|stream)\b")
    for file in (REPOSITORY / "fer_lightning").rglob("*.py"):
        for line in writing.findall(file.read_text("utf-8")):
            assert whole.search(line), f"{file}: {line}"


def test_weights_on_a_full_disk_end_in_the_usual_message(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # which Windows does not have
    model = EmotionClassifier("deep_emotion", CLASSES)
    (tmp_path / "model.safetensors").write_text("of before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as full:
            save_model(model, Preprocessing(48, (0.5,), (0.25,)), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(in_one_message(full.value, tmp_path)) == f"cannot go on writing to {tmp_path}: File too large"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("model.safetensors", "of before")]


def test_any_name_can_be_printed() -> None:
    assert printable("ärger/顔.png") == "ärger/顔.png"
    assert printable(os.fsdecode(b"odd\xe4.png")) == r"odd\xe4.png"
    assert printable("half \ud83d") == r"half \ud83d"
