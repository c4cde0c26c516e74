"""A search that shares its study with other machines: what it asks for, takes over, and says of the others."""

import logging
import time
import zlib
from typing import Any

import optuna
from optuna.storages import RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.config.storage_url import KEY
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.sweep.jobs import PRUNED, STUDY_FILE, Outcome, job_folders, outcome
from fer_lightning.sweep.search import Search
from fer_lightning.sweep.shared_study import SILENT, SharedStudy, SignsOfLife, machine, unfinished_features
from fer_lightning.sweep.study_record import BestTrial, StudyRecord, study_record

log = logging.getLogger(__name__)

OF_A_MACHINE = ("data.path", "trainer.accelerator", "trainer.devices")
"""Keys that may differ from machine to machine."""


class SharedSearch(Search):
    """A part of a search: the trials in this folder are this machine's, and bear the numbers they have in the study.

    Args:
        shared: the study.
        search: of Search.

    Raises:
        ConfigError: the folder holds trials of another study, or the study is of another search.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """

    def __init__(self, shared: SharedStudy, *search: Any) -> None:
        self._shared = shared
        super().__init__(*search)
        places = job_folders(self._folder)
        for trial in self._in_state(TrialState.RUNNING):
            if trial.number in places:
                self._signs.begin(trial._trial_id)
        # Of those, another machine may have taken one over before the sign came.
        self._mine = {trial.number for trial in self._in_state(TrialState.RUNNING) if trial.number in places}
        self._mark_taken_over()
        self.note()

    def __str__(self) -> str:
        return f"the study {self._shared.name} in {self._shared}"

    def close(self) -> None:
        """Ends the signs of life."""
        self._signs.stop()

    @property
    def unfinished(self) -> list[int]:
        """Returns the trials of this folder that were stopped or have failed, and nobody has taken over."""
        return [trial.number for trial in self._in_state(TrialState.RUNNING) if trial.number in self._mine]

    @property
    def elsewhere(self) -> int:
        """Returns how many trials other machines are at work on."""
        return len(self._in_state(TrialState.RUNNING)) - len(self.unfinished)

    @property
    def trials(self) -> int:
        """Returns how many there are; one of a machine that is silent is none, until another has taken it over."""
        with unfinished_features():
            fail_stale_trials(self._study)
        return len(self._asked()) - len(self._in_state(TrialState.WAITING)) - len(self._taken_over())

    def ask(self) -> int:
        """Returns the number of a new trial, or of one that is to be taken over."""
        with unfinished_features():
            # Two machines that ask at the same moment see the same trials, and must not draw the same values.
            trial = self._ask(len(self._study.trials), zlib.crc32(machine(self._folder).encode()))
        self._signs.begin(trial._trial_id)
        self._mine.add(trial.number)
        trial.set_user_attr("trained_in", machine(self._folder))
        return trial.number

    def tell(self, number: int, outcome: Outcome) -> None:
        """Records what a job has come to, if the study still waits for it."""
        trial = self._study.trials[number]
        self._signs.end(trial._trial_id)
        if trial.state.is_finished():
            log.warning(
                "trial %d has been taken over by another machine, since nothing was heard of this one; the study "
                "does not have its score", number,
            )  # fmt: skip
        else:
            super().tell(number, outcome)
        self.note()

    def note(self) -> None:
        """Writes into the folder how far the study is, and which of its trials is the best."""
        record = StudyRecord(
            storage=str(self._shared), study=self._shared.name, time=time.strftime("%Y-%m-%d %H:%M:%S"),
            trials=self.trials,
        )  # fmt: skip
        if self._in_state(TrialState.COMPLETE):
            best = self._study.best_trial
            assert best.value is not None
            record.best = BestTrial(
                trial=best.number, score=best.value, overrides=self.overrides(best.number),
                trained_in=str(best.user_attrs.get("trained_in", "?")),
            )  # fmt: skip
        record.write(self._folder)

    def _opened(self, direction: StudyDirection) -> optuna.Study:
        before, this = study_record(self._folder), str(self._shared)
        if before and (before.storage, before.study) != (this, self._shared.name):
            raise ConfigError(
                f"{self._folder} holds trials of the study {before.study} in {before.storage}, and here is {self}. "
                f"Give another folder with hydra.sweep.dir=…"
            )
        if (self._folder / STUDY_FILE).exists():
            raise ConfigError(
                f"{self._folder} holds a search of its own: leave out {KEY}, or give another folder with "
                f"hydra.sweep.dir=…"
            )
        storage = self._shared.storage()
        self._signs = SignsOfLife(storage, self._shared.heartbeat)
        return optuna.create_study(
            storage=storage, study_name=self._shared.name, direction=direction, load_if_exists=True
        )

    def _shared_overrides(self) -> list[str]:
        return [one for one in self._fixed if one.partition("=")[0].lstrip("+") not in OF_A_MACHINE]

    def _in_state(self, state: TrialState) -> list[FrozenTrial]:
        return [trial for trial in self._asked() if trial.state is state]

    def _taken_over(self) -> set[int]:
        """Returns the trials whose values are another trial's now."""
        with unfinished_features():
            return {n for one in self._study.trials for n in RetryHeartbeatStaleTrialCallback.retry_history(one)}

    def _mark_taken_over(self) -> None:
        """Says so in the folders of those of this machine, which will not be run again."""
        places, gone = job_folders(self._folder), self._taken_over()
        for number in sorted(gone & places.keys()):
            if outcome(places[number], self._monitor).state in ("stopped", "failed"):
                why = f"taken over by another machine, after {SILENT * self._shared.heartbeat} s without a sign of life"
                log.info("trial %d was %s", number, why)
                with written_whole(places[number] / PRUNED) as unfinished:
                    unfinished.write_text(f"{why}\n", "utf-8")
