"""Whether arguments fit the signature of what they are meant for, told before anything is called."""

import difflib
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from torch import Tensor

PYTHON_ONLY = ("is_instance_of", "needs_python_object")
"""pydantic's errors about Tensor, Accelerator and the like, which nobody types on a command line."""


def misfit(target: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    """The first argument that target does not take, or takes with another type, in words; None if all fit.

    Only what target annotates is checked, as strictly as JSON does: lists pass as tuples and tensors, texts as paths
    and whole numbers as floats, but "no" is no boolean and 64.0 no whole number.
    """
    parameters = inspect.signature(target).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    hints = _hints(target)
    for name, value in arguments.items():
        if name not in parameters and not takes_any:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"{name} is not an argument of {target.__qualname__}{hint}"
        if name in hints and (problem := _type_problem(hints[name], value)):
            return f"{name} is {value!r}: {problem}"
    return None


def tensor_arguments(target: Callable[..., Any]) -> list[str]:
    """The arguments of target that are tensors, as weights of classes are; a config has lists for them."""
    return [name for name, hint in _hints(target).items() if _is_for(Tensor, hint)]


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    if target.__module__.startswith("torchvision."):  # by which RandomErasing's value is no text, and it may be one
        return {}
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):  # WandbLogger's annotations name classes of wandb, which need not be installed
        return {}


def _is_for(kind: type, hint: Any) -> bool:
    return hint is kind or kind in typing.get_args(hint)


def _type_problem(hint: Any, value: Any) -> str | None:
    if _is_for(Tensor, hint) and isinstance(value, list) and all(type(one) in (int, float) for one in value):
        return None
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        adapter = TypeAdapter(hint)
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        problems = [problem for problem in error.errors() if problem["type"] not in PYTHON_ONLY]
        expected = dict.fromkeys(problem["msg"].removeprefix("Input should be ") for problem in problems)
        return f"it should be {', or '.join(expected)}"
    return None
