"""Lightning's loop over epochs and batches, for runs that go on within an epoch.

This file alone changes what is in it; data/ only reads there how many batches of the epoch have begun.

Lightning's counts of what has begun (ready, started, processed) run ahead of those of what is done (completed). A
checkpoint is written between two steps, when nothing is under way, and must say just that.
"""

from typing import Any

import lightning as L


def rejoin(trainer: L.Trainer) -> int | None:
    """Lets a run begin where its checkpoint was written; returns the step of the loggers if that is within an epoch.

    Lightning would else count the first epoch of a resumed run as one that was cut short: its plateau scheduler would
    skip it, and an epoch that begins would be taken for one that ends.
    """
    epochs = trainer.fit_loop.epoch_progress.current
    trainer.fit_loop.restarting = False
    loop = trainer.fit_loop.epoch_loop
    loop.restarting = epochs.ready > epochs.completed
    return loop._batches_that_stepped if loop.restarting else None


def set_step_of_loggers(trainer: L.Trainer, step: int) -> None:
    """Takes back that Lightning has counted an idle batch as a step.

    It begins with one where a run goes on right after a validation within an epoch.
    """
    trainer.fit_loop.epoch_loop._batches_that_stepped = step


def settle(checkpoint: dict[str, Any], between_epochs: bool) -> None:
    """Lets the counts in a checkpoint of what has begun say that nothing has.

    Args:
        checkpoint: as Lightning is about to write it.
        between_epochs: the running epoch has not begun either.
    """
    loop = checkpoint["loops"]["fit_loop"]
    batches = loop["epoch_loop.batch_progress"]
    settled = [batches["total"], batches["current"]]
    if between_epochs:
        settled += loop["epoch_progress"].values()
        batches["current"]["completed"], batches["is_last_batch"] = 0, False
    for counts in settled:
        counts["ready"] = counts["started"] = counts["processed"] = counts["completed"]


def running_batch(trainer: L.Trainer) -> int:
    """Returns the number of the batch in its epoch, from 0."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.ready - 1


def goes_on_within_epoch(trainer: L.Trainer) -> bool:
    """Returns whether a run that was stopped within an epoch has just been taken up: it has no start of that epoch."""
    return trainer.fit_loop.restarted_mid_epoch
