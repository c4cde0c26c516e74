"""A run that came from elsewhere."""

import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from fer_lightning.config.build import build
from tests.scripts import REPOSITORY


@pytest.fixture(scope="session")
def composed_run(few_faces: Path) -> DictConfig:
    """The config of a run of one epoch, Hydra's part included."""
    overrides = ("data=fer2013", "model=deep_emotion", "callbacks=default", "logger=csv", f"data.path={few_faces}")
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        return compose(
            "train", [*overrides, "trainer.max_epochs=1", "trainer.accelerator=cpu"], return_hydra_config=True
        )


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, composed_run: DictConfig) -> Path:
    """The folder of that run: its config, its checkpoints and its curves."""
    folder = tmp_path_factory.mktemp("run")
    cfg = _below_hydra(composed_run, folder)
    (folder / ".hydra").mkdir()
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    built = build(cfg)
    built.trainer.fit(built.model, built.datamodule)
    return folder


@pytest.fixture
def new_run(composed_run: DictConfig, tmp_path: Path) -> DictConfig:
    """The config of a run that is to begin, in tmp_path/run."""
    return _below_hydra(composed_run, tmp_path / "run")


@pytest.fixture
def foreign(run: Path, composed_run: DictConfig, tmp_path: Path) -> Path:
    """A copy of the run, to be made malicious; what takes it up runs below Hydra, as train.py resume=… does."""
    folder = Path(shutil.copytree(run, tmp_path / "foreign"))
    _below_hydra(composed_run, folder)
    return folder


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """A file that there is once something was executed."""
    return tmp_path / "executed"


def _below_hydra(cfg: DictConfig, folder: Path) -> DictConfig:
    """Runs what follows as a command of Hydra that writes into this folder; returns the config without its part."""
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(folder)
        cfg.hydra.overrides.task = []
        HydraConfig.instance().set_config(cfg)
        del cfg["hydra"]
    return cfg
