"""A sweep's folder tells what is done, what is not, and whether it is the sweep that one would go on with."""

import json
from pathlib import Path

import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.sweep.jobs import (
    FAILED,
    PRUNED,
    held,
    job,
    job_folders,
    outcome,
    refuse_other_jobs,
)
from fer_lightning.sweep.subdirs import refuse_shared_folders


def folder_of(sweep: Path, number: int, *overrides: str) -> Path:
    folder = sweep / str(number)
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {override}\n" for override in overrides))
    return folder


def finish(folder: Path, score: float) -> None:
    (folder / "report").mkdir()
    (folder / "report" / "metrics.json").write_text(json.dumps({"val/accuracy": score}))


def test_a_job_has_the_state_that_its_folder_shows(tmp_path: Path) -> None:
    done, pruned, failed, half, running = (folder_of(tmp_path, number) for number in range(5))
    finish(done, 0.5)
    (pruned / PRUNED).write_text("after epoch 4 of 9, val/accuracy 0.2\n")
    (failed / FAILED).write_text("ConfigError: data: no\nand more\n")
    (half / "report").mkdir()
    (half / "report" / "metrics.json").write_text('{"val/acc')  # killed while it wrote
    assert (outcome(done, "val/accuracy").state, outcome(done, "val/accuracy").score) == ("done", 0.5)
    assert outcome(pruned, "val/accuracy").why == "after epoch 4 of 9, val/accuracy 0.2"
    assert outcome(failed, "val/accuracy").why == "ConfigError: data: no"
    assert outcome(half, "val/accuracy").state == "stopped"
    with job(running, "val/accuracy") as before:
        assert before.state == "running"  # it holds the lock itself
        assert outcome(running, "val/accuracy").state == "running"
    assert outcome(running, "val/accuracy").state == "stopped"


def test_a_done_job_gives_its_score_a_failed_one_starts_again(tmp_path: Path) -> None:
    done, failed = folder_of(tmp_path, 0), folder_of(tmp_path, 1)
    finish(done, 0.5)
    (failed / FAILED).write_text("OSError: disk full")
    with job(done, "val/accuracy") as before:
        assert (before.state, before.score) == ("done", 0.5)
    with job(failed, "val/accuracy") as before:
        assert before.state == "failed"
        assert not (failed / FAILED).exists()


def test_a_sweep_is_not_continued_as_another_one(tmp_path: Path) -> None:
    for number in range(2):
        folder_of(tmp_path, number, "model=deep_emotion", f"seed={number}")
    jobs = [["model=deep_emotion", f"seed={number}"] for number in range(3)]
    refuse_other_jobs(tmp_path, jobs)  # more of them is fine
    with pytest.raises(ConfigError, match="its job 1 has model=deep_emotion seed=1, and here is nothing else"):
        refuse_other_jobs(tmp_path, jobs[:1])
    with pytest.raises(ConfigError, match="its job 0 has model=deep_emotion, and here is nothing else"):
        refuse_other_jobs(tmp_path, [["seed=0"], jobs[1]])


def test_two_sweeps_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(ConfigError, match="another process is running the sweep"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_file_system_without_locks_ends_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*arguments: object, **options: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", no_locks)
    with pytest.raises(ConfigError, match=r"not written into: .*its file system has no locks"), held(tmp_path):
        pass
    with pytest.raises(ConfigError, match=r"job cannot be written .*has no locks"), job(tmp_path, "val/accuracy"):
        pass


def test_a_lock_that_cannot_be_opened_ends_in_one_message(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ConfigError, match=r"not written into: .*\.lock"), held(tmp_path):
        pass
    with pytest.raises(ConfigError, match=r"job cannot be written .*\.lock"), job(tmp_path, "val/accuracy"):
        pass


def test_jobs_are_found_whatever_their_folders_are_called(tmp_path: Path) -> None:
    for number, name in enumerate(("seed_3", "a/b", "7", "without")):
        hydra = tmp_path / name / ".hydra"
        hydra.mkdir(parents=True)
        if name != "without":  # killed before it was written
            (hydra / "hydra.yaml").write_text(f"hydra:\n  job:\n    num: {number}\n    id: x\n")
            (hydra / "overrides.yaml").write_text(f"- seed={number}\n")
    (tmp_path / "5" / ".hydra").mkdir(parents=True)
    (tmp_path / "6").mkdir()
    found = {number: folder.relative_to(tmp_path).as_posix() for number, folder in job_folders(tmp_path).items()}
    assert found == {0: "seed_3", 1: "a/b", 2: "7", 5: "5"}
    refuse_other_jobs(tmp_path, [[f"seed={number}"] for number in range(4)])
    with pytest.raises(ConfigError, match="its job 1 has seed=1, and here is seed=9"):
        refuse_other_jobs(tmp_path, [["seed=0"], ["seed=9"], ["seed=2"]])


def test_folders_that_two_jobs_would_share_are_refused() -> None:
    refuse_shared_folders(["a", "b"], "${model}")
    with pytest.raises(ConfigError, match=r"jobs 0 and 2 would share the folder seed_0\. .*_\$\{hydra\.job\.num\}$"):
        refuse_shared_folders(["seed_0", "seed_1", "seed_0", "seed_1"], "seed_${seed}")


def test_a_sweep_whose_folder_cannot_be_made_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = r"the folder of the sweep cannot be made, .*with hydra\.sweep\.dir="
    with pytest.raises(ConfigError, match=told), held(tmp_path / "file" / "sweep"):
        pass
