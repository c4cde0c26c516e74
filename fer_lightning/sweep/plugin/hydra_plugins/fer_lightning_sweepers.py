"""How `train.py -m` comes to its jobs.

Hydra takes sweepers only from modules of hydra_plugins, a package that many folders share: command_line.launch puts
this one among them. Imported by --help too, so nothing slow is imported here.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, filter_overrides
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.command_line import give_up
from fer_lightning.config.hydra_files import save_config
from fer_lightning.config.storage_url import KEY, URL_VARIABLE, refuse_written_password, with_password
from fer_lightning.errors import ConfigError
from fer_lightning.sweep.launchers import following, jobs_at_once, let_jobs_import
from fer_lightning.sweep.subdirs import refuse_shared_folders, subdirs, typed_subdir

if TYPE_CHECKING:
    from fer_lightning.sweep.jobs import Outcome
    from fer_lightning.sweep.search import Search
    from fer_lightning.sweep.shared_study import SharedStudy

log = logging.getLogger(__name__)

HOPELESS = 3
"""If the first trials of a search fail, this number of them, it ends: something is wrong with what they share."""


class GridSweeper(BasicSweeper):
    """Hydra's own, all combinations as one batch, in a folder that can be continued."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        let_jobs_import()
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        from fer_lightning.sweep.jobs import PLAN, STUDY_FILE, continuing, held, refuse_other_jobs
        from fer_lightning.sweep.person_folds import leaves_folds_open, person_folds

        assert self.config is not None
        assert self.hydra_context is not None
        loader, folder = self.hydra_context.config_loader, Path(self.config.hydra.sweep.dir)
        parser = OverridesParser.create(config_loader=loader)
        try:
            if leaves_folds_open(self._parse_config(), arguments):
                one_each = parser.parse_overrides([*self._parse_config(), *arguments, "data.fold=0"])
                (jobs,) = self.split_arguments(one_each, None)
                arguments = [*arguments, f"data.fold=range({person_folds(self.config, loader, jobs)})"]
            overrides = parser.parse_overrides([*self._parse_config(), *arguments])
            batches = self.split_arguments(overrides, self.max_batch_size)
            with held(folder):
                jobs = [list(filter_overrides(job)) for batch in batches for job in batch]
                if (folder / STUDY_FILE).exists():
                    raise ConfigError(f"{folder} holds a search: go on with it by sweep=optuna or sweep=random")
                if (subdir := typed_subdir(self.config)) is not None:
                    refuse_shared_folders(subdirs(self.config, loader, jobs), subdir)
                refuse_other_jobs(folder, jobs)
                save_config(OmegaConf.create(jobs), folder / PLAN)
                log.info("If this sweep is stopped, it goes on with\n  %s", continuing(self.config))
                return super().sweep(arguments)
        except ConfigError as error:
            give_up(error)


@dataclass
class GridSweeperConf(BasicSweeperConf):
    _target_: str = f"{__name__}.GridSweeper"


# In the place of Hydra's own, which is what -m takes where nothing else is chosen.
ConfigStore.instance().store(group="hydra/sweeper", name="basic", node=GridSweeperConf, provider="fer_lightning")


class SearchSweeper(Sweeper):
    """Jobs that are trials of a study of Optuna: what it chooses for the next depends on those before.

    Args:
        study: the name of the sweep's folder.
        n_trials: all trials of the study, those of earlier commands included.
        side_by_side: how many to ask for at once; None: `at_once`.
        seed: of the sampler.
        sampler: with a seed, Optuna's.
        params: by key, what may be chosen: `interval(…)`, `tag(log, interval(…))`, `range(…)`, `choice(…)`.
        storage: the URL of a database in which several machines share the study; None: a file in the sweep's folder.
        heartbeat: seconds from one sign of life to the next, in such a database.
    """

    def __init__(
        self,
        study: str,
        n_trials: int,
        side_by_side: int | None,
        seed: int,
        sampler: DictConfig,
        params: DictConfig,
        storage: str | None = None,
        heartbeat: int = 60,
    ) -> None:
        self.study, self.n_trials, self.seed = study, n_trials, seed
        self.side_by_side, self.sampler, self.params = side_by_side, sampler, params
        self.storage, self.heartbeat = storage, heartbeat

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        let_jobs_import()
        if find_spec("optuna") is None:
            give_up(ConfigError("sweep=optuna and sweep=random need a package: pip install optuna"))
        for key in ("n_trials", "side_by_side", "seed", "heartbeat"):
            value, least = getattr(self, key), 0 if key == "seed" else 1
            if (key, value) != ("side_by_side", None) and not (type(value) is int and value >= least):
                give_up(ConfigError(f"hydra.sweeper.{key} is {value}; it is a whole number, at least {least}"))
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def at_once(self, launcher: DictConfig) -> int:
        """Returns how many trials to ask for before one has a score: side_by_side, or what the launcher runs at once.

        In the latter case a fourth of all at most: those that are asked for at once cannot learn from each other.
        RandomSampler's never do.
        """
        if self.side_by_side is not None:
            return self.side_by_side
        learns = not self.sampler._target_.endswith(".RandomSampler")
        most = max(1, self.n_trials // 4) if learns else self.n_trials
        return min(jobs_at_once(launcher), most)

    def sweep(self, arguments: list[str]) -> Any:
        from fer_lightning.sweep.jobs import PLAN, held
        from fer_lightning.sweep.search import usable_study

        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir)
        try:
            shared = self._shared()
            another = ". Another process for the same study needs another hydra.sweep.dir=…" if shared else ""
            with held(folder, another), usable_study(folder, shared):
                if (folder / PLAN).exists():
                    raise ConfigError(f"{folder} holds a sweep that is no search: give another hydra.sweep.dir=…")
                with closing(self._opened(folder, arguments, shared)) as search:
                    return self._search(folder, search)
        except ConfigError as error:
            give_up(error)

    def _shared(self) -> "SharedStudy | None":
        """Returns where the study is, if not in the folder; the jobs find its URL in the environment."""
        from fer_lightning.sweep.shared_study import SharedStudy

        if self.storage is None:
            return None
        raw = OmegaConf.to_container(self.config.hydra.sweeper, resolve=False)  # type: ignore[union-attr]
        refuse_written_password(str(raw["storage"]))  # type: ignore[index,call-overload]
        url = os.environ[URL_VARIABLE] = with_password(str(self.storage))
        return SharedStudy(url, str(self.study), self.heartbeat)

    def _opened(self, folder: Path, arguments: list[str], shared: "SharedStudy | None") -> "Search":
        from fer_lightning.sweep.jobs import SHARED_STUDY_FILE
        from fer_lightning.sweep.search import Search, distribution
        from fer_lightning.sweep.shared_search import SharedSearch

        assert self.config is not None
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        words = [*(f"{key!s}={value}" for key, value in self.params.items()), *arguments]
        overrides = {override.get_key_element(): override for override in parser.parse_overrides(words)}
        space = {key: distribution(one) for key, one in overrides.items() if one.is_sweep_override()}
        if not space:
            raise ConfigError("nothing is searched: say what, as in 'optimizer.lr=tag(log,interval(0.001,0.1))'")
        fixed = [f"{k}={one.get_value_element_as_str()}" for k, one in overrides.items() if k not in space]
        sampler = instantiate(self.sampler, _partial_=True)
        search = (folder, space, fixed, self.config.monitor, sampler, self.seed)
        if shared:
            return SharedSearch(shared, *search)
        if (folder / SHARED_STUDY_FILE).exists():
            raise ConfigError(f"{folder} holds trials of a shared study: give its {KEY}=… or another hydra.sweep.dir=…")
        return Search(*search)

    def _search(self, folder: Path, search: "Search") -> list[Sequence[JobReturn]]:
        from fer_lightning.sweep.jobs import continuing

        assert self.config is not None
        save_config(self.config, folder / "multirun.yaml")
        left, unfinished = self.n_trials - search.trials, search.unfinished
        if left <= 0 and not unfinished:
            what = "The study %s has all its trials, %d. With hydra.sweeper.n_trials=%d it goes on; another "
            log.info(what + "hydra.sweeper.study=NAME begins a new one.", search, search.trials, 2 * search.trials)
            self._log_elsewhere(search)
            return []
        counts = (search.trials, len(unfinished), max(0, left), self.at_once(self.config.hydra.launcher))
        log.info("%d trials so far, %d to be run again, %d to come, asked for %d at a time", *counts)
        log.info("If this search is stopped, it goes on with\n  %s", continuing(self.config))
        returns: list[Sequence[JobReturn]] = []
        states: list[str] = []
        for numbers in self._batches(search):
            results, outcomes = self._run(folder, search, numbers)
            returns.append(results)
            states += [one.state for one in outcomes]
            if len(states) >= HOPELESS and set(states) == {"failed"}:
                log.error("all of the first %d trials failed: the search ends here", len(states))
                break
        return returns

    def _batches(self, search: "Search") -> Iterator[list[int]]:
        """Yields numbers that follow each other, since a launcher counts on from the first."""
        size = self.at_once(self.config.hydra.launcher)  # type: ignore[union-attr]
        yield from following(search.unfinished, size)
        while (left := self.n_trials - search.trials) > 0:
            yield from following([search.ask() for _ in range(min(size, left))], size)
        self._log_elsewhere(search)

    def _log_elsewhere(self, search: "Search") -> None:
        if search.elsewhere:
            log.info("%d trials are at work elsewhere; this command takes over those that stop", search.elsewhere)

    def _run(self, folder: Path, search: "Search", numbers: list[int]) -> tuple[Sequence[JobReturn], list["Outcome"]]:
        from fer_lightning.sweep.jobs import job_folders, outcome

        assert self.config is not None
        assert self.launcher is not None
        batch = [search.overrides(number) for number in numbers]
        self.validate_batch_is_legal(batch)
        results = self.launcher.launch(batch, initial_job_idx=numbers[0])
        for result in results:
            _ = result.return_value  # raises what the job has raised
        places = job_folders(folder)
        for number in numbers:
            if number not in places:
                raise ConfigError(
                    f"{folder}: two trials share a folder. Name the number of the job in hydra.sweep.subdir, as in "
                    f"trial_${{hydra.job.num}}"
                )
        outcomes = [outcome(places[number], self.config.monitor) for number in numbers]
        for number, came_to in zip(numbers, outcomes, strict=True):
            search.tell(number, came_to)
        return results, outcomes
