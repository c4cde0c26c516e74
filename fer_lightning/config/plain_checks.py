"""Checks of a config that need neither torch nor Lightning, so that they can come before these are imported."""

import math
import os
from collections.abc import Iterator
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from pydantic import Field

from fer_lightning.config.data_paths import is_absent, named_paths, refuse_repeated
from fer_lightning.errors import ConfigError
from fer_lightning.signature import Fraction, NonNegative, Positive, value_error

WHAT_IS_MISSING = {
    "data.path": ", a file or a folder of faces, see docs/data.md; data=demo needs no files",
    "loss.teacher": ", the folder of a finished run of a larger network (as experiment=quick_65 trains one), or do "
    "without by loss=cross_entropy",
}
"""Descriptions of keys that must be given."""

_COUNT = Annotated[int, Field(ge=0)]
_COUNT_FROM_1 = Annotated[int, Field(ge=1)]
_SHARE = Annotated[float, Field(ge=0, le=1)]

RANGES: dict[str, dict[str, Any]] = {
    "optimizer": {
        **dict.fromkeys(("lr", "weight_decay", "momentum", "dampening", "eps", "alpha"), NonNegative),
        "betas": tuple[Fraction, Fraction],
    },
    "scheduler": {
        **dict.fromkeys(("gamma", "eta_min", "min_lr", "threshold"), NonNegative),
        **dict.fromkeys(("div_factor", "final_div_factor"), Positive),
        **dict.fromkeys(("factor", "pct_start"), _SHARE),
        **dict.fromkeys(("step_size", "T_max"), _COUNT_FROM_1),
        **dict.fromkeys(("patience", "cooldown"), _COUNT),
    },
}
"""Ranges of arguments that torch checks in part, and without naming the key; ours declare theirs themselves."""

TORCH_OR_OURS = ("torch.optim.", "fer_lightning.training.")
"""Beginnings of targets whose arguments have these meanings."""


def refuse_missing(cfg: DictConfig) -> None:
    """Refuses a config in which a key has no value yet.

    Raises:
        ConfigError: names the first such key, and what to give.
    """
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        raise ConfigError(f"{missing[0]} is missing: give {missing[0]}=…{WHAT_IS_MISSING.get(missing[0], '')}")


def refuse_bad_numbers(cfg: DictConfig) -> None:
    """Refuses what is not a number, and numbers that torch's optimizers and schedulers cannot be used with.

    Raises:
        ConfigError: names the first such key, what it is and what it should be.
    """
    values = _plain(cfg)
    for key, value in _leaves("", values):
        if isinstance(value, float) and math.isnan(value):
            raise ConfigError(f"{key} is nan: it should be a number")
    for group, hints in RANGES.items():
        node = values.get(group)
        if not isinstance(node, dict) or not str(node.get("_target_")).startswith(TORCH_OR_OURS):
            continue
        for name, value in node.items():
            if name not in hints:
                continue
            of_several = isinstance(value, list) != (name == "betas")  # a rate for each group, as min_lr may be
            if value is None or of_several or "${" in str(value):
                continue
            if problem := value_error(name, hints[name], value):
                raise ConfigError(f"{group}.{problem}")


def refuse_absent_data(cfg: DictConfig) -> None:
    """Refuses a data.path where nothing is, an empty one, and no data.path where FER2013 is not found.

    Raises:
        ConfigError: says where there is nothing, and what to do; of several sets, which is not there or is named twice.
    """
    data = _plain(cfg).get("data")
    if not isinstance(data, dict):
        return
    given = data.get("path")
    if given == "":
        raise ConfigError(f"data.path is missing: give data.path=…{WHAT_IS_MISSING['data.path']}")
    if given == []:
        raise ConfigError("data.path is an empty list: name at least one file or folder of faces, see docs/data.md")
    paths = named_paths(given)
    for key, path in paths.items():
        if is_absent(path):
            raise ConfigError(
                f"{key} is {path}: there is no such file or folder. docs/data.md says what can be read; "
                f"data=demo needs no files"
            )
    refuse_repeated(paths)
    if given is None:
        variable = os.environ.get("FER2013")
        if is_absent(variable or "data"):
            where = f"$FER2013, {variable}" if variable else "data/ (and $FER2013 is not set)"
            raise ConfigError(
                f"No FER2013 in {where}: there is no such file or folder. Say where it is with data.path=…, a file as "
                f"fer2013.csv or a folder, also of images; data=demo needs no files"
            )


def _plain(cfg: DictConfig) -> dict[Any, Any]:
    """Returns the values as they are written: nothing is looked up, since nobody has checked the config yet."""
    values = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(values, dict)
    return values


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields the full key of each plain value in a config."""
    if isinstance(value, dict | list):
        for inner, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(f"{key}.{inner}".lstrip("."), one)
    else:
        yield key, value
