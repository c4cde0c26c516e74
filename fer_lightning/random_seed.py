"""seed=null: a seed that is drawn for a run, logged, and recorded with it."""

import logging
import secrets
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.processes import processes_started

log = logging.getLogger(__name__)

SEED_FILE = "seed.txt"
"""In the folder of a run whose seed was drawn; its config.yaml has it too, which Hydra rewrites if a sweep goes on."""


def with_seed(cfg: DictConfig, run_dir: Path) -> DictConfig:
    """Returns cfg; where its seed is null, with the one that the run in run_dir has, or with a new one.

    Raises:
        ConfigError: several processes were started, each of which would draw another.
    """
    if cfg.seed is not None:
        return cfg
    if (started := processes_started()) > 1:
        raise ConfigError(f"seed is null, and each of {started} processes would draw another: give one, as in seed=1")
    recorded = run_dir / SEED_FILE
    seed = int(recorded.read_text("utf-8")) if recorded.is_file() else secrets.randbelow(2**32)
    log.info("seed=null: the seed of this run is %d", seed)
    cfg = cfg.copy()
    cfg.seed = seed
    if recorded.is_file():
        record_seed(seed, run_dir)
    return cfg


def record_seed(seed: int, run_dir: Path) -> None:
    """Writes a drawn seed into the run's folder and its config.yaml."""
    with written_whole(run_dir / SEED_FILE) as unfinished:
        unfinished.write_text(f"{seed}\n", "utf-8")
    file = run_dir / ".hydra" / "config.yaml"
    if file.is_file():
        config = OmegaConf.load(file)
        config.seed = seed
        with written_whole(file) as unfinished:
            OmegaConf.save(config, unfinished)
