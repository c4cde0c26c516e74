"""The commands as a shell starts them: fer-train and fer-test, which are train.py and test.py in a checkout.

Light enough for --help and --cfg: the rest is imported once there is something to do.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import hydra
from omegaconf import DictConfig

from fer_lightning.config.command_line import launch
from fer_lightning.installation import CONF
from fer_lightning.processes import end_quickly


def train() -> NoReturn:
    """Fits a network, then tests its best checkpoint; the program ends with it."""
    launch(_train)
    end_quickly()


def test() -> NoReturn:
    """Measures a finished run; the program ends with it."""
    launch(_test)
    end_quickly()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def _train(cfg: DictConfig) -> float:
    from fer_lightning.commands.first_checks import refuse_at_once

    refuse_at_once(cfg)
    with imports_uncollected():
        from fer_lightning.commands.train import train

    return train(cfg)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="test")
def _test(cfg: DictConfig) -> None:
    with imports_uncollected():
        from fer_lightning.commands.test import test

    test(cfg)


@contextmanager
def imports_uncollected() -> Iterator[None]:
    """Turns garbage collection off during imports, of which it takes a sixth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
