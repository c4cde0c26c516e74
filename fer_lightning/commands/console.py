"""The commands as a shell starts them: fer-train and fer-test, which are train.py and test.py in a checkout.

Light enough for --help and --cfg: the rest is imported once there is something to do.
"""

import hydra
from omegaconf import DictConfig

from fer_lightning.config.command_line import launch
from fer_lightning.installation import CONF


def train() -> None:
    """Fits a network, then tests its best checkpoint."""
    launch(_train)


def test() -> None:
    """Measures a finished run."""
    launch(_test)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def _train(cfg: DictConfig) -> float:
    from fer_lightning.commands.first_checks import refuse_at_once

    refuse_at_once(cfg)
    from fer_lightning.commands.train import train

    return train(cfg)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="test")
def _test(cfg: DictConfig) -> None:
    from fer_lightning.commands.test import test

    test(cfg)
