"""Checks what a checkpoint gives back: it is read without executing anything, and much of what it takes is lost so."""

import io
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

NOTHING = torch.empty(0)


def unsavable(value: Any, name: str = "it") -> str | None:
    """Returns the first part of a value that torch.load(weights_only=True) would not give back, in words; or None.

    Costs as much as to write its names: of the tensors nothing is written.
    """
    value = _without_contents(value)
    if _comes_back(value):
        return None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, one in inner:
        if problem := unsavable(one, f"{name}.{key}"):
            return problem
    kind = type(value)
    return (
        f"{name} is a {kind.__module__}.{kind.__qualname__}, which a checkpoint does not give back: it holds tensors, "
        f"numbers, texts, true, false and null, and lists, tuples and dicts of these"
    )


def _without_contents(value: Any) -> Any:
    if isinstance(value, Tensor):
        return NOTHING if type(value) in (Tensor, torch.nn.Parameter) else value
    if type(value) in (dict, OrderedDict):
        return {key: _without_contents(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_without_contents(one) for one in value)
    return value


def _comes_back(value: Any) -> bool:
    content = io.BytesIO()
    try:
        torch.save(value, content)
        content.seek(0)
        torch.load(content, weights_only=True)
    except Exception:  # whatever an object of somebody's own raises when it is pickled
        return False
    return True
