"""The threads that a run computes on: on the CPU, the last bits of sums depend on their number, and so the weights."""

import logging
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

log = logging.getLogger(__name__)


class ThreadCount(Callback):
    """Keeps the number of threads with each checkpoint, and warns if a run goes on with another."""

    def __init__(self) -> None:
        self._before: object = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        now = torch.get_num_threads()
        if isinstance(self._before, int) and self._before != now and trainer.strategy.root_device.type == "cpu":
            log.warning(
                "this run goes on with a number of threads of %d, and had %d before: its weights will differ in their "
                "last bits from those of a run that was not stopped (OMP_NUM_THREADS sets the number)",
                now,
                self._before,
            )

    def state_dict(self) -> dict[str, Any]:
        return {"threads": torch.get_num_threads()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before = state_dict.get("threads")
