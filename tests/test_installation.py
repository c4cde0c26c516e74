"""The version is one, and the commit that is recorded is that of this code, never of a repository around it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fer_lightning
from fer_lightning.installation import CHECKOUT, CONF, code_version, command_name, script_name, shell_command
from fer_lightning.report.run_tables import predictions_in
from tests.scripts import REPOSITORY

VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["version"]

CODE = "import fer_lightning.installation as i; print(i.__file__, i.package_version(), i.code_version(), sep='|')"


def git(folder: Path, *arguments: str) -> str:
    own = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    command = ["git", *own, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path) -> Path:
    """Makes a git repository with a commit of what lies in the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "theirs.txt").touch()
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=theirs")
    return folder


def copied(folder: Path, project: bool = True) -> Path:
    """Copies so much of this repository that it knows what it is."""
    (folder / "fer_lightning").mkdir(parents=True)
    for name in ("__init__.py", "installation.py"):
        shutil.copy(REPOSITORY / "fer_lightning" / name, folder / "fer_lightning")
    if project:
        shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return folder


def seen_by(folder: Path, **environment: str) -> tuple[str, str]:
    """Returns the version and the code's version of the package in a folder."""
    command = [sys.executable, "-c", CODE]
    env = {**os.environ, **environment, "PYTHONPATH": str(folder)}
    result = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True)
    file, version, code = result.stdout.strip().split("|")
    assert Path(file) == folder / "fer_lightning" / "installation.py"
    return version, code


def test_a_checkout_has_the_version_of_its_pyproject() -> None:
    assert fer_lightning.__version__ == VERSION
    assert not hasattr(fer_lightning, "version")
    assert CHECKOUT == REPOSITORY
    assert REPOSITORY / "conf" == CONF
    assert f"\n## {VERSION}" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")


def test_importing_the_package_imports_hardly_anything() -> None:
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import fer_lightning; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True).stdout
    assert {"fer_lightning"} == set(loaded.split()) & {
        "fer_lightning", "fer_lightning.installation", "importlib.metadata", "subprocess", "tomllib", "torch", "hydra",
    }  # fmt: skip


def test_a_clone_records_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    clone = repository(copied(tmp_path / "clone"))
    commit = git(clone, "rev-parse", "--short", "HEAD")
    assert seen_by(clone) == (VERSION, commit)
    (clone / "theirs.txt").write_text("changed")
    assert seen_by(clone)[1] == f"{commit}-dirty"
    worktree = tmp_path / "worktree"
    git(clone, "worktree", "add", "--quiet", str(worktree))
    assert seen_by(worktree)[1] == commit


@pytest.mark.parametrize("place", ["vendor/fer_lightning", "."])
@pytest.mark.parametrize("project", [True, False])
def test_a_copy_in_another_repository_has_no_commit(place: str, project: bool, tmp_path: Path) -> None:
    theirs = repository(tmp_path / "theirs")
    if place == ".":
        if project:
            pytest.skip("this is a clone of ours")
        (theirs / "pyproject.toml").write_text('[project]\nname = "theirs"\nversion = "9.9"\n')
    copy = copied(theirs / place, project)
    version = VERSION if project else "unknown"
    assert seen_by(copy) == (version, f"fer_lightning {version}")


def test_a_hook_of_another_repository_lends_no_commit(tmp_path: Path) -> None:
    theirs, unpacked = repository(tmp_path / "theirs"), copied(tmp_path / "unpacked")
    released = f"fer_lightning {VERSION}"
    assert seen_by(unpacked, GIT_DIR=str(theirs / ".git")) == (VERSION, released)
    assert seen_by(unpacked, GIT_DIR=str(theirs / ".git"), GIT_WORK_TREE=str(unpacked)) == (VERSION, released)


def test_without_git_the_version_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version() == f"fer_lightning {VERSION}"


@pytest.mark.parametrize("script", ["train.py", "/x/train.py", "/venv/bin/fer-train", "C/Scripts/fer-train.exe"])
def test_a_command_is_known_however_it_was_started(script: str) -> None:
    assert command_name(script) == "train"


@pytest.mark.parametrize(
    ("started", "name", "command"),
    [("train.py", "train.py", "python train.py"), ("/venv/bin/fer-test", "fer-train", "fer-train")],
)
def test_messages_name_the_command_that_there_is(
    started: str, name: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    assert (script_name("train.py"), shell_command("train.py")) == (name, command)
    (tmp_path / "predictions.csv").write_text("row,split,label\n")
    with pytest.raises(ValueError, match=rf": {script_name('test.py')} writes one"):
        predictions_in(tmp_path / "predictions.csv")
