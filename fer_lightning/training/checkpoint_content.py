"""Checks that a checkpoint holds what rebuilds its network, of the types that train.py writes."""

from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from fer_lightning.data.perceptual_hash import WORDS
from fer_lightning.files import is_plain, plain_values
from fer_lightning.installation import script_name
from fer_lightning.nets.registry import is_built_in
from fer_lightning.training.calibration import Calibration, Confidence, Temperature
from fer_lightning.transforms.pixel_format import Channels, Fit, Side
from fer_lightning.transforms.preprocessing import Preprocessing

FORMAT_VERSION = 2
"""Version of checkpoints and model.safetensors, raised when what they hold changes; 1 was that of version 0.1."""

FormatVersion = Annotated[int, Field(ge=FORMAT_VERSION, le=FORMAT_VERSION)]

MOST_CLASSES = 1000
"""Confusion matrices grow with their square."""

LONGEST_NAMED = 80
"""Characters of a name in a message: a checkpoint can have any number of them."""

Scalar = str | int | float | bool | None
Plain = Scalar | list[Scalar] | tuple[Scalar, ...]


def _no_reference(text: str) -> str:
    """Refuses what OmegaConf's resolvers would make nodes of, once it is put into a config."""
    if "${" in text:
        raise ValueError("a reference")
    return text


Literally = Annotated[str, AfterValidator(_no_reference)]


def _whole_digests(digests: Tensor) -> Tensor:
    if not is_plain(digests) or digests.dtype != torch.int64 or digests.ndim != 1:
        raise ValueError("no digests")
    return digests


Digests = Annotated[Tensor, AfterValidator(_whole_digests)]


def _whole_hashes(hashes: Tensor) -> Tensor:
    if not is_plain(hashes) or hashes.dtype != torch.int64 or hashes.ndim != 2 or hashes.shape[1] != WORDS:
        raise ValueError("no perceptual hashes")
    return hashes


Hashes = Annotated[Tensor, AfterValidator(_whole_hashes)]


SeveralPaths = Annotated[list[Literally], Field(min_length=2)]
SeveralVotes = Annotated[list[Literally | None], Field(min_length=2)]


class DataState(BaseModel):
    """The state that `FERDataModule.state_dict` returns."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)

    source: Literally | SeveralPaths
    votes: Literally | SeveralVotes | None
    mean: Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=3)]
    image_size: Side
    size: Side
    fit: Fit
    trained_on: Digests
    labelled: dict[str, Digests]
    chosen_on: Digests
    train_hashes: Hashes | None = None  # checkpoints have them since version 0.3

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(self.image_size, self.mean, self.std, self.size, self.fit)


class HyperParameters(BaseModel):
    """The arguments of `EmotionClassifier` that rebuild a network."""

    model_config = ConfigDict(strict=True, extra="forbid")

    network: Annotated[str, Field(max_length=LONGEST_NAMED)]
    class_names: tuple[str, ...] | list[str]
    arguments: dict[str, Plain]
    channels_last: bool
    in_channels: Channels


class CalibrationState(BaseModel):
    """The fields of a `Calibration`."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    temperature: Temperature
    unsure_below: Confidence

    def calibration(self) -> Calibration:
        return Calibration(self.temperature, self.unsure_below)


class Described(Protocol):
    """A checkpoint or a model.safetensors."""

    hyper_parameters: HyperParameters
    state_dict: dict[str, Tensor]


class CheckpointContent(BaseModel):
    """A checkpoint. Keys that are not listed (the optimizer's state, Lightning's counters) are not looked at."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, protected_namespaces=())

    format_version: FormatVersion
    hyper_parameters: HyperParameters
    state_dict: dict[str, Tensor]
    data: Annotated[DataState, Field(alias="FERDataModule")]
    calibration: CalibrationState | None = None  # absent until its run ends

    @property
    def preprocessing(self) -> Preprocessing:
        return self.data.preprocessing


Content = TypeVar("Content", bound=BaseModel)


def checkpoint_content(path: Path) -> CheckpointContent:
    """Reads a checkpoint that train.py wrote; nothing in it is executed.

    Raises:
        ValueError: a file that is no such checkpoint, says what is wrong with it.
    """
    try:
        values = plain_values(path)
    except ValueError as error:
        raise ValueError(f"{_no_checkpoint(path)}: {error}. Give one that {script_name('train.py')} wrote") from error
    return validated_content(path, values)


def validated_content(path: Path, values: Any) -> CheckpointContent:
    """Returns the values of a checkpoint, if a network can be made of them.

    Raises:
        ValueError: as `checkpoint_content`.
    """
    content = validated(CheckpointContent, path, values)
    if odd := [name for name, value in content.state_dict.items() if not is_plain(value)]:
        raise ValueError(
            f"{_no_checkpoint(path)}: {odd[0][:LONGEST_NAMED]} is no plain tensor. Give one that "
            f"{script_name('train.py')} wrote"
        )
    refuse_sizes_without_weights(path, content)
    return content


def refuse_sizes_without_weights(path: Path, content: "Described") -> None:
    """Refuses hyperparameters that would fill the memory with a network before its weights turn out not to fit.

    Of this package's networks: what others make of a number is theirs.
    """
    description = content.hyper_parameters
    if (classes := len(description.class_names)) > MOST_CLASSES:
        raise ValueError(f"{_no_checkpoint(path)}: class_names has {classes:,} values. Train again")
    try:
        if not is_built_in(description.network):
            return
    except ValueError as error:
        raise ValueError(f"{path}: the network in it cannot be rebuilt: {error}") from error
    sizes = [size for value in content.state_dict.values() for size in value.shape]
    for name, size in description.arguments.items():
        if isinstance(size, list | tuple) and len(size) > MOST_CLASSES:
            raise ValueError(f"{_no_checkpoint(path)}: {name[:LONGEST_NAMED]} has {len(size):,} values. Train again")
        if type(size) is int and size > max(sizes, default=0):
            raise ValueError(
                f"{_no_checkpoint(path)}: {name[:LONGEST_NAMED]} is {size}, but no weight in it is as large. "
                f"Train again"
            )


def validated(kind: type[Content], path: Path, values: Any) -> Content:
    """Returns the values of a checkpoint, as a model of what it must hold.

    Raises:
        ValueError: something is missing or of another type, says what.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # Not what was found: a few bytes can hold lists of lists that would take hours to print.
        first = error.errors(include_input=False, include_url=False)[0]
        names = first["loc"][: 3 if {"callbacks", "arguments"} & {*first["loc"]} else 2]  # what follows is pydantic's
        where = ".".join(map(str, names))[:LONGEST_NAMED] or "all of it"
        if where == "format_version":
            why = version_problem(first["type"])
        elif first["type"] == "missing":
            why = f"it has no {where}. Give one that {script_name('train.py')} wrote"
        else:
            why = f"{where} is no plain value of the kind that {script_name('train.py')} writes. Give one that it wrote"
        raise ValueError(f"{_no_checkpoint(path)}: {why}") from error


def version_problem(kind: str) -> str:
    """Returns what is wrong with a format_version, by pydantic's type of the error."""
    if kind == "less_than_equal":
        return f"its format_version is above {FORMAT_VERSION}: it was made by a newer version of this program"
    return f"its format_version is not {FORMAT_VERSION}: it was made by an older version of this program. Train again"


def _no_checkpoint(path: Path) -> str:
    return f"{path} is not a checkpoint of this program"
