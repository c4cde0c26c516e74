"""What a checkpoint of a run must hold to be tested, and be of the type that train.py writes."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from fer_lightning.plain_file import is_plain, plain_values

Plain = str | int | float | bool | list[str] | tuple[str, ...] | None


class DataState(BaseModel):
    """What `FERDataModule.state_dict` gives."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)

    source: str
    votes: str | None
    mean: float
    std: Annotated[float, Field(gt=0)]
    image_size: Annotated[int, Field(ge=1)]
    trained_on: Tensor


class CheckpointContent(BaseModel):
    """What is not listed here (the optimizer's state, Lightning's counters) is not looked at."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, protected_namespaces=())

    model_class: str
    hyper_parameters: dict[str, Plain]
    state_dict: dict[str, Tensor]
    data: Annotated[DataState, Field(alias="FERDataModule")]


def checkpoint_content(path: Path) -> CheckpointContent:
    """Of a file that train.py wrote; nothing in it is executed.

    Raises:
        ValueError: a file that is no such checkpoint, says what is wrong with it.
    """
    no_checkpoint = f"{path} is not a checkpoint of this program"
    try:
        values = plain_values(path)
    except ValueError as error:
        raise ValueError(f"{no_checkpoint}: {error}. Give one that train.py wrote") from error
    try:
        content = CheckpointContent.model_validate(values)
    except ValidationError as error:
        # Not what was found: a few bytes can hold lists of lists that would take hours to print.
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(place) for place in first["loc"][:2]) or "all of it"
        if first["type"] == "missing":
            why = f"it has no {where}, or was made by an older version. Train again"
        else:
            why = f"{where} is no plain value of the kind that train.py writes. Give one that train.py wrote"
        raise ValueError(f"{no_checkpoint}: {why}") from error
    if odd := [name for name, value in content.state_dict.items() if not is_plain(value)]:
        raise ValueError(f"{no_checkpoint}: {odd[0]} is no plain tensor. Give one that train.py wrote")
    sizes = [size for value in content.state_dict.values() for size in value.shape]
    for name, size in content.hyper_parameters.items():
        if type(size) is int and size > max(sizes, default=0):  # which would fill the memory, before it fits nothing
            raise ValueError(f"{no_checkpoint}: {name} is {size}, but no weight in it is as large. Train again")
    return content
