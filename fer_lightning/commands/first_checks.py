"""Answers the commonest mistakes at once: torch and Lightning, whose import takes seconds, are imported after it."""

import logging
import sys

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from fer_lightning.commands.run_folder import gone_if_refused
from fer_lightning.config.command_line import give_up
from fer_lightning.config.plain_checks import refuse_absent_data, refuse_bad_numbers, refuse_missing
from fer_lightning.errors import ConfigError
from fer_lightning.use.export_packages import refuse_without_packages

log = logging.getLogger(__name__)


def refuse_at_once(cfg: DictConfig) -> None:
    """Ends train.py if what it was given can be seen to be wrong; otherwise logs what it waits for first.

    Not the jobs of a sweep, whose failures are recorded one by one, and not what goes on by a config of its own.
    """
    if cfg.resume is None and HydraConfig.get().mode is not RunMode.MULTIRUN:
        try:
            with gone_if_refused():
                refuse_missing(cfg)
                refuse_bad_numbers(cfg)
                refuse_absent_data(cfg)
                if cfg.get("export"):
                    refuse_without_packages()
        except ConfigError as error:
            give_up(error)
    if "torch" not in sys.modules:
        log.info("loading PyTorch …")
