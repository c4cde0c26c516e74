"""A command has a folder to itself that is no other run's; that of a refused one goes, and nothing else does."""

import logging.config
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, read_write

from fer_lightning.commands.run_folder import RunFolder, gone_if_refused
from fer_lightning.config.command_line import launch
from fer_lightning.errors import ConfigError
from fer_lightning.sweep.folder_lock import is_locked
from fer_lightning.sweep.jobs import held
from tests.scripts import REPOSITORY

Started = Callable[..., DictConfig]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Comes, in tmp_path, as far as a command does before Hydra writes anything; returns its config."""

    def start(*overrides: str, script: str = "train", multirun: bool = False) -> DictConfig:
        cfg = compose(script, list(overrides), return_hydra_config=True)
        assert isinstance(cfg, DictConfig)
        with read_write(cfg.hydra):
            cfg.hydra.job.name = script
        hook = RunFolder().on_multirun_start if multirun else RunFolder().on_run_start
        hook(cfg)
        return cfg

    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        yield start
    RunFolder().on_run_end(DictConfig({}))
    GlobalHydra.instance().clear()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder "run", of a finished run."""
    folder = tmp_path / "run"
    for name in (".hydra/config.yaml", "checkpoints/best.ckpt", "report/metrics.json", "model.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("kept")
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (["hydra.run.dir=run"], "checkpoints/last.ckpt"),
        (["hydra.run.dir='run'"], "checkpoints/best.ckpt"),
        (["++hydra.run.dir=run"], "report/metrics.json"),
        (["hydra.run={dir:run}"], "model.pth"),
        (["hydra.run.dir=./${x}", "+x=run"], "model.safetensors"),
    ],
)
def test_a_folder_that_holds_a_run_is_refused_however_typed(
    typed: list[str], left: str, started: Started, tmp_path: Path
) -> None:
    (tmp_path / "run" / left).parent.mkdir(parents=True)
    (tmp_path / "run" / left).write_text("kept")
    with pytest.raises(SystemExit, match=r"that folder holds a run already. Give another one, or go on with that run"):
        started(*typed)
    assert files(tmp_path / "run") == [left]


def test_a_folder_with_other_files_is_taken(started: Started, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    started("hydra.run.dir=mine")
    assert is_locked(tmp_path / "mine")


@pytest.mark.parametrize("folder", ["run", "run/report", "run/checkpoints", "run/.hydra"])
def test_a_test_is_not_written_over_its_run(folder: str, started: Started, run: Path) -> None:
    before = files(run)
    with pytest.raises(
        SystemExit, match=r"that folder (holds a run already|is a part of the run run). Give another on"
    ):
        started("run_dir=run", f"++hydra.run.dir={folder}", script="test")
    assert files(run) == before


def test_a_test_may_lie_beside_the_other_files_of_its_run(started: Started, run: Path) -> None:
    started("run_dir=run", "hydra.run.dir=run/with_flip", script="test")
    assert (run / "with_flip").is_dir()


def test_a_sweep_is_not_written_over_a_run(started: Started, run: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: hydra\.sweep\.dir=run: that folder holds a run already"):
        started("hydra.sweep.dir=run", multirun=True)


@pytest.mark.parametrize("typed", ["hydra.run.dir=other", "++hydra.run.dir=other", "hydra.run={dir:other}"])
def test_a_resumed_run_stays_in_its_own_folder(typed: str, started: Started, run: Path) -> None:
    with pytest.raises(SystemExit, match=r"hydra.run.dir=other is given with resume: a resumed run goes on in its own"):
        started("resume=run", typed)
    assert not (run.parent / "other").exists()
    started("resume=run", typed.replace("other", "run"))


@pytest.mark.parametrize(
    ("overrides", "multirun"),
    [
        (["hydra.output_subdir=null"], False),
        (["hydra.output_subdir=my_hydra"], False),
        (["hydra.output_subdir=my_hydra"], True),
        (["resume=run", "hydra.output_subdir=.hydra"], False),
    ],
)
def test_a_config_where_nothing_would_read_it_is_refused(
    overrides: list[str], multirun: bool, started: Started, run: Path
) -> None:
    with pytest.raises(
        SystemExit, match=r"hydra.output_subdir is .*: a run is tested and resumed by the config in its"
    ):
        started(*overrides, multirun=multirun)
    assert os.listdir(run.parent) == ["run"]


def test_a_folder_is_one_process_s_until_that_is_killed(started: Started, run: Path) -> None:
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            started("resume=run")
            os.write(tell, b"x")
            time.sleep(60)
        finally:
            os._exit(1)
    assert os.read(told, 1) == b"x"
    before = files(run)
    try:
        for overrides, said in ((["resume=run"], "resume=run"), (["hydra.run.dir=run"], "that folder holds a run")):
            with pytest.raises(SystemExit, match=said):
                started(*overrides)
        (run / "checkpoints" / "best.ckpt").rename(run / "kept")  # as one that has just begun
        (run / "report" / "metrics.json").unlink()
        (run / "model.safetensors").unlink()
        with pytest.raises(SystemExit, match=r"^error: hydra\.run\.dir=run: another process is at work in that folder"):
            started("hydra.run.dir=run")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert set(files(run)) == {*before, "kept"} - {"checkpoints/best.ckpt", "report/metrics.json", "model.safetensors"}
    started("resume=run")


def test_a_job_of_a_sweep_that_runs_is_not_resumed(started: Started, run: Path) -> None:
    with FileLock(run / ".lock"), pytest.raises(SystemExit, match="resume=run: another process is at work in that fol"):
        started("resume=run")


def test_a_run_that_is_being_trained_can_be_tested(started: Started, run: Path) -> None:
    with FileLock(run / ".lock"):
        started("run_dir=run", script="test")


def test_the_processes_beside_the_first_are_let_in(
    started: Started, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with FileLock(run / ".lock"):
        started("resume=run", "hydra.run.dir=run", "hydra.output_subdir=null")


def test_a_folder_that_is_left_has_nothing_of_the_lock(started: Started, run: Path) -> None:
    before = files(run)
    started("resume=run")
    assert is_locked(run)
    RunFolder().on_run_end(DictConfig({}))
    assert files(run) == before


@pytest.mark.parametrize("name", ["123", "2024_01", "1e3"])
@pytest.mark.parametrize(("script", "key"), [("train", "resume"), ("test", "run_dir")])
def test_a_run_may_be_called_by_a_number(name: str, script: str, key: str, started: Started, run: Path) -> None:
    run.rename(run.parent / name)
    assert started(f"{key}={name}", script=script)[key] == name
    if key == "resume":
        assert is_locked(run.parent / name)


@pytest.mark.parametrize("given", ["true", "[a]", ""])
@pytest.mark.parametrize(("script", "key"), [("train", "resume"), ("test", "run_dir")])
def test_what_is_no_name_of_a_run_is_refused(given: str, script: str, key: str, started: Started) -> None:
    with pytest.raises(SystemExit, match=f"^error: {key}=.*: give the folder of a run, as in {key}=outputs/train/…"):
        started(f"{key}={given}", script=script)


def test_a_folder_that_takes_no_files_is_refused_in_one_message(started: Started, run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"the run's folder cannot be made: .* Give another with hydra.run.dir"):
        started("hydra.run.dir=file/run")
    (run / ".lock").mkdir()  # in the way, as a file system that is read-only is
    with pytest.raises(SystemExit, match=r"resume=run: that run cannot go on, since its folder cannot be written into"):
        started("resume=run")
    said = r"folder of the sweep cannot be made, .* Give another with hydra\.sweep\.dir"
    with pytest.raises(ConfigError, match=said), held(tmp_path / "file" / "sweep"):
        pass


def test_a_log_that_cannot_be_written_ends_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["train.py"])
    handler = {"class": "logging.FileHandler", "filename": str(tmp_path)}
    with pytest.raises(SystemExit, match=r"^error: the log of the run cannot be written: .* Is a directory"):
        launch(lambda: logging.config.dictConfig({"version": 1, "handlers": {"file": handler}}))


STARTED = (".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log")


def refused(cfg: DictConfig, folder: Path, *written: str) -> bool:
    """Whether the folder of a command, with these files in it, is gone after a refusal."""
    HydraConfig.instance().set_config(cfg)
    for file in written:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")
    with pytest.raises(ConfigError), gone_if_refused():
        raise ConfigError("optimizer.lr is abc")
    assert not (folder / ".lock").exists()
    return not folder.exists()


@pytest.mark.parametrize("overrides", [(), ("++hydra.run.dir=run",)])
def test_a_folder_that_only_hydra_has_written_to_is_gone(
    overrides: tuple[str, ...], started: Started, tmp_path: Path
) -> None:
    cfg = started(*overrides)
    assert refused(cfg, Path(str(OmegaConf.select(cfg, "hydra.run.dir"))), *STARTED)


@pytest.mark.parametrize("other", ["checkpoints/last.ckpt", "notes.txt", ".hydra/mine.yaml"])
def test_a_folder_with_anything_else_stays(other: str, started: Started, tmp_path: Path) -> None:
    assert not refused(started("hydra.run.dir=run"), tmp_path / "run", *STARTED, other)
    assert (tmp_path / "run" / "train.log").exists()


def test_a_folder_that_was_there_before_stays(started: Started, run: Path) -> None:
    (run.parent / "empty").mkdir()
    assert not refused(started("hydra.run.dir=empty"), run.parent / "empty", *STARTED)
    RunFolder().on_run_end(DictConfig({}))
    assert not refused(started("resume=run"), run)


def test_the_folder_of_a_job_stays(started: Started, tmp_path: Path) -> None:
    cfg = started("hydra.sweep.dir=sweep", multirun=True)
    assert not refused(cfg, tmp_path / "sweep" / "0", *STARTED)
