"""Checks what a last.ckpt must hold for its run to go on, apart from its network."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from fer_lightning.files import is_plain
from fer_lightning.training.checkpoint_content import DataState
from fer_lightning.training.checkpoint_names import LAST, ONE_BEFORE, name_in


class LastState(BaseModel):
    """The state that `LastCheckpoint.state_dict` returns."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    seconds: float
    max_epochs: int | None
    finished: bool
    score: float | None


def _best_checkpoint_path(path: str) -> str:
    """Refuses what is no best checkpoint: a run removes it once it has a better one."""
    if path and (not path.endswith(".ckpt") or name_in(path) in (LAST, ONE_BEFORE)):
        raise ValueError("no best checkpoint")
    return path


CheckpointPath = Annotated[str, AfterValidator(_best_checkpoint_path)]


def _one_number(score: Tensor) -> Tensor:
    if not is_plain(score) or score.numel() != 1:
        raise ValueError("no number")
    return score


Score = Annotated[Tensor, AfterValidator(_one_number)]


class BestState(BaseModel):
    """The state that `BestCheckpoint.state_dict` returns."""

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
        """Finds best checkpoints by the beginning of their keys, where Lightning also says what they monitor."""
        if not isinstance(states, dict):
            return states
        return states | {"best": [one for key, one in states.items() if str(key).startswith("BestCheckpoint")]}


def _whole_sums(values: Tensor) -> Tensor:
    if not is_plain(values) or values.ndim == 0:
        raise ValueError("not a sum of each process")
    return values


class StoppedState(BaseModel):
    """A last.ckpt, as far as this program, and not Lightning, goes on from it."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True)

    epoch: Annotated[int, Field(ge=0)]
    global_step: Annotated[int, Field(ge=0)]
    callbacks: CallbackStates
    train_metrics: dict[str, dict[str, Annotated[Tensor, AfterValidator(_whole_sums)]]]
    data: Annotated[DataState, Field(alias="FERDataModule")]
