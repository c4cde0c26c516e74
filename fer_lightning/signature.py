"""Checks that arguments fit the types and ranges that a signature declares, before anything is done with them.

A range is declared with its parameter, as `width: Annotated[int, Field(ge=1)] = 64`.
"""

import difflib
import functools
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

P = ParamSpec("P")
R = TypeVar("R")

Fraction = Annotated[float, Field(ge=0, lt=1)]
"""A share of something that must not be all of it."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

PYTHON_ONLY = ("is_instance_of", "needs_python_object")
"""pydantic's errors about Tensor, Accelerator and the like, which nobody types on a command line."""

UNRESOLVED = (NameError, TypeError, AttributeError)
"""Errors of annotations that name what is not there."""

LONGEST_VALUE = 500
"""Characters of a value that a message shows."""

BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
"""The bounds of a range, by the names that pydantic's Field has for them, in words."""


def argument_error(target: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    """Returns what is wrong with the first argument that target does not take, in one sentence; None if all fit.

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
        if name not in hints or (_takes_tensor(hints[name]) and _is_list_of_numbers(value)):
            continue
        if problem := value_error(name, hints[name], value):
            return problem
    return None


def value_error(name: str, hint: Any, value: Any) -> str | None:
    """Returns what is wrong with a value for a parameter of this name and annotation, in one sentence; None if it fits.

    As strict as `argument_error`.
    """
    try:
        _adapter(hint).validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        return _sentence(name, hint, value, error)
    return None


def unresolved_annotation(target: Callable[..., Any]) -> str | None:
    """Returns why the annotations of a target cannot be looked up, so that its arguments are not checked; or None."""
    try:
        _resolved_hints(target)
    except UNRESOLVED as error:
        return str(error)
    return None


def checked(target: Callable[P, R]) -> Callable[P, R]:
    """Makes a function, or the `__init__` of a class, refuse what `refuse_out_of_range` does."""
    signature = inspect.signature(target)

    @functools.wraps(target)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_out_of_range(target, signature.bind(*args, **kwargs).arguments)
        return target(*args, **kwargs)

    return call


def refuse_out_of_range(target: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuses an argument outside the range, or the choices, that target's annotation of it declares.

    Other arguments are not looked at: only those whose annotation has a `Field` or a `Literal` in it. A text is no
    number, and neither is a bool, though Python's numbers of any kind are.

    Raises:
        ValueError: names the first such argument, what it is and what it must be.
    """
    for name, (hint, adapter) in _declared(target).items():
        if name in arguments:
            try:
                _validate(adapter, arguments[name])
            except ValidationError as error:
                raise ValueError(_sentence(name, hint, arguments[name], error)) from None


def tensor_arguments(target: Callable[..., Any]) -> list[str]:
    """Returns the arguments of target that are tensors, as weights of classes are; a config has lists for them."""
    return [name for name, hint in _hints(target).items() if _takes_tensor(hint)]


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    if target.__module__.startswith("torchvision."):  # by which RandomErasing's value is no text, and it may be one
        return {}
    try:
        return _resolved_hints(target)
    except UNRESOLVED:  # WandbLogger's annotations name classes of wandb, which need not be installed
        return {}


def _resolved_hints(target: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)


@functools.cache
def _declared(target: Callable[..., Any]) -> dict[str, tuple[Any, TypeAdapter[Any]]]:
    """Returns the annotations with a range or choices in them, and what checks a value of each."""
    return {name: (hint, _adapter(hint)) for name, hint in _resolved_hints(target).items() if _declares(hint)}


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        return TypeAdapter(hint)


def _validate(adapter: TypeAdapter[Any], value: Any) -> None:
    """Validates texts and bools as strictly as those of a config, everything else as Python's duck typing does."""
    if _has_text_or_bool(value):
        adapter.validate_json(json.dumps(value, default=str), strict=True)
    else:
        adapter.validate_python(value)


def _has_text_or_bool(value: Any) -> bool:
    return isinstance(value, str | bool) or (isinstance(value, list | tuple) and any(map(_has_text_or_bool, value)))


def _takes_tensor(hint: Any) -> bool:
    """Checks whether a hint is torch's Tensor, or a union with it, without importing torch."""
    names = {(getattr(one, "__module__", ""), getattr(one, "__name__", "")) for one in (hint, *typing.get_args(hint))}
    return ("torch", "Tensor") in names


def _is_list_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) in (int, float) for one in value)


def _declares(hint: Any) -> bool:
    """Checks whether a hint has a range, or choices, anywhere in it."""
    inner = typing.get_args(hint)
    return hasattr(hint, "__metadata__") or typing.get_origin(hint) is Literal or any(map(_declares, inner))


def _sentence(name: str, hint: Any, value: Any, error: ValidationError) -> str:
    """Returns what the argument of this name is and what it should be."""
    problems = [problem for problem in error.errors() if problem["type"] not in PYTHON_ONLY] or error.errors()
    expected, is_outside = [], False
    for problem in problems:
        bound = problem.get("ctx") or {}
        limits = next((limits for limits in _ranges(hint) if bound and bound.items() <= limits.items()), None)
        if problem["type"] in ("missing", "too_long"):  # of a tuple
            expected = [f"{bound.get('max_length') or int(problem['loc'][-1]) + 1} values"]
            continue
        if limits is None:
            expected.append(problem["msg"].removeprefix("Input should be ").partition(", unable to parse")[0])
            continue
        expected.append(" and ".join(f"{BOUNDS[key]} {limit}" for key, limit in limits.items()))
        places = [f"[{place}]" for place in problem["loc"] if isinstance(place, int)]
        if places and not is_outside:  # of several values in a list, the first
            name, value = name + "".join(places), problem["input"]
        is_outside = True
    verb = "; it must be" if is_outside else ": it should be"
    found = repr(value) if len(repr(value)) <= LONGEST_VALUE else f"{repr(value)[:LONGEST_VALUE]}…"
    return f"{name} is {found}{verb} {', or '.join(dict.fromkeys(expected))}"


def _ranges(hint: Any) -> Iterator[dict[str, float]]:
    """Yields the bounds of each range that a hint declares."""
    metadata = getattr(hint, "__metadata__", ())
    constraints = [constraint for one in metadata for constraint in getattr(one, "metadata", [one])]
    if bounds := {key: getattr(one, key) for one in constraints for key in BOUNDS if hasattr(one, key)}:
        yield bounds
    for inner in typing.get_args(hint):
        yield from _ranges(inner)
