"""train.py's own parts, as `python train.py` composes them."""

import time
from pathlib import Path
from types import SimpleNamespace

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from fer_lightning.config.build import Experiment, build
from fer_lightning.data import FERDataModule

CONF = Path(__file__).parent.parent / "conf"


def experiment(run_dir: Path, *overrides: str) -> Experiment:
    """What `python train.py` would run with these overrides."""
    return build(composed("train", run_dir, *overrides))


def composed(name: str, run_dir: Path, *overrides: str) -> DictConfig:
    """The config of `python {name}.py` with these overrides, for a run in run_dir."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(name, list(overrides), return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(run_dir)
    HydraConfig.instance().set_config(cfg)
    plain: DictConfig = cfg.copy()
    with open_dict(plain):
        del plain["hydra"]
    return plain


def seconds_of_batches(data: FERDataModule, count: int) -> float:
    """To make so many augmented training batches, as a trainer gets them."""
    progress = SimpleNamespace(current=SimpleNamespace(ready=0))
    loop = SimpleNamespace(restarting=False, epoch_loop=SimpleNamespace(batch_progress=progress))
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        training=True, current_epoch=0, global_rank=0, world_size=1, fit_loop=loop
    )
    batches = iter(data.train_dataloader())
    started = time.perf_counter()
    for number in range(count):
        progress.current.ready = number
        data.on_after_batch_transfer(next(batches), 0)
    return time.perf_counter() - started
