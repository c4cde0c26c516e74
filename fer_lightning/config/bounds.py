"""What a config may ask for at most: more than any training needs, and less than fills a machine.

A few characters in the config of a run from elsewhere could otherwise draw faces until the disk is full. A new run has
the same bounds, so that it can be tested and resumed.
"""

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_lightning.data.drawings.demo import MOST_FACES
from fer_lightning.errors import ConfigError

MOST = {
    "data.path.faces": MOST_FACES,  # drawn ones: 1.8 GB, six times as many as FER2013 has
    "data.batch_size": 1 << 18,
    "data.image_size": 2048,
    "data.progressive_sizes": 2048,
    "data.folds": 1000,
    "trainer.devices": 1024,  # of the CPU they are as many processes
}
"""Of whole numbers, and of those in a list."""

MOST_IN_LIST = 1024
"""Values in one of these lists."""

MOST_PIXELS_OF_BATCH = 1 << 30
"""Of the images of one batch: 4 GiB, and a network needs many times that for what it makes of them."""


def refuse_too_much(cfg: DictConfig) -> None:
    """Refuses a config that asks for more than MOST says.

    Raises:
        ConfigError: names the first key that does.
    """
    for key, most in MOST.items():
        found = OmegaConf.select(cfg, key)
        numbers = list(found) if OmegaConf.is_list(found) else [found]
        if len(numbers) > MOST_IN_LIST:
            raise ConfigError(f"{key} has {len(numbers):,} values; it may have {MOST_IN_LIST:,}")
        for number in map(_whole, numbers):
            if number is not None and number > most:
                raise ConfigError(f"{key} is {number}; it may be {most} at most")
    sizes = [_whole(size) or 0 for size in (cfg.data.get("image_size"), *(cfg.data.get("progressive_sizes") or []))]
    batch, size = _whole(cfg.data.get("batch_size")) or 0, max(sizes)
    if batch * size**2 > MOST_PIXELS_OF_BATCH:
        raise ConfigError(
            f"data.batch_size is {batch} and data.image_size {size}: the images of one batch would have more than "
            f"{MOST_PIXELS_OF_BATCH:,} pixels. Give a smaller batch"
        )


def _whole(value: Any) -> int | None:
    """Returns a whole number, also one in a text, as Lightning takes it for trainer.devices; None for all else."""
    return int(value) if type(value) is int or (isinstance(value, str) and re.fullmatch("[0-9]{1,20}", value)) else None
