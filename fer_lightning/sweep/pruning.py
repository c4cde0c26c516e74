"""Giving up a trial that does worse than most others did at the same epoch."""

from functools import partial
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback

from fer_lightning.errors import ConfigError
from fer_lightning.sweep.jobs import SHARED_STUDY_FILE, STUDY_FILE, number_of


class Pruned(Exception):  # noqa: N818 (it is no error)
    """A trial that was given up: says when, and with which score."""


class Pruning(Callback):
    """Reports the score of each epoch to the study, and ends the trial by `Pruned` if it is hopeless.

    That is when its best score so far is worse than the median of what the trials that are done had at that epoch.

    Args:
        monitor: the score.
        folder: of the trial, somewhere below the one that holds study.db or study.json.
        warmup_epochs: in these first epochs no trial is given up.
        startup_trials: no trial is given up before this number of them is done.
    """

    def __init__(self, monitor: str, folder: str, warmup_epochs: int = 2, startup_trials: int = 5) -> None:
        if warmup_epochs < 0 or startup_trials < 1:
            raise ValueError(
                f"warmup_epochs={warmup_epochs}, startup_trials={startup_trials}: at least 0 epochs and 1 trial"
            )
        self._monitor, self._folder = monitor, Path(folder)
        self._warmup_epochs, self._startup_trials = warmup_epochs, startup_trials

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        from optuna.pruners import MedianPruner  # not in every environment

        from fer_lightning.sweep.search import TrialScores, usable_study

        pruner = MedianPruner(self._startup_trials, self._warmup_epochs)
        sweep, trial = _sweep(self._folder), number_of(self._folder)
        if sweep is None or trial is None:
            raise ConfigError(f"callbacks.pruning: {self._folder} is no trial of a search: leave it out")
        self._usable_study = partial(usable_study, sweep)
        with self._usable_study():
            self._scores = TrialScores(sweep, trial, pruner)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._monitor not in trainer.callback_metrics:  # an epoch without validation
            return
        score = float(trainer.callback_metrics[self._monitor])
        with self._usable_study():
            hopeless = self._scores.hopeless(trainer.current_epoch, score)
            taken_over = hopeless and self._scores.taken_over
        if hopeless:
            why = ": another machine has taken over, since nothing was heard of this one" if taken_over else ""
            raise Pruned(
                f"after epoch {trainer.current_epoch + 1} of {trainer.max_epochs}, {self._monitor} {score:.4f}{why}"
            )


def _sweep(trial: Path) -> Path | None:
    """Returns the folder of the search that this one of a trial is in."""
    files = (STUDY_FILE, SHARED_STUDY_FILE)
    return next((folder for folder in trial.parents if any((folder / file).is_file() for file in files)), None)
