"""metrics.json: written as JSON that every program reads, which knows no NaN. Imports nothing heavy."""

import json
import math
from pathlib import Path
from typing import Any


def as_json(content: Any) -> str:
    """Returns content as JSON; a number that is NaN or infinite is null."""
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def metrics_in(file: Path) -> dict[str, Any]:
    """Returns what a metrics.json holds, NaN where it has null.

    Raises:
        FileNotFoundError: it is not there.
        json.JSONDecodeError: it was cut short.
    """
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return {name: math.nan if value is None else value for name, value in content.items()}


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
