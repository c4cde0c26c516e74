"""What a user sees of a run that is stopped, and of one that cannot go on."""

import ctypes
import os
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import Command
from tests.runs import SHORT, metrics
from tests.scripts import run_until

MANY = (*SHORT, "trainer.max_epochs=4", "data.batch_size=8", "callbacks.pictures=null")

REFUSED = (("resume=run",), ("hydra.run.dir=run",), (*MANY, "++hydra.run.dir=run", "debug=look"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, few_faces: Path, run_in: Command) -> tuple[Path, int, str]:
    """A folder with the run "run" that Ctrl-C stopped, the exit status and what was printed.

    While it was trained, other commands wanted its folder.
    """
    folder = tmp_path_factory.mktemp("stopped")

    def disturb_and_stop(process: int) -> None:
        os.kill(process, signal.SIGSTOP)  # so that it is not done before
        for arguments in REFUSED:
            result = run_in(folder, "train.py", *arguments)
            with (folder / "refused.txt").open("a") as file:
                file.write(f"{result.returncode} {result.stdout}{result.stderr}")
        os.kill(process, signal.SIGINT)
        os.kill(process, signal.SIGCONT)

    status, printed = run_until(
        "epoch   2/4",
        disturb_and_stop,
        folder,
        *MANY,
        f"data.path={few_faces}",
        "hydra.run.dir=run",
        before=heeding_ctrl_c,
    )
    return folder, status, printed


def test_other_commands_touch_nothing_of_a_run_that_is_trained(stopped: tuple[Path, int, str]) -> None:
    folder = stopped[0]
    first, *others = (folder / "refused.txt").read_text().splitlines()
    assert first.startswith("1 error: resume=run: another process is at work in that folder.")
    assert len(others) == 2
    assert all(line.startswith("1 error: hydra.run.dir=run: that folder holds a run already.") for line in others)
    assert sorted(path.name for path in folder.iterdir()) == ["refused.txt", "run"]
    assert "debug" not in (folder / "run/.hydra/overrides.yaml").read_text()
    assert (folder / "run/train.log").read_text().count("faces in each split") == 1


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(stopped: tuple[Path, int, str]) -> None:
    folder, status, printed = stopped
    assert status == 130, printed
    assert "stopped by SIGINT. To go on: python train.py resume=run" in printed
    assert "Traceback" not in printed
    assert (folder / "run/checkpoints/last.ckpt").exists()


def test_resumed_run_ends_as_one_that_was_never_stopped(
    stopped: tuple[Path, int, str], run_in: Command, few_faces: Path
) -> None:
    folder = stopped[0]
    config = (folder / "run/.hydra/config.yaml").read_bytes()
    result = run_in(folder, "train.py", "resume=run")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "going on from run/checkpoints/last.ckpt: epoch 2" in result.stdout
    assert (folder / "run/.hydra/config.yaml").read_bytes() == config
    whole = run_in(folder, "train.py", *MANY, f"data.path={few_faces}", "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    for name in ("best", "last"):
        one, other = (
            torch.load(folder / run / f"checkpoints/{name}.ckpt", weights_only=True)["state_dict"]
            for run in ("run", "whole")
        )
        assert all(torch.equal(one[key], other[key]) for key in other), name
    resumed, uninterrupted = metrics(folder / "run"), metrics(folder / "whole")
    assert resumed.pop("minutes") > 0 < uninterrupted.pop("minutes")
    assert resumed == uninterrupted  # the command that repeats it too
    assert val_losses(folder / "run") == val_losses(folder / "whole")
    again = run_in(folder, "train.py", "resume=run")
    assert again.returncode == 1
    assert again.stderr.startswith("error: resume=run: that run is finished, after 4 epochs.")


def test_full_disk_is_reported_and_leaves_the_checkpoint(few_faces: Path, run_in: Command, tmp_path: Path) -> None:
    pytest.importorskip("resource")  # which Windows does not have
    options = (*SHORT, f"data.path={few_faces}", "hydra.run.dir=run", "callbacks.pictures=null")
    result = run_in(tmp_path, "train.py", *options, before=_where_files_stay_small)
    assert result.returncode == 1
    assert result.stderr == (
        "error: cannot go on writing to run: File too large. "
        "To go on from the last checkpoint: python train.py resume=run\n"
    )
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 0
    assert not list(tmp_path.glob("run/checkpoints/.*"))


def test_read_only_folder_is_reported_and_leaves_the_checkpoint(few_faces: Path, tmp_path: Path) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    kept = []

    def close(process: int) -> None:
        checkpoints.chmod(0o500)
        kept.append((checkpoints / "last.ckpt").read_bytes())

    options = (*MANY, f"data.path={few_faces}", "hydra.run.dir=run")
    status, printed = run_until("epoch   2/4", close, tmp_path, *options, before=_as_others_are)
    checkpoints.chmod(0o700)
    assert status == 1
    assert printed.endswith(
        "\nerror: cannot go on writing to run: Permission denied (run/checkpoints). "
        "To go on from the last checkpoint: python train.py resume=run\n"
    )
    assert "Traceback" not in printed
    assert [(checkpoints / "last.ckpt").read_bytes()] == kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resume=nowhere",), "resume=nowhere is not the folder of a run: it has no .hydra/config.yaml"),
        (("++hydra.run.dir='taken'",), "or go on with that run by python train.py resume=taken"),
        (("hydra.run.dir=file/run",), "the run's folder cannot be made: [Errno 20] Not a directory: 'file/run'"),
    ],
)
def test_folders_that_cannot_be_used_are_refused(
    arguments: tuple[str, ...], said: str, run_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "taken/checkpoints").mkdir(parents=True)
    (tmp_path / "taken/checkpoints/best.ckpt").touch()
    (tmp_path / "file").touch()
    result = run_command("train.py", *arguments)
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(os.listdir(tmp_path)) == ["file", "taken"]


def heeding_ctrl_c() -> None:
    """Tests may be run with nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _where_files_stay_small() -> None:
    """Limits the size of files: a network of that size with the state of its optimizer does not fit in."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


def _as_others_are() -> None:
    """Takes from root, as which tests may be run, what lets it write where nobody may."""
    header, no_capabilities = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, no_capabilities) == 0


def val_losses(run: Path) -> list[tuple[int, float]]:
    """The curve that TensorBoard shows."""
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    return [(event.step, event.value) for event in board.Scalars("val/loss")]
