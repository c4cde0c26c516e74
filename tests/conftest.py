import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from tests import scripts
from tests.scripts import REPOSITORY

if TYPE_CHECKING:
    import lightning as L

os.environ["OMP_NUM_THREADS"] = "1"
"""Also of the commands that tests run: sums depend in their last bits on it, and the tests take turns on all cores."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of what a shell has started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

Compose = Callable[..., DictConfig]
Command = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests start train.py come first: they take longest, and no worker should get one as the last."""
    starting = {
        item.path
        for item in items
        if {"run_in", "short_run"} & {*getattr(item, "fixturenames", ())}
        or hasattr(getattr(item, "module", None), "run_in")
    }
    items.sort(key=lambda item: item.path not in starting)


@pytest.fixture(autouse=True)
def own_cache_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the cache of the person who runs it."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(folder))
    monkeypatch.delenv("FER2013", raising=False)
    return folder


@pytest.fixture(autouse=True)
def first_process() -> Iterator[None]:
    """A trainer that was told to be another process leaves that behind: its loggers would write nothing any more."""
    yield
    if "lightning_utilities.core.rank_zero" in sys.modules:
        sys.modules["lightning_utilities.core.rank_zero"].rank_zero_only.rank = 0


@pytest.fixture(scope="session")
def few_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fer2013.csv of 240 drawn faces, and beside it fer2013new.csv: FER+ votes, all for what was drawn."""
    from fer_lightning.data.drawings.demo import drawn, labels_and_parts
    from tests.data.faces_files import votes_csv

    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_LIGHTNING_CACHE", str(folder))
        path = drawn(faces=240, seed=1)
    places = (4, 5, 6, 1, 3, 2, 0)  # of angry, disgust, … among FER+'s emotions
    votes = [
        (part, "face.png", " ".join("10" if place == places[label] else "0" for place in range(10)))
        for label, part in labels_and_parts(240, 1)
    ]
    (path.parent / "fer2013new.csv").write_bytes(votes_csv(votes))
    return path


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Compose]:
    """Composes a config as train.py does, with its run folder in tmp_path."""
    import fer_lightning.config.command_line  # noqa: F401 (it brings the resolvers of conf/)

    def make(*overrides: str) -> DictConfig:
        cfg = compose("train", list(overrides), return_hydra_config=True)
        with open_dict(cfg):
            cfg.hydra.runtime.output_dir = str(tmp_path / "run")
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        return cfg

    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        yield make
    GlobalHydra.instance().clear()


@pytest.fixture(scope="session")
def run_in() -> Command:
    """Runs train.py or test.py in a folder, as a user would."""
    return scripts.run_in


@pytest.fixture
def run_command(tmp_path: Path, run_in: Command) -> Command:
    """The same in tmp_path."""
    return partial(run_in, tmp_path)


def trainer(folder: Path, **options: Any) -> "L.Trainer":
    """One that writes nothing and says nothing, for tests of a few steps."""
    import lightning as L

    return L.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, "enable_progress_bar": False, **options},
    )
