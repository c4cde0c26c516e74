"""Ranges that a signature declares are kept to, by configs and in Python alike."""

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field
from torch import Tensor

from fer_lightning.signature import Fraction, argument_error, checked, tensor_arguments
from tests.scripts import REPOSITORY


@checked
def declared(
    path: str,
    share: Fraction = 0.5,
    sizes: Sequence[Annotated[int, Field(ge=1, le=64)]] = (),
    size: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto",
    folds: Annotated[int, Field(ge=2)] | None = None,
    weights: Tensor | None = None,
    span: tuple[Fraction, Fraction] = (0.0, 0.5),
) -> tuple[float, Sequence[int]]:
    return share, sizes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1}, "share is 1; it must be at least 0 and below 1"),
        ({"share": float("nan")}, "share is nan; it must be at least 0 and below 1"),
        ({"sizes": [8, 65]}, "sizes[1] is 65; it must be at least 1 and at most 64"),
        ({"sizes": [0, 65]}, "sizes[0] is 0; it must be at least 1 and at most 64"),
        ({"size": 0}, "size is 0; it must be at least 1, or 'auto'"),
        ({"size": "big"}, "size is 'big': it should be a valid integer, or 'auto'"),
        ({"folds": 1}, "folds is 1; it must be at least 2"),
        ({"span": [0.5]}, "span is [0.5]: it should be 2 values"),
        ({"span": []}, "span is []: it should be 2 values"),
        ({"span": [0, 0, 0]}, "span is [0, 0, 0]: it should be 2 values"),
        ({"span": [0, 1]}, "span[1] is 1; it must be at least 0 and below 1"),
    ],
)
def test_a_value_outside_its_range_is_refused_in_one_sentence(arguments: dict[str, object], message: str) -> None:
    assert argument_error(declared, arguments) == message
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        declared("x", **arguments)  # type: ignore[arg-type]
    assert str(refused.value) == message


def test_values_within_their_ranges_arrive_as_they_are() -> None:
    sizes = [1, 64]
    share, arrived = declared("x", np.float64(0.25), sizes, size=np.int64(3), folds=None)  # type: ignore[arg-type]
    assert (share, arrived is sizes) == (0.25, True)
    assert declared("x") == (0.5, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": "0.5"}, "share is '0.5': it should be a valid number"),
        ({"share": False}, "share is False: it should be a valid number"),
        ({"sizes": ["8"]}, "sizes is ['8']: it should be a valid integer"),
        ({"folds": "5"}, "folds is '5': it should be a valid integer"),
    ],
)
def test_a_text_or_a_bool_is_no_number_in_python_either(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        declared("x", **arguments)  # type: ignore[arg-type]


def test_torch_is_not_needed_to_check_a_value() -> None:
    code = "import sys, fer_lightning.config.plain_checks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_a_long_value_is_shortened_in_the_message() -> None:
    found = argument_error(declared, {"share": "x" * 10_000})
    assert found is not None
    assert len(found) < 600
    assert found.endswith("it should be a valid number")


def test_lists_are_known_for_tensors() -> None:
    assert tensor_arguments(declared) == ["weights"]
    assert argument_error(declared, {"weights": [0.5, 2]}) is None
    assert argument_error(declared, {"weights": "heavy"}) is not None
