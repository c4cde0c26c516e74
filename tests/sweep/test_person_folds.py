"""sweep=folds data.folds=persons leaves out one person after the other."""

import csv
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fer_lightning.data.cache import save_reading
from fer_lightning.data.faces import Reading
from fer_lightning.data.identity import file_identity
from fer_lightning.data.readers.source import read_faces
from fer_lightning.report.person_intervals import METHOD
from fer_lightning.sweep.person_folds import leaves_folds_open
from tests.conftest import Command
from tests.runs import SHORT, metrics

BRIEF = (
    *SHORT[1:],
    "model=deep_emotion",
    "trainer.limit_train_batches=1",
    "trainer.max_epochs=1",
    "callbacks.pictures=null",
)
PERSONS = 3


@pytest.fixture
def known(few_faces: Path, tmp_path: Path) -> Path:
    """Few faces whose persons are known, as its cache has it; the same persons are in all three parts."""
    path = tmp_path / "known" / "fer2013.csv"
    path.parent.mkdir()
    shutil.copy(few_faces, path)
    faces = read_faces(path)
    faces = replace(faces, images=faces.images[torch.arange(len(faces))], persons=torch.arange(len(faces)) % PERSONS)
    save_reading(Reading(faces, "CSV with persons", 0, ()), path, file_identity(path))
    return path


def test_a_sweep_over_persons_has_a_job_for_each(known: Path, run_command: Command, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    result = run_command(
        "train.py", "sweep=folds", "data.folds=persons", *BRIEF, f"data.path={known}", f"hydra.sweep.dir={sweep}"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"data.folds=persons: {PERSONS} persons to train on, of whom each job leaves out one" in result.stdout
    jobs = list(csv.DictReader((sweep / "sweep.csv").read_text().splitlines()))
    assert sorted(job["data.fold"] for job in jobs) == [str(fold) for fold in range(PERSONS)]
    assert "Mean ± standard deviation over data.fold" in result.stdout
    (means,) = csv.DictReader((sweep / "sweep_means.csv").read_text().splitlines())
    scores = [float(job["val/accuracy"]) for job in jobs]
    assert float(means["val/accuracy"]) == pytest.approx(statistics.mean(scores))
    assert float(means["val/accuracy ±"]) == pytest.approx(statistics.stdev(scores))
    for fold in range(PERSONS):
        log = (sweep / str(fold) / "train.log").read_text()
        assert f"person {fold} of 0…{PERSONS - 1} of Training" in log
        assert f"test shares {PERSONS - 1} of its {PERSONS} persons with train" in log
        told = metrics(sweep / str(fold))
        assert (told["interval"], told["test_persons"]) == (METHOD, PERSONS)
        assert told["notes"] == [note for note in told["notes"] if note in log]
        assert "data.folds=persons" in str(told["command"])
        page = (sweep / str(fold) / "report" / "index.html").read_text("utf-8")
        assert "95% interval over persons" in page
        assert f"Test shares {PERSONS - 1} of its {PERSONS} persons with train" in page


def test_a_sweep_over_persons_of_a_set_without_is_refused(
    known: Path, few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep"
    result = run_command(
        "train.py", "sweep=folds", "data.folds=persons", *BRIEF, f"data.path={known},{few_faces}",
        f"hydra.sweep.dir={sweep}",
    )  # fmt: skip
    assert result.returncode == 1
    assert f"error: data.folds is persons, but {few_faces} does not say whose faces they are" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not sweep.exists()


@pytest.mark.parametrize(
    ("typed", "is_open"),
    [
        (["data.folds=persons"], True),
        (["data.folds=persons", "optimizer=adam,sgd"], True),
        (["data.folds=persons", "data.fold=1,3"], False),
        (["data.folds=4"], False),
        ([], False),
    ],
)
def test_a_fold_that_is_typed_wins(typed: list[str], is_open: bool) -> None:
    assert leaves_folds_open(["data.folds=5", "data.fold=0,1,2,3,4"], typed) is is_open
    assert not leaves_folds_open([], typed)
