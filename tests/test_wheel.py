"""The wheel, installed into a virtual environment in somebody else's repository, does there what a checkout does."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from tests.config.test_own_parts import files_of_contributing
from tests.runs import SHORT, metrics, run_of, table_of
from tests.scripts import REPOSITORY
from tests.test_installation import VERSION, repository

BIN = "Scripts" if os.name == "nt" else "bin"

STRAY = ("random.py", "torch.py", "wandb.py")
"""Files that nobody means: each ends the process that imports it."""


class Home(NamedTuple):
    """Somebody's repository, with the wheel in its virtual environment, and the commands of docs/extend.md."""

    folder: Path
    commands: list[str]

    @property
    def installed(self) -> set[str]:
        files = (self.folder / ".venv").rglob("*")
        return {str(file) for file in files if "__pycache__" not in file.parts}

    def run(self, line: str, *overrides: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
        """Runs a command as it is typed, with variables before it."""
        words = [*shlex.split(line), *overrides]
        typed = dict(word.split("=", 1) for word in words if re.match("[A-Z_]+=", word))
        program, *rest = words[len(typed) :]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | typed
        environment["FER_LIGHTNING_CACHE"] = str(self.folder.parent / "cache of theirs")
        return subprocess.run(
            [str(self.folder / ".venv" / BIN / program), *rest],
            cwd=self.folder / cwd, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


def built(source: Path, target: str, folder: Path) -> Path:
    """Builds a wheel or an sdist, as pip, build and uv do."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(REPOSITORY, "wheel", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The environment sees the packages of this one, but has fer_lightning from the wheel alone."""
    folder = tmp_path_factory.mktemp("theirs")
    files_of_contributing(folder)
    for name in STRAY:
        (folder / name).write_text(f"raise SystemExit('{name} was imported')")
    (folder / ".gitignore").write_text(".venv\noutputs\n")
    repository(folder)
    venv.create(folder / ".venv")
    python = folder / ".venv" / BIN / "python"
    show = [str(python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()
    (Path(packages) / "stack.pth").write_text(sysconfig.get_path("purelib"))
    pip = [str(python), "-I", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    text = (REPOSITORY / "docs" / "extend.md").read_text("utf-8")
    return Home(folder, re.findall(r"^    (FER_LIGHTNING_TRUST=\S+ fer-.*)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def trained(home: Home, few_faces: Path) -> subprocess.CompletedProcess[str]:
    """The first command of docs/extend.md, for an epoch."""
    return home.run(home.commands[0], *SHORT[1:], "trainer.max_epochs=1", f"data.path={few_faces}")


def test_an_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    for folder in ("sdist", "source", "wheel"):
        (tmp_path / folder).mkdir()
    with tarfile.open(built(REPOSITORY, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    again = built(source, "wheel", tmp_path / "wheel")
    assert again.name == wheel.name == f"fer_lightning-{VERSION}-py3-none-any.whl"
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_has_each_config_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    conf = {f"fer_lightning/{file.relative_to(REPOSITORY)}" for file in (REPOSITORY / "conf").rglob("*.yaml")}
    assert {name for name in names if name.startswith("fer_lightning/conf/")} == conf
    assert {name.partition("/")[0] for name in names} == {"fer_lightning", f"fer_lightning-{VERSION}.dist-info"}


def test_the_wheel_has_the_detector_and_its_licence(wheel: Path) -> None:
    files = zipfile.ZipFile(wheel)
    for name in ("face_detection_yunet_2023mar.onnx", "LICENSE"):
        content = (REPOSITORY / "fer_lightning" / "use" / "yunet" / name).read_bytes()
        assert files.read(f"fer_lightning/use/yunet/{name}") == content
    assert f"fer_lightning-{VERSION}.dist-info/licenses/fer_lightning/use/yunet/LICENSE" in files.namelist()


@pytest.mark.nightly
def test_the_environment_has_the_wheel_and_not_the_checkout(home: Home) -> None:
    code = "import fer_lightning as f; print(f.__file__, f.__version__)"
    file, version = home.run(f'python -I -c "{code}"').stdout.split()
    assert Path(file).is_relative_to(home.folder / ".venv")
    assert version == VERSION
    assert str(Path(file).parent / "conf") in home.run("fer-train --info searchpath").stdout.replace("file://", "")


@pytest.mark.nightly
def test_help_and_mistakes_name_the_installed_commands(home: Home) -> None:
    shown = home.run("fer-train --help").stdout
    assert "\n  fer-train resume=outputs/train/…" in shown
    assert "\n  fer-test run_dir=outputs/train/…" in shown
    assert "python" not in shown.replace(str(home.folder), "").replace("python3", "")
    assert "fer-train --help lists it" in home.run("fer-train --epochs 3").stderr
    assert "It is a key of loss=distillation" in home.run("fer-train loss.teacher=x").stderr
    assert "\n  fer-predict photo.jpg" in home.run("fer-predict --help").stdout
    assert home.run("fer-serve --help").stdout.startswith("usage: fer-serve [-h]")


@pytest.mark.nightly
def test_a_module_that_is_nowhere_is_refused_with_what_to_do(home: Home, tmp_path: Path) -> None:
    line = f"FER_LIGHTNING_TRUST=mynots fer-train --config-dir {home.folder / 'myconf'} model=tiny"
    refused = home.run(line, cwd=str(tmp_path))
    assert refused.returncode == 1
    assert "No module named 'mynots'. Give the command in the folder that has it, or install it" in refused.stderr
    assert not (tmp_path / "outputs" / "train").exists() or not any((tmp_path / "outputs" / "train").iterdir())


@pytest.mark.nightly
def test_a_network_of_ones_own_trains_is_tested_and_resumed(
    home: Home, trained: subprocess.CompletedProcess[str]
) -> None:
    before = home.installed
    run = run_of(trained, home.folder)
    named = run.relative_to(home.folder).as_posix()
    first, test, resume = (line.replace("outputs/train/…", named) for line in home.commands)
    assert f"\ntest again   {test}\n" in trained.stdout
    tested = home.run(test)
    assert tested.returncode == 0, tested.stderr
    assert table_of(tested.stdout) == table_of(trained.stdout)
    resumed = home.run(resume, "trainer.max_epochs=2")
    assert resumed.returncode == 0, resumed.stderr
    assert metrics(run)["epochs"] == 2
    recorded = str(metrics(run)["command"]).split()
    assert recorded[:3] == [first.split()[1], "--config-dir=myconf", "model=tiny"]
    assert {file.name for file in home.folder.iterdir()} - {"__pycache__"} == {
        ".git", ".gitignore", ".venv", "myconf", "mynets.py", "outputs", "theirs.txt", *STRAY,
    }  # fmt: skip
    assert home.installed == before


@pytest.mark.nightly
def test_the_commit_of_the_repository_around_it_is_not_recorded(
    home: Home, trained: subprocess.CompletedProcess[str]
) -> None:
    assert metrics(run_of(trained, home.folder))["commit"] == f"fer_lightning {VERSION}"


@pytest.mark.nightly
def test_two_runs_of_a_sweep_make_one_table_elsewhere(home: Home, few_faces: Path, tmp_path: Path) -> None:
    options = f"--config-dir={home.folder / 'myconf'}"
    line = f"FER_LIGHTNING_TRUST=mynets fer-train -m {options} model=tiny seed=0,1"
    swept = home.run(line, *SHORT[1:], "trainer.max_epochs=1", f"data.path={few_faces}", cwd=str(tmp_path))
    assert swept.returncode == 0, swept.stderr
    assert f"goes on with\n  FER_LIGHTNING_TRUST=mynets fer-train {options} -m model=tiny" in swept.stdout
    (sweep,) = (tmp_path / "outputs" / "sweep").iterdir()
    table = pd.read_csv(sweep / "sweep.csv")
    assert sorted(table["seed"]) == [0, 1]
    assert list(table["state"]) == ["done", "done"]
    job = (sweep / "0").relative_to(tmp_path)
    assert f"test again   FER_LIGHTNING_TRUST=mynets fer-test {options} run_dir={job}\n" in swept.stdout
