"""metrics.json: written as JSON that every program reads, which knows no NaN; read with a bound.

A damaged one is refused by its name. Imports no torch.
"""

import json
import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_lightning.files import text_in
from fer_lightning.installation import script_name

METRICS_FORMAT = 1
"""Version of metrics.json, raised when what stands in it changes."""

LONGEST_METRICS = 1 << 26
"""Characters of a metrics.json; with the confusion matrix of a thousand classes it has some eight million."""

ShareOrNull = Annotated[float, Field(ge=0, le=1)] | None
"""null where a result is not a number, as one of a class that no face has."""

AmountOrNull = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class Tested(BaseModel):
    """The part of a metrics.json that it must have to be compared."""

    model_config = ConfigDict(strict=True)

    accuracy: ShareOrNull = Field(alias="test/accuracy")
    low: ShareOrNull = Field(None, alias="test/accuracy_low")
    high: ShareOrNull = Field(None, alias="test/accuracy_high")
    f1: ShareOrNull = Field(None, alias="test/f1")
    flip: ShareOrNull = Field(None, alias="test/accuracy_flip")
    new: ShareOrNull = Field(None, alias="test/accuracy_new")
    without_near: ShareOrNull = Field(None, alias="test/accuracy_without_near")
    near_copies: AmountOrNull = Field(None, alias="near_copies_in_train")
    minutes: AmountOrNull = None
    test_split: str
    interval: str | None = None  # absent where it is Wilson's
    run: str | None = None


class Trained(Tested):
    """The part that it must have for a row of docs/results.md."""

    command: str
    commit: str
    machine: str
    epochs: AmountOrNull


def as_json(content: Any) -> str:
    """Returns content as JSON; a number that is NaN or infinite is null."""
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def metrics_in(file: Path, kind: type[BaseModel] | None = None) -> dict[str, Any]:
    """Returns what a metrics.json holds, NaN where it has null.

    Args:
        file: the metrics.json.
        kind: what must be in it.

    Raises:
        FileNotFoundError: there is none.
        json.JSONDecodeError: it was cut short, or is something else.
        ValueError: it holds something else than kind.
    """
    text = text_in(file, LONGEST_METRICS)
    try:
        content = json.loads(text, parse_constant=lambda name: None)  # NaN, which is no JSON
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(
            f"{file} is not the JSON that {script_name('train.py')} writes: {error.msg}", "", 0
        ) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists of lists of lists …
        raise ValueError(f"{file} is not the JSON that {script_name('train.py')} writes") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{file} holds a {type(content).__name__}, not the results that {script_name('train.py')} writes"
        )
    if kind is not None:
        _check(kind, content, file)
    return {name: math.nan if value is None else value for name, value in content.items()}


def score_in(file: Path, monitor: str) -> float:
    """Returns a single result of a metrics.json; NaN where it has null or none.

    Raises:
        FileNotFoundError, json.JSONDecodeError: as `metrics_in`.
        ValueError: as well, or that result is no number.
    """
    score = metrics_in(file).get(monitor, math.nan)
    if isinstance(score, bool) or not isinstance(score, int | float) or math.isinf(score):
        raise ValueError(f"{file}: {monitor} is no number")
    return float(score)


def _check(kind: type[BaseModel], content: dict[str, Any], file: Path) -> None:
    try:
        kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]  # the input could be of any length
        where = first["loc"][0] if first["loc"] else "all of it"
        why = "is missing" if first["type"] == "missing" else f"is of another kind: {first['msg'].lower()}"
        raise ValueError(f"{file}: {where} {why}") from error


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
