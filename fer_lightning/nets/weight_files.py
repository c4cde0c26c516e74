"""State dicts in files, as torchvision of any age, other programs and training scripts write them."""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torchvision.models
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import get_model_weights, list_models

from fer_lightning.files import REFUSED, is_plain, plain_values

NAMES_SHOWN = 3
"""Names of each kind that an error lists; it counts them all."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Keys of training scripts' checkpoints that hold the state dict, the first that there is."""

AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
"""The heads that Inception and GoogLeNet train with, and that our networks leave out."""

RENAMED = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),  # DenseNet
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),  # ViT
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)
"""Layers that have other names in torchvision's older weight files than in its networks."""

COUNTER = ".num_batches_tracked"
"""The end of a name that batch norm has since torch 0.4.1. Older files, and torchvision's ImageNet weights made by it,
have none: torch fills it in, unless a file says that it was made by a newer torch."""

UNTRAINED = (COUNTER, ".running_mean", ".running_var", ".relative_position_index", ".relative_coords_table")
"""Ends of the names of what torchvision does not count as parameters."""

HEADS = re.compile(r"(fc|classifier(\.\d)?|heads\.head|head)\.weight")

log = logging.getLogger(__name__)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Reads the state dict in a .pth or .safetensors file, or in the checkpoint of a training script.

    Raises:
        ValueError: there is no such file, it is damaged, or it holds no state dict.
    """
    what = f"weights_path {path}"
    if not path.is_file():
        raise ValueError(f"{what} does not exist, or is no file")
    hint = "Expected a state dict: torch.save(net.state_dict(), path), or a .safetensors file"
    try:
        content = load_file(path) if path.suffix == ".safetensors" else plain_values(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{what} {REFUSED}. {hint}") from error
    except ValueError as error:
        raise ValueError(f"weights_path {error}. {hint}") from error
    return state_dict_in(content, what)


def state_dict_in(content: Any, what: str) -> dict[str, Tensor]:
    """Returns the state dict that a file's content is, or holds under one of `WRAPPERS`.

    Raises:
        ValueError: there is none.
    """
    inner = [content[key] for key in WRAPPERS if isinstance(content, dict) and _is_state_dict(content.get(key))]
    for state in (content, *inner):
        if _is_state_dict(state):
            return dict(state)
    found = _some(list(map(str, content))) if isinstance(content, dict) and content else type(content).__name__
    raise ValueError(f"{what} holds no state dict (a dict of plain tensors) but {found}")


def with_names_of(own: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Returns the tensors of a state dict under the names that the network's own has, without auxiliary heads.

    Names of older releases are renewed, a prefix (`module.` of DataParallel, `net.`, `model.`, …) is left out with
    whatever is not below it, and counters of batch norm that are missing are the network's.

    Raises:
        ValueError: two networks in the file fit, below different prefixes.
    """
    state = {_renamed(key): value for key, value in state.items()}
    prefix = _prefix(own, state, source)
    if others := [key for key in state if not key.startswith(prefix)]:
        log.info("%s: the network is what begins with %s; left out are %s", source, prefix, _some(others))
    state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    state = {key: value for key, value in state.items() if not key.startswith(AUXILIARY)}
    counters = {key: value for key, value in own.items() if key.endswith(COUNTER)}
    return state | {
        key: value
        for key, value in counters.items()
        if key not in state and f"{key.removesuffix(COUNTER)}.running_mean" in state
    }


def weight_errors(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Says in which ways the tensors of a state dict are not those of a network; none where they fit."""
    theirs = [key for key in state if not key.endswith(".offset")]
    missing = [key for key in own if key not in state]
    extra = [key for key in theirs if key not in own]
    reshaped = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    counted = (
        (missing, f"{len(missing)} of the network's {len(own)} tensors missing"),
        (extra, f"{len(extra)} of the file's {len(theirs)} tensors not in the network"),
        (reshaped, f"{len(reshaped)} of another shape"),
    )
    return [f"{what} ({_some(names)})" for names, what in counted if names]


def likely_archs(state: Mapping[str, Tensor]) -> list[str]:
    """Names torchvision's networks that have as many parameters as a state dict, but for the number of classes."""
    sizes = {key: value.numel() for key, value in state.items() if not key.endswith(UNTRAINED) and value.ndim}
    found = []
    for head in filter(HEADS.fullmatch, state):
        classes, features = len(state[head]), state[head].numel() // max(len(state[head]), 1)
        biased = int(head.replace(".weight", ".bias") in state)
        parameters = sum(sizes.values()) + (1000 - classes) * (features + biased)
        for arch in list_models(module=torchvision.models):
            if get_model_weights(arch).DEFAULT.meta["num_params"] == parameters:
                found.append(arch)
    return found


def _prefix(own: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str) -> str:
    """Returns what stands before most of the network's names: "" if that fits as well as anything, or nothing fits."""
    fits: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")
        for start in range(min(len(parts), 9)):
            if ".".join(parts[start:]) in own:
                fits["".join(f"{part}." for part in parts[:start])] += 1
    most = max(fits.values(), default=0)
    best = [prefix for prefix, count in fits.items() if count == most]
    if "" in best or most < len(own) / 2:
        return ""
    if len(best) > 1:
        raise ValueError(f"{source} holds {len(best)} networks that fit, below {_some(best)}: give one of them alone")
    return best[0]


def _renamed(key: str) -> str:
    for pattern, name in RENAMED:
        key = pattern.sub(name, key)
    return key


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and is_plain(v) for k, v in value.items()) and value != {}


def _some(names: list[str]) -> str:
    return ", ".join(name[:120] for name in names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
