"""What a checkpoint of a run must hold to be tested or resumed, and be of the type that train.py writes."""

from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from fer_lightning.plain_file import is_plain, plain_values
from fer_lightning.training.checkpoint_names import LAST, ONE_BEFORE, name_in
from fer_lightning.transforms.preprocessing import LARGEST, Preprocessing

FORMAT_VERSION = 1
"""Of checkpoints and model.safetensors; a program reads its own and those before."""

MOST_CLASSES = 1000
"""Confusion matrices grow with their square."""

LONGEST = 80
"""Characters of a name in a message: a checkpoint can have any number of them."""

Scalar = str | int | float | bool | None
Plain = Scalar | list[Scalar] | tuple[Scalar, ...]


def _no_reference(text: str) -> str:
    """What goes into a config must not be resolved there: OmegaConf's resolvers make nodes of texts."""
    if "${" in text:
        raise ValueError("a reference")
    return text


Literally = Annotated[str, AfterValidator(_no_reference)]


def _whole_digests(digests: Tensor) -> Tensor:
    if not is_plain(digests) or digests.dtype != torch.int64 or digests.ndim != 1:
        raise ValueError("no digests")
    return digests


Digests = Annotated[Tensor, AfterValidator(_whole_digests)]


class DataState(BaseModel):
    """What `FERDataModule.state_dict` gives."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)

    source: Literally
    votes: Literally | None
    mean: float
    std: Annotated[float, Field(gt=0)]
    image_size: Annotated[int, Field(ge=1, le=LARGEST)]
    trained_on: Digests
    labelled: dict[str, Digests] = {}  # likewise
    chosen_on: Digests = torch.empty(0, dtype=torch.int64)  # a checkpoint without is from before this was kept

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(self.image_size, self.mean, self.std)


class Described(Protocol):
    """What rebuilds a network, from a checkpoint or a model.safetensors."""

    model_class: str
    hyper_parameters: dict[str, Plain]
    state_dict: dict[str, Tensor]


class CheckpointContent(BaseModel):
    """What is not listed here (the optimizer's state, Lightning's counters) is not looked at."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, protected_namespaces=())

    format_version: Annotated[int, Field(ge=1, le=FORMAT_VERSION)] = 1  # those before had none
    model_class: str
    hyper_parameters: dict[str, Plain]
    state_dict: dict[str, Tensor]
    data: Annotated[DataState, Field(alias="FERDataModule")]

    @property
    def preprocessing(self) -> Preprocessing:
        return self.data.preprocessing


class LastState(BaseModel):
    """What `LastCheckpoint.state_dict` gives."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    seconds: float
    max_epochs: int | None
    finished: bool
    score: float | None = None


def _of_a_checkpoint(path: str) -> str:
    """What a run removes once it has a better one."""
    if path and (not path.endswith(".ckpt") or name_in(path) in (LAST, ONE_BEFORE)):
        raise ValueError("no best checkpoint")
    return path


CheckpointPath = Annotated[str, AfterValidator(_of_a_checkpoint)]


def _one_number(score: Tensor) -> Tensor:
    if not is_plain(score) or score.numel() != 1:
        raise ValueError("no number")
    return score


Score = Annotated[Tensor, AfterValidator(_one_number)]


class BestState(BaseModel):
    """What `BestCheckpoint.state_dict` gives."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, protected_namespaces=())

    best_model_path: CheckpointPath
    kth_best_model_path: CheckpointPath
    last_model_path: CheckpointPath
    best_k_models: dict[CheckpointPath, Score]
    best_model_score: Score | None
    current_score: Score | None
    kth_value: Score

    @model_validator(mode="after")
    def _has_the_kth(self) -> "BestState":
        if self.kth_best_model_path not in {"", *self.best_k_models}:
            raise ValueError("the worst of the best is none of them")
        return self


class CallbackStates(BaseModel):
    """Those of other callbacks are theirs to look at."""

    last: Annotated[LastState, Field(alias="LastCheckpoint")]
    best: list[BestState]

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, states: Any) -> Any:
        """Lightning's keys of best checkpoints say what they monitor."""
        if not isinstance(states, dict):
            return states
        return states | {"best": [one for key, one in states.items() if str(key).startswith("BestCheckpoint")]}


class StoppedState(BaseModel):
    """Of a last.ckpt, what its run goes on with beside what Lightning takes from it."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True)

    epoch: Annotated[int, Field(ge=0)]
    global_step: Annotated[int, Field(ge=0)]
    callbacks: CallbackStates
    data: Annotated[DataState, Field(alias="FERDataModule")]


Content = TypeVar("Content", bound=BaseModel)


def checkpoint_content(path: Path) -> CheckpointContent:
    """Of a file that train.py wrote; nothing in it is executed.

    Raises:
        ValueError: a file that is no such checkpoint, says what is wrong with it.
    """
    try:
        values = plain_values(path)
    except ValueError as error:
        raise ValueError(f"{_no_checkpoint(path)}: {error}. Give one that train.py wrote") from error
    return validated_content(path, values)


def validated_content(path: Path, values: Any) -> CheckpointContent:
    """The values of a checkpoint, if a network can be made of them.

    Raises:
        ValueError: as `checkpoint_content`.
    """
    content = validated(CheckpointContent, path, values)
    if odd := [name for name, value in content.state_dict.items() if not is_plain(value)]:
        raise ValueError(f"{_no_checkpoint(path)}: {odd[0][:LONGEST]} is no plain tensor. Give one that train.py wrote")
    refuse_sizes_without_weights(path, content)
    return content


def refuse_sizes_without_weights(path: Path, content: "Described") -> None:
    """Refuses hyperparameters that would fill the memory with a network before its weights turn out not to fit.

    Of this program's networks: what others make of a number is theirs to say.
    """
    if content.model_class.partition(".")[0] != __name__.partition(".")[0] and "." in content.model_class:
        return
    sizes = [size for value in content.state_dict.values() for size in value.shape]
    for name, size in content.hyper_parameters.items():
        if isinstance(size, list | tuple) and len(size) > MOST_CLASSES:
            raise ValueError(f"{_no_checkpoint(path)}: {name[:LONGEST]} has {len(size):,} values. Train again")
        if type(size) is int and size > max(sizes, default=0):
            raise ValueError(
                f"{_no_checkpoint(path)}: {name[:LONGEST]} is {size}, but no weight in it is as large. Train again"
            )


def validated(kind: type[Content], path: Path, values: Any) -> Content:
    """The values of a checkpoint, as a model of what it must hold.

    Raises:
        ValueError: something is missing or of another type, says what.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # Not what was found: a few bytes can hold lists of lists that would take hours to print.
        first = error.errors(include_input=False, include_url=False)[0]
        names = first["loc"][: 3 if "callbacks" in first["loc"] else 2]  # what follows is pydantic's
        where = ".".join(map(str, names))[:LONGEST] or "all of it"
        if where == "format_version":
            why = f"its format_version is above {FORMAT_VERSION}: it was made by a newer version of this program"
        elif first["type"] == "missing":
            why = f"it has no {where}, or was made by an older version. Train again"
        else:
            why = f"{where} is no plain value of the kind that train.py writes. Give one that train.py wrote"
        raise ValueError(f"{_no_checkpoint(path)}: {why}") from error


def _no_checkpoint(path: Path) -> str:
    return f"{path} is not a checkpoint of this program"
