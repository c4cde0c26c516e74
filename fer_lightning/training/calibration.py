"""What makes a network's probabilities mean something: one temperature, and the confidence below which it is unsure."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from fer_lightning.signature import Positive, refuse_out_of_range


@dataclass(frozen=True)
class Calibration:
    """What was fitted on val when a run ended. A checkpoint and model.safetensors hold it.

    Args:
        temperature: what logits are divided by, so that of faces with confidence p the share p is right (Guo et al.,
            ICML 2017).
        unsure_below: the confidence below which the label is "unsure".

    Raises:
        ValueError: an argument outside its range.
    """

    temperature: Positive = 1.0
    unsure_below: Annotated[float, Field(ge=0, le=1)] = 0.0

    def __post_init__(self) -> None:
        refuse_out_of_range(Calibration, vars(self))
