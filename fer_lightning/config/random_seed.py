"""seed=null: a seed that is drawn for a run, logged, and recorded with it."""

import secrets
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.processes import processes_started

SEED_FILE = "seed.txt"
"""In the folder of a run whose seed was drawn; its config.yaml has it too, which Hydra rewrites if a sweep goes on."""


def with_seed(cfg: DictConfig, run_dir: Path) -> DictConfig:
    """Returns cfg; where its seed is null, with the one that the run in run_dir has, or with a new one.

    Raises:
        ConfigError: several processes were started, each of which would draw another.
    """
    if cfg.seed is not None:
        return cfg
    seed = recorded_seed(run_dir)
    if seed is not None:
        record_seed(seed, run_dir)
    elif max(processes_started(), devices := _devices(cfg)) > 1:
        raise ConfigError(
            f"seed is null, and each of {max(processes_started(), devices)} processes would draw another: give one, as "
            f"in seed=1"
        )
    else:
        seed = secrets.randbelow(2**32)
    cfg = cfg.copy()
    cfg.seed = seed
    return cfg


def recorded_seed(run_dir: Path) -> int | None:
    """Returns the seed that was drawn for a run; None if none was.

    Raises:
        ConfigError: the file that has it is damaged.
    """
    file = run_dir / SEED_FILE
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", errors="replace") as stream:
        text = stream.read(20).strip()
    if not (text.isascii() and text.isdigit() and int(text) < 2**32):
        raise ConfigError(f"{file} is damaged: expected is a seed below 2**32. Write that, or delete it")
    return int(text)


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


def _devices(cfg: DictConfig) -> int:
    """Returns how many processes a config asks for; those that "auto" stands for are seen only by the trainer."""
    devices, nodes = cfg.trainer.get("devices", 1), cfg.trainer.get("num_nodes", 1)
    if isinstance(devices, ListConfig):
        devices = len(devices)
    several = str(devices).isdecimal() and isinstance(nodes, int)
    return int(devices) * nodes if several else 2 if devices == "auto" else 1
