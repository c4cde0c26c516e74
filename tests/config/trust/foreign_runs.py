"""What tests of foreign runs share: ways to take up a run from elsewhere, and to make it malicious."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from fer_lightning.commands.resume import StoppedRun
from fer_lightning.config.build import build, rebuild
from fer_lightning.config.run_config import run_config
from tests.scripts import REPOSITORY


class Malicious:
    """Whoever unpickles it makes a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.witness,)


def changes() -> DictConfig:
    """What test.py changes in a run's config, where nothing is typed."""
    cfg = OmegaConf.load(REPOSITORY / "conf" / "test.yaml")
    assert isinstance(cfg, DictConfig)
    return cfg


def rebuilt(folder: Path) -> None:
    """As test.py does, up to the point where it would measure."""
    rebuild(run_config(folder), changes(), folder / "checkpoints" / "best.ckpt")


def resumed(folder: Path) -> StoppedRun:
    """As train.py resume=… does, up to the point where it would read the data."""
    return StoppedRun.of(OmegaConf.create({"resume": str(folder)}), ["resume=x"])


def went_on(folder: Path, epochs: int) -> None:
    """As train.py resume=… does, up to this epoch."""
    cfg = OmegaConf.create({"resume": str(folder), "trainer": {"max_epochs": epochs}})
    stopped = StoppedRun.of(cfg, ["resume=x", "trainer.max_epochs=y"])
    experiment = build(stopped.config)
    stopped.take_up(experiment)
    stopped.go_on(experiment)


def rewritten(checkpoint: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes what is in a checkpoint."""
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, checkpoint)


def with_config(folder: Path, **values: object) -> None:
    """Changes values of a run's config; __ in a name stands for a dot."""
    file = folder / ".hydra" / "config.yaml"
    cfg = OmegaConf.load(file)
    for key, value in values.items():
        OmegaConf.update(cfg, key.replace("__", "."), value, merge=False, force_add=True)
    OmegaConf.save(cfg, file)


def content_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
