"""train.py -m, run as a user runs it."""

import csv
import os
import shlex
import statistics
import time
from pathlib import Path

import joblib
import optuna
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from optuna.trial import TrialState

from fer_lightning.sweep.search import STUDY
from tests.conftest import Command, Compose
from tests.runs import SHORT, metrics
from tests.scripts import REPOSITORY, run_afresh, started_in

BRIEF = (*SHORT[1:], "trainer.limit_train_batches=2", "trainer.max_epochs=1", "callbacks.pictures=null")


@pytest.mark.nightly  # each job is a process that imports torch
def test_jobs_side_by_side_end_in_one_table_with_those_that_fail(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")  # the sharing is what is tested
    result = run_afresh(
        tmp_path, "train.py", "-m", *BRIEF, f"data.path={few_faces}",
        "model=deep_emotion", "optimizer=adam,sgd", "data.val_fraction=0.1,1.5",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert result.returncode == 1
    assert "error: 2 of 4 jobs failed" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    (sweep,) = tmp_path.glob("outputs/sweep/*")
    rows = list(csv.DictReader((sweep / "sweep.csv").read_text().splitlines()))
    assert [row["job"] for row in rows if row["state"] == "failed"] == ["1", "3"]
    assert all("val_fraction is 1.5" in row["why"] for row in rows if row["state"] == "failed")
    scores = [float(row["val/accuracy"]) for row in rows if row["state"] == "done"]
    assert scores == sorted(scores, reverse=True)
    assert {row["optimizer"] for row in rows[:2]} == {"adam", "sgd"}
    for row in rows[:2]:
        assert float(row["test/accuracy"]) == metrics(sweep / row["job"])["test/accuracy"]
    # Each line says whose it is, and a failure is told before the jobs that come after it.
    assert result.stdout.index("\n#1 this job failed") < result.stdout.index("\n#3 job 3 computes on ")
    threads = max(1, joblib.cpu_count() // 2)  # of a machine with three cores or fewer, one
    assert f"\n#3 job 3 computes on {threads} of {os.cpu_count()} cores\n" in result.stdout


def kill_in_second_job(command: tuple[str, ...], folder: Path, sweep: Path) -> None:
    """Once it has something to go on from."""
    process = started_in(folder, *command)
    while not (sweep / "1" / "checkpoints" / "last.ckpt").is_file():
        assert process.exitcode is None
        time.sleep(0.01)
    process.kill()
    process.join()


@pytest.mark.nightly  # the next one is killed too
def test_a_killed_sweep_over_seeds_goes_on_and_ends_with_means(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep"
    command = (
        "train.py", "sweep=seeds", *BRIEF, "model=deep_emotion", f"data.path={few_faces}",
        "optimizer=adam,sgd", "seed=0,1", f"hydra.sweep.dir={sweep}",
    )  # fmt: skip
    kill_in_second_job(command, tmp_path, sweep)
    done = sweep / "0" / "report" / "metrics.json"
    written = done.stat().st_mtime
    assert not (sweep / "1" / "report" / "metrics.json").exists()
    other = run_command(*command, "optimizer=sgd")
    assert other.returncode == 1
    assert "holds another sweep: its job 0 has" in other.stderr
    result = run_command(*command)
    assert result.returncode == 0, result.stderr
    assert done.stat().st_mtime == written
    assert "going on from" in (sweep / "1" / "train.log").read_text()
    assert "Mean ± standard deviation over seed" in result.stdout
    assert "sweep=" not in str(metrics(sweep / "0")["command"])  # which repeats this job alone
    jobs = list(csv.DictReader((sweep / "sweep.csv").read_text().splitlines()))
    means = {row["optimizer"]: row for row in csv.DictReader((sweep / "sweep_means.csv").read_text().splitlines())}
    assert set(means) == {"adam", "sgd"}
    for optimizer, row in means.items():
        figures = [float(job["test/accuracy"]) for job in jobs if job["optimizer"] == optimizer]
        assert row["jobs"] == "2"
        assert float(row["test/accuracy"]) == pytest.approx(statistics.mean(figures))
        assert float(row["test/accuracy ±"]) == pytest.approx(statistics.stdev(figures))


def test_a_killed_search_goes_on_prunes_and_tells_the_best(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    command = (
        "train.py", "sweep=optuna", *SHORT, f"data.path={few_faces}", "data.batch_size=16",
        "monitor=val/loss", "optimizer.lr=choice(0.0001,0.01,1)", "loss.label_smoothing=0", "callbacks.pictures=null",
        "callbacks.pruning.startup_trials=1", "callbacks.pruning.warmup_epochs=0",
        "hydra.sweeper.n_trials=3", "hydra.sweeper.seed=69",
    )  # fmt: skip
    sweep = tmp_path / "outputs/sweep/optuna"
    storage = f"sqlite:///{sweep}/study.db"
    kill_in_second_job(command, tmp_path, sweep)
    first = sweep / "0" / "report" / "metrics.json"
    written = first.stat().st_mtime
    before = optuna.load_study(study_name=STUDY, storage=storage).trials
    assert [trial.state for trial in before] == [TrialState.COMPLETE, TrialState.RUNNING]
    result = run_command(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    assert first.stat().st_mtime == written
    assert "going on from" in (sweep / "1" / "train.log").read_text()
    study = optuna.load_study(study_name=STUDY, storage=storage)
    assert [trial.number for trial in study.trials] == [0, 1, 2]
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED]
    # As seed 69 draws them: a rate that is too low, a good one, and one that is hopeless.
    assert [trial.params["optimizer.lr"] for trial in study.trials] == ["0.0001", "0.01", "1"]
    assert [trial.params for trial in study.trials[:2]] == [trial.params for trial in before]
    rows = {int(row["job"]): row for row in csv.DictReader((sweep / "sweep.csv").read_text().splitlines())}
    assert [rows[number]["state"] for number in range(3)] == ["done", "done", "pruned"]
    for trial in study.trials:
        row = rows[trial.number]
        assert row["optimizer.lr"] == trial.params["optimizer.lr"]
        assert float(row["optimizer.weight_decay"]) == pytest.approx(trial.params["optimizer.weight_decay"], rel=1e-3)
    for trial in study.trials[:2]:
        assert trial.value == float(rows[trial.number]["val/loss"]) == min(trial.intermediate_values.values())
        assert sorted(trial.intermediate_values) == [0, 1]
    hopeless = study.trials[2].intermediate_values
    assert list(hopeless) == [0]
    assert hopeless[0] > study.trials[0].intermediate_values[0]
    assert rows[2]["why"] == f"after epoch 1 of 2, val/loss {hopeless[0]:.4f}"
    assert study.best_trial.number == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("best   ")]
    assert f" optimizer.lr=0.01 optimizer.weight_decay={rows[1]['optimizer.weight_decay']} " in line
    assert "pruning" not in line
    again = run_command(*command, "~hydra.callbacks.sweep_table")  # the table once more would take ten seconds
    assert again.returncode == 0
    assert "has all its trials, 3. With hydra.sweeper.n_trials=6 it goes on" in again.stdout


@pytest.mark.nightly  # each job is a process that imports torch
def test_a_search_on_a_cluster_ends_with_the_best_as_a_command(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    result = run_command(
        "train.py", "sweep=optuna", "hydra/launcher=submitit_local", "hydra.launcher.cpus_per_task=1",
        "hydra.sweeper.n_trials=1",
        *BRIEF, "model=deep_emotion", f"data.path={few_faces}",
        "optimizer.lr=tag(log,interval(0.001,0.1))",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    study = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{tmp_path}/outputs/sweep/optuna/study.db")
    rows = {
        row["job"]: row
        for row in csv.DictReader((tmp_path / "outputs/sweep/optuna/sweep.csv").read_text().splitlines())
    }
    for trial in study.trials:
        row = rows[str(trial.number)]
        assert trial.value == float(row["val/accuracy"])
        assert trial.intermediate_values == {0: trial.value}
        assert 0.001 <= trial.params["optimizer.lr"] <= 0.1
        assert trial.params["optimizer.lr"] == pytest.approx(float(row["optimizer.lr"]), rel=1e-3)
    best = rows[str(study.best_trial.number)]
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("best   ")]
    assert f" optimizer.lr={best['optimizer.lr']} " in line


def test_a_search_asks_for_a_fourth_of_its_trials_before_scores(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "fer_lightning" / "sweep" / "plugin")
    slurm = "hydra/launcher=submitit_slurm"  # 256 at the same time
    for expected, *overrides in (
        (7, "sweep=optuna", slurm),
        (1, "sweep=optuna", slurm, "hydra.sweeper.n_trials=3"),
        (30, "sweep=optuna", slurm, "hydra.sweeper.side_by_side=30"),
        (4, "sweep=optuna", "hydra/launcher=joblib", "hydra.launcher.n_jobs=4"),
        (1, "sweep=optuna"),
        (20, "sweep=random", slurm),
    ):
        composed(*overrides)
        hydra = HydraConfig.get()
        assert instantiate(hydra.sweeper).at_once(hydra.launcher) == expected, overrides


def test_slurm_is_a_choice_of_launcher(composed: Compose) -> None:
    composed("hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu")
    launcher = HydraConfig.get().launcher
    assert (launcher._target_.rpartition(".")[2], launcher.partition) == ("SlurmLauncher", "gpu")


def test_a_sweep_with_folders_of_other_names_goes_on_as_printed(
    few_faces: Path, run_command: Command, tmp_path: Path
) -> None:
    command = (
        "-m", *SHORT, f"data.path={few_faces}", "trainer.fast_dev_run=true", "seed=3,4", "hydra.sweep.dir=sw (1)",
    )  # fmt: skip
    quoted = [word.replace("sw (1)", "'sw (1)'") for word in command]
    shared = run_command("train.py", *quoted, "optimizer.lr=0.1,0.2", "hydra.sweep.subdir=seed_${seed}")
    assert shared.returncode == 1
    assert "would share the folder seed_3" in shared.stderr
    first = run_command("train.py", *quoted, "hydra.sweep.subdir=seed_${seed}")
    assert first.returncode == 0, first.stderr
    sweep = tmp_path / "sw (1)"
    rows = list(csv.DictReader((sweep / "sweep.csv").read_text().splitlines()))
    assert {(row["job"], row["state"]) for row in rows} == {("seed_3", "done"), ("seed_4", "done")}
    printed = first.stdout.partition("it goes on with\n")[2].splitlines()[0]
    _, script, *words = shlex.split(printed)
    again = run_command(script, *words)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("done already") == 2
