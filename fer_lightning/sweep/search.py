"""A study of Optuna in a sweep's folder: its trials are the sweep's jobs, number by number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import MedianPruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from fer_lightning.errors import ConfigError
from fer_lightning.sweep.jobs import STUDY_FILE, Outcome, differing
from fer_lightning.sweep.shared_study import SharedStudy, reason, study_of_this_process
from fer_lightning.training.metrics import better

STUDY = "search"
"""The name of the only study in its file."""

PATIENCE = 60.0
"""Seconds that each of several processes waits for its turn to write."""

optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line for each trial is the launcher's


class Search:
    """The space that is searched, and the trials so far. A trial that has no end yet is to be run again.

    Args:
        folder: of the sweep; holds study.db.
        space: by key of the config, what may be chosen.
        fixed: overrides that all trials share.
        monitor: the score.
        sampler: makes the one that chooses, from a seed.
        seed: with a trial's number, decides what is chosen at random: a search that was stopped goes on as it would
            have.

    Raises:
        ConfigError: the folder holds a study of something else.
    """

    def __init__(
        self,
        folder: Path,
        space: dict[str, BaseDistribution],
        fixed: Sequence[str],
        monitor: str,
        sampler: Callable[..., BaseSampler],
        seed: int,
    ) -> None:
        self._folder, self._monitor = folder, monitor
        self._space, self._fixed, self._sampler, self._seed = space, list(fixed), sampler, seed
        self._study = self._opened(StudyDirection.MINIMIZE if better(monitor) == "min" else StudyDirection.MAXIMIZE)
        now = {
            "monitor": monitor,
            "fixed": self._shared_overrides(),
            "space": {k: distribution_to_json(d) for k, d in space.items()},
        }
        was = self._study.user_attrs.get("searched")
        if was is None:
            self._study.set_user_attr("searched", now)
        elif differ := differing(_words(was), _words(now)):
            raise ConfigError(f"{self} holds another search: it {differ}. Give this one hydra.sweeper.study=NAME")

    def __str__(self) -> str:
        return str(self._folder)

    def close(self) -> None:
        """Ends what runs next to the search: nothing, of this kind."""

    def _opened(self, direction: StudyDirection) -> optuna.Study:
        return optuna.create_study(
            storage=storage_in(self._folder), study_name=STUDY, direction=direction, load_if_exists=True
        )

    def _shared_overrides(self) -> list[str]:
        """Returns the overrides that all trials of the study share."""
        return self._fixed

    @property
    def unfinished(self) -> list[int]:
        """Returns the trials that were stopped or have failed."""
        return [trial.number for trial in self._asked() if trial.state is TrialState.RUNNING]

    @property
    def elsewhere(self) -> int:
        """Returns how many trials other machines are at work on."""
        return 0

    @property
    def trials(self) -> int:
        """Returns how many there are, of whatever state."""
        return len(self._asked())

    def ask(self) -> int:
        """Returns the number of a new trial."""
        return self._ask(len(self._study.trials)).number

    def _ask(self, *entropy: int) -> optuna.Trial:
        """Returns a new trial, whose values are drawn by the seed and these numbers."""
        trial_seed = int(np.random.SeedSequence((self._seed, *entropy)).generate_state(1)[0])
        self._study.sampler = self._sampler(seed=trial_seed)
        return self._study.ask(self._space)

    def overrides(self, number: int) -> list[str]:
        """Returns the overrides of the job of this trial: floats with four digits."""
        chosen = self._study.trials[number].params
        texts = {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in chosen.items()}
        return [*self._fixed, *(f"{key}={texts[key]}" for key in self._space)]

    def tell(self, number: int, outcome: Outcome) -> None:
        """Records what the job of a trial has come to; one that is neither done nor pruned stays without an end."""
        if outcome.state == "pruned":
            self._study.tell(number, state=TrialState.PRUNED)
        elif outcome.state == "done" and np.isfinite(outcome.score):
            self._study.tell(number, outcome.score)
        elif outcome.state == "done":
            self._study.tell(number, state=TrialState.FAIL)

    def _asked(self) -> list[FrozenTrial]:
        """Returns all trials but those that were killed while they were chosen."""
        return [trial for trial in self._study.trials if trial.params.keys() == self._space.keys()]


class TrialScores:
    """The scores of one trial, epoch by epoch, from the process that trains it."""

    def __init__(self, folder: Path, number: int, pruner: MedianPruner) -> None:
        shared = study_of_this_process(folder)
        name = shared.name if shared else STUDY
        self._storage = shared.storage() if shared else storage_in(folder)
        self._study = optuna.load_study(study_name=name, storage=self._storage)
        study_id = self._storage.get_study_id_from_name(name)
        self._trial = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        self._pruner = pruner

    def hopeless(self, epoch: int, score: float) -> bool:
        """Reports the score of this epoch; whether the trial should end here.

        An epoch that was reported before the trial was stopped has been judged then.
        """
        if epoch in self._storage.get_trial(self._trial).intermediate_values:
            return False
        try:
            self._storage.set_trial_intermediate_value(self._trial, epoch, score)
        except UpdateFinishedTrialError:
            return self.taken_over
        return self._pruner.prune(self._study, self._storage.get_trial(self._trial))

    @property
    def taken_over(self) -> bool:
        """Returns whether it has failed for the study, since nothing was heard of this machine for too long."""
        return self._storage.get_trial(self._trial).state is TrialState.FAIL


def storage_in(folder: Path) -> RDBStorage:
    arguments = {"timeout": PATIENCE}
    return RDBStorage(f"sqlite:///{folder.absolute() / STUDY_FILE}", engine_kwargs={"connect_args": arguments})


@contextmanager
def usable_study(folder: Path, shared: SharedStudy | None = None) -> Iterator[None]:
    """Ends in one message where the study, in this folder or shared, cannot be used; goes around all use of it.

    Raises:
        ConfigError: its file is locked or damaged, or cannot be written.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        locked = ": another process holds it. Stop that one" if "locked" in reason(error) else ". Mend that"
        where = shared or study_of_this_process(folder) or folder / STUDY_FILE
        raise ConfigError(f"{where}: {reason(error)}{locked}, and the same command goes on with the search") from error


def distribution(override: Override) -> BaseDistribution:
    """Returns what `key=interval(…)`, `key=range(…)`, `key=choice(…)` or `key=a,b,c` lets one choose from.

    Raises:
        ConfigError: it is empty, or Optuna does not take it.
    """
    value, key = override.value(), override.get_key_element()
    try:
        if isinstance(value, IntervalSweep):
            low, high, log = value.start, value.end, "log" in value.tags
            if isinstance(low, int) and isinstance(high, int):
                return IntDistribution(low, high, log)
            assert low is not None
            assert high is not None
            return FloatDistribution(low, high, log)
        if isinstance(value, RangeSweep):
            numbers, step = list(value.range()), value.step
            if isinstance(step, int) and all(isinstance(number, int) for number in numbers):
                return IntDistribution(int(numbers[0]), int(numbers[-1]), step=step)
            return FloatDistribution(numbers[0], numbers[-1], step=float(step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{key} cannot be searched: {error}") from error


def _words(searched: Mapping[str, Any]) -> list[str]:
    """Returns what is searched, for people to compare."""
    space = [f"{key} from {text}" for key, text in searched["space"].items()]
    return [f"monitor={searched['monitor']}", *searched["fixed"], *space]
