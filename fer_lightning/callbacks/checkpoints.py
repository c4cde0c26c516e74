"""Checkpoints that are whole or not there, and the one that a stopped run goes on from."""

import io
import logging
import os
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from pydantic import PositiveFloat

from fer_lightning.callbacks.fit_loop import rejoin, set_step_of_loggers, settle
from fer_lightning.callbacks.stop_signals import Stopped, StopSignals
from fer_lightning.errors import ConfigError
from fer_lightning.files import plain_values, written_whole
from fer_lightning.signature import checked
from fer_lightning.training.checkpoint_names import LAST, ONE_BEFORE, name_in
from fer_lightning.training.savable import unsavable

log = logging.getLogger(__name__)


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's way to the disk: a checkpoint gets its name once all of it is there; reading one executes nothing.

    The last.ckpt before the one that is written stays, as one_before_last.ckpt. Lightning itself removes whatever a
    checkpoint's state names, folders too.

    Args:
        run_dir: what is written or removed lies in this folder, also where links are followed.
    """

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self.run_dir = run_dir

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        if problem := unsavable(checkpoint, "checkpoint"):  # nothing could go on from it; the one before it stays
            raise ConfigError(f"{path.name} is not written: {problem}")
        content = io.BytesIO()  # torch hides that a disk is full behind errors of its own
        torch.save(checkpoint, content)
        if not self._is_ours(path):
            raise ConfigError(f"{path} is outside of {self.run_dir}, where this run keeps its checkpoints")
        path.parent.mkdir(parents=self.run_dir.exists(), exist_ok=True)  # but not a run's folder that is gone
        with written_whole(path) as unfinished:
            with unfinished.open("wb") as file:
                file.write(content.getbuffer())
            if path.name == LAST and path.exists():
                os.replace(path, path.with_name(ONE_BEFORE))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        """Removes a checkpoint of this run, and nothing else: no folder, and no link."""
        path = Path(path)
        if path.suffix == ".ckpt" and path.is_file() and not path.is_symlink() and self._is_ours(path):
            path.unlink()

    def _is_ours(self, path: Path) -> bool:
        return path.parent.resolve().is_relative_to(self.run_dir.resolve())


class BestCheckpoint(ModelCheckpoint):
    """Lightning's, which forgets the best score so far if the run's folder has another name when it is resumed.

    Of the paths in a checkpoint only the names count: the files lie where this run keeps its own.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / name_in(path)) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        super().load_state_dict(
            state_dict
            | {"dirpath": self.dirpath}
            | {name: here(state_dict[name]) for name in paths}
            | {"best_k_models": {here(path): score for path, score in state_dict["best_k_models"].items()}}
        )


class LastCheckpoint(Callback):
    """Keeps what a run goes on from after any kind of stop: last.ckpt, and the one before it.

    It is written between two steps, when all that belongs to the first is done and nothing of the second has begun: at
    the start of each epoch, after some minutes within one, when a signal asks the run to stop, and at the end. For
    that it must be the first of the callbacks.

    Args:
        dirpath: folder of the checkpoints.
        minutes: how often within an epoch.

    Raises:
        ValueError: minutes is not above 0.
        Stopped: in training, once a signal has come.
    """

    @checked
    def __init__(self, dirpath: str, minutes: PositiveFloat = 10.0) -> None:
        self.folder, self.minutes = Path(dirpath), minutes
        self.seconds = 0.0  # of training, before this process
        self.max_epochs: int | None = None  # of the run that wrote what was loaded
        self.finished = False
        self.score: float | None = None  # by monitor, at the end of training
        self._signals = StopSignals()
        self._begun = self._saved = time.monotonic()
        self._saving_between_epochs: bool | None = None
        self._steps: int | None = None  # of the loggers, where a run goes on within an epoch

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begun = self._saved = time.monotonic()
        if self.finished and trainer.max_epochs == self.max_epochs:
            trainer.should_stop = True  # it was stopped early, and killed before its test

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.finished, self.max_epochs = False, trainer.max_epochs
        self._steps = rejoin(trainer)
        self._signals.listen()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer, between_epochs=True)
        self._end_if_asked(trainer)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._steps is not None:
            set_step_of_loggers(trainer, self._steps)
            self._steps = None
        if batch_idx == 0 or batch_idx % trainer.accumulate_grad_batches:  # gradients are not kept
            return
        signal, is_time = self._agreed(trainer)
        if signal or is_time:
            self._save(trainer, between_epochs=False)
        if signal:
            raise Stopped(signal)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.finished = True
        score = trainer.callback_metrics.get(getattr(trainer.checkpoint_callback, "monitor", None) or "")
        if score is not None and score.isfinite():
            self.score = float(score)
        self._save(trainer, between_epochs=True)
        self._end_if_asked(trainer)
        self._signals.leave()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._signals.leave()

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._saving_between_epochs is not None:
            settle(checkpoint, self._saving_between_epochs)

    def state_dict(self) -> dict[str, Any]:
        seconds = self.seconds + time.monotonic() - self._begun
        return {"seconds": seconds, "max_epochs": self.max_epochs, "finished": self.finished, "score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds, self.max_epochs = state_dict["seconds"], state_dict["max_epochs"]
        self.finished, self.score = state_dict["finished"], state_dict.get("score")

    def _save(self, trainer: L.Trainer, between_epochs: bool) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for logger in trainer.loggers:  # the curves reach as far as the checkpoint
            logger.save()
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.flush()
        self._saving_between_epochs = between_epochs
        trainer.save_checkpoint(self.folder / LAST)
        self._saving_between_epochs = None
        self._saved = time.monotonic()

    def _end_if_asked(self, trainer: L.Trainer) -> None:
        signal, _ = self._agreed(trainer)
        if signal:
            raise Stopped(signal)

    def _agreed(self, trainer: L.Trainer) -> tuple[int, bool]:
        """Returns a signal that any of the processes has received, else 0, and whether it is time for a checkpoint."""
        signal, is_time = self._signals.received or 0, time.monotonic() - self._saved > 60 * self.minutes
        if trainer.world_size == 1:
            return signal, is_time
        wishes = torch.tensor([signal, is_time], device=trainer.strategy.root_device)
        signal, is_due = trainer.strategy.reduce(wishes, reduce_op="max").tolist()
        return signal, bool(is_due)


def newest_whole(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Returns the checkpoint to go on from and its content: last.ckpt or, where that is damaged, the one before it."""
    for name in (LAST, ONE_BEFORE):
        path = folder / name
        if path.exists():
            try:
                return path, plain_values(path)
            except ValueError as error:
                log.warning("%s: it is not used", error)
    return None
