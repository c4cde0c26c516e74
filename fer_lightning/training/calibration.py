"""What makes a network's probabilities mean something: one temperature, and the confidence below which it is unsure.

Imports no torch.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from fer_lightning.signature import refuse_out_of_range

LOWEST, HIGHEST = 0.05, 20.0
"""Ends of the temperatures. Networks trained by cross-entropy lie between 0.5 and 5; one trained by a squared error has
logits from 0 to 1, and needs about 0.2."""

Temperature = Annotated[float, Field(ge=LOWEST, le=HIGHEST)]

Confidence = Annotated[float, Field(ge=0, le=1)]


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

    temperature: Temperature = 1.0
    unsure_below: Confidence = 0.0

    def __post_init__(self) -> None:
        refuse_out_of_range(Calibration, vars(self))
