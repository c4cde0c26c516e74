"""The folder of a command that was refused: it goes again, so that such folders do not pile up."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from fer_lightning.command_line import ConfigError


@contextmanager
def gone_if_refused(cfg: DictConfig) -> Iterator[None]:
    """The block comes before any training. If it ends in a ConfigError, the run's folder is removed.

    But only if this command has made it, under a name of its own (no sweep, no resume, no hydra.run.dir), and it holds
    nothing but what Hydra writes at the start: the config and the log.
    """
    try:
        yield
    except ConfigError:
        hydra = HydraConfig.get()
        named = any(override.startswith("hydra.run.dir=") for override in hydra.overrides.hydra)
        if hydra.mode is RunMode.RUN and not named and not cfg.get("resume"):
            _remove_if_unused(Path(hydra.runtime.output_dir), Path(hydra.output_subdir or ""), f"{hydra.job.name}.log")
        raise


def _remove_if_unused(folder: Path, config: Path, log: str) -> None:
    written = {config / name for name in ("config.yaml", "hydra.yaml", "overrides.yaml")} | {Path(log)}
    found = {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}
    if not found <= written:
        return
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, logging.FileHandler)]:
        handler.close()  # Windows removes no file that is open
        root.removeHandler(handler)
    shutil.rmtree(folder)
