"""train.py -m, run as a user runs it."""

import csv
import statistics
from pathlib import Path

import pytest
from conftest import Command
from runs import SHORT, metrics


def test_a_sweep_ends_with_one_table_of_all_jobs_and_survives_a_job_that_fails(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "-m", *SHORT[1:], f"data.path={few_faces}", "trainer.limit_train_batches=2",
        "model=deep_emotion", "optimizer=adam,sgd", "data.val_fraction=0.1,1.5",
    )  # fmt: skip
    assert result.returncode == 1
    assert "error: 2 of 4 jobs failed" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    (sweep,) = tmp_path.glob("outputs/sweep/*")
    rows = list(csv.DictReader((sweep / "sweep.csv").open()))
    assert [row["job"] for row in rows if row["error"]] == ["1", "3"]
    assert all("val_fraction is 1.5" in row["error"] for row in rows if row["error"])
    scores = [float(row["val/accuracy"]) for row in rows if not row["error"]]
    assert scores == sorted(scores, reverse=True)
    assert {row["optimizer"] for row in rows[:2]} == {"adam", "sgd"}
    for row in rows[:2]:
        assert float(row["test/accuracy"]) == metrics(sweep / row["job"])["test/accuracy"]
    # The first failure is told before the jobs that come after it.
    assert result.stdout.index("this job failed") < result.stdout.index("#2 :")


def test_a_sweep_over_seeds_ends_with_means_and_deviations(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "-m", *SHORT, f"data.path={few_faces}", "trainer.limit_train_batches=2",
        "optimizer=adam,sgd", "seed=0,1", "trainer.max_epochs=1",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Mean ± standard deviation over seed" in result.stdout
    (sweep,) = tmp_path.glob("outputs/sweep/*")
    jobs = list(csv.DictReader((sweep / "sweep.csv").open()))
    means = {row["optimizer"]: row for row in csv.DictReader((sweep / "sweep_means.csv").open())}
    assert set(means) == {"adam", "sgd"}
    for optimizer, row in means.items():
        figures = [float(job["test/accuracy"]) for job in jobs if job["optimizer"] == optimizer]
        assert row["jobs"] == "2"
        assert float(row["test/accuracy"]) == pytest.approx(statistics.mean(figures))
        assert float(row["test/accuracy ±"]) == pytest.approx(statistics.stdev(figures))
