"""Whether arguments fit the signature of what they are meant for, told before anything is called."""

import difflib
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

PYTHON_ONLY = ("is_instance_of", "needs_python_object")
"""pydantic's errors about Tensor, Accelerator and the like, which nobody types on a command line."""


def misfit(target: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    """The first argument that target does not take, or takes with another type, in words; None if all fit.

    Only what target annotates is checked, as strictly as JSON does: lists pass as tuples, texts as paths and whole
    numbers as floats, but "no" is no boolean and 64.0 no whole number.
    """
    function = target.__init__ if inspect.isclass(target) else target
    parameters = inspect.signature(target).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    try:
        hints = typing.get_type_hints(function)
    except NameError:  # WandbLogger's annotations name classes of wandb, which need not be installed
        hints = {}
    for name, value in arguments.items():
        if name not in parameters and not takes_any:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"{name} is not an argument of {target.__qualname__}{hint}"
        if name in hints and (problem := _type_problem(hints[name], value)):
            return f"{name} is {value!r}: {problem}"
    return None


def _type_problem(hint: Any, value: Any) -> str | None:
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
