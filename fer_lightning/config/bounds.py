"""Limits of a config: more than any training needs, and less than fills a machine.

A few characters in the config of a run from elsewhere could otherwise draw faces until the disk is full. A new run has
the same bounds, so that it can be tested and resumed.
"""

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_lightning.errors import ConfigError

MOST_DEVICES = 1024
"""On the CPU, each device is a process."""

MOST_IN_LIST = 1024
"""Values in one of these lists."""

MOST_PIXELS_OF_BATCH = 1 << 30
"""Pixels in the images of one batch: 4 GiB, and a network needs many times that for its activations."""


def refuse_too_much(cfg: DictConfig) -> None:
    """Refuses what no range of a single parameter does; those are declared with the parameters.

    Raises:
        ConfigError: names the first key that asks for too much.
    """
    for key in ("data.path", "data.progressive_sizes", "trainer.devices"):
        found = OmegaConf.select(cfg, key)
        if OmegaConf.is_list(found) and len(found) > MOST_IN_LIST:
            raise ConfigError(f"{key} has {len(found):,} values; it may have {MOST_IN_LIST:,}")
    devices = OmegaConf.select(cfg, "trainer.devices")
    for number in map(_whole, devices if OmegaConf.is_list(devices) else [devices]):
        if number is not None and number > MOST_DEVICES:
            raise ConfigError(f"trainer.devices is {number}; it may be {MOST_DEVICES} at most")
    sizes = [(_whole(cfg.data.get(key)) or 0, key) for key in ("image_size", "size")]
    sizes += [(_whole(size) or 0, "progressive_sizes") for size in cfg.data.get("progressive_sizes") or []]
    batch, (size, key) = _whole(cfg.data.get("batch_size")) or 0, max(sizes)
    if batch * size**2 > MOST_PIXELS_OF_BATCH:
        raise ConfigError(
            f"data.batch_size is {batch} and data.{key} {size}: the images of one batch would have more than "
            f"{MOST_PIXELS_OF_BATCH:,} pixels. Give a smaller batch"
        )


def _whole(value: Any) -> int | None:
    """Returns a whole number, also one in a text, as Lightning takes it for trainer.devices; None otherwise."""
    return int(value) if type(value) is int or (isinstance(value, str) and re.fullmatch("[0-9]{1,20}", value)) else None
