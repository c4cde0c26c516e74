"""What tests of trained networks at work share: small runs, and networks that need no training."""

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from fer_lightning.use.card import Card
from tests.runs import run_of
from tests.scripts import run_in
from tests.use.brightness_network import write_network
from tests.use.predicting import PHOTOGRAPH, Predict, words

SHORT_RUN = (
    "data=fer2013",
    "data.batch_size=64",
    "model=resnet18",
    "model.width=8",
    "trainer.max_epochs=8",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "callbacks.pictures=null",
    "optimizer.lr=0.02",
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session have."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def short_run(few_faces: Path, shared: Path) -> Path:
    """The folder of a run on 240 drawn faces, of a network that sees 64×64. No test changes it."""
    with FileLock(shared / "short_run.lock"):
        if not (shared / "short_run").exists():
            (shared / "short run").mkdir(exist_ok=True)
            options = (f"data.path={few_faces}", "data.image_size=64", *SHORT_RUN)
            run = run_of(run_in(shared / "short run", "train.py", *options), shared / "short run")
            (shared / "short_run").write_text(str(run))
    return Path((shared / "short_run").read_text())


@pytest.fixture(scope="session")
def exported(short_run: Path, shared: Path) -> Path:
    """The ONNX file of that run. No test changes it."""
    from fer_lightning.use.exporting import export

    with FileLock(shared / "exported.lock"):
        if not (shared / "short.onnx").exists():
            export(short_run, out=shared / "short.onnx")
    return shared / "short.onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a network, n.onnx, and a photograph, photo.jpg."""
    write_network(tmp_path / "n.onnx")
    (tmp_path / "photo.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    return tmp_path


@pytest.fixture
def predict(folder: Path) -> Predict:
    """Runs predict.py there: with options of subprocess.run afresh, otherwise forked, which starts at once."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        if not options:
            return run_in(folder, "predict.py", *words(*arguments)[2:], drawn=True)
        command = words(*arguments)
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False, **options)

    return run


class Darkness:
    """A network that says how dark a face's middle is, and remembers what it was given."""

    def __init__(self, size: int = 48, channels: int = 1, unsure_below: float = 0.0) -> None:
        self.card = Card("darkness", ("light", "dark"), size, 3 if channels == 3 else 1, unsure_below=unsure_below)
        self.given: list[NDArray[np.uint8]] = []

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.given.append(faces)
        middle = self.card.size // 2
        light = faces[:, 0, middle, middle].astype(np.float32) / 255
        return np.stack([light, 1 - light], 1)
