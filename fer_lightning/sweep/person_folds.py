"""data.folds=persons in a sweep over folds: as many jobs as there are persons, whom nobody has to count."""

import logging
from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, open_dict

from fer_lightning.config.parts import made
from fer_lightning.config.run_config import refuse_untrusted
from fer_lightning.data.module import FERDataModule
from fer_lightning.data.set_splits import rows_of_splits, splitting_of
from fer_lightning.data.splits import person_count
from fer_lightning.errors import ConfigError, DataError

log = logging.getLogger(__name__)


def leaves_folds_open(ready_made: Sequence[str], typed: Sequence[str]) -> bool:
    """Checks for data.folds=persons where data.fold is in the sweep's yaml alone, and so is not meant for it."""
    keys = {word.partition("=")[0] for word in typed}
    folds = [word for word in (*ready_made, *typed) if word.partition("=")[0] == "data.folds"]
    in_yaml = any(word.startswith("data.fold=") for word in ready_made)
    return in_yaml and "data.fold" not in keys and folds[-1:] == ["data.folds=persons"]


def person_folds(config: DictConfig, loader: ConfigLoader, jobs: Sequence[Sequence[str]]) -> int:
    """Returns the number of persons that there are to leave out, of whom the data is read.

    Args:
        config: of the sweep.
        loader: that composes the configs of its jobs.
        jobs: the overrides of one job for each combination of what else the sweep varies.

    Raises:
        ConfigError: data that cannot be used, without persons, or of another number of them in another job.
    """
    counts: dict[tuple[str, ...], int] = {}
    for job in jobs:
        if (words := tuple(word for word in job if word.lstrip("+~").startswith("data"))) not in counts:
            counts[words] = _persons(loader.load_sweep_config(config, list(job)))
    if len({*counts.values()}) > 1:
        found = "; ".join(f"{count} with {' '.join(words)}" for words, count in counts.items())
        raise ConfigError(f"data.folds is persons, and their number differs between the jobs: {found}. Sweep over one")
    count = next(iter(counts.values()))
    log.info("data.folds=persons: %d persons to train on, of whom each job leaves out one", count)
    return count


def _persons(cfg: DictConfig) -> int:
    with open_dict(cfg):
        del cfg["hydra"]  # as a job gets its config
    refuse_untrusted(cfg)
    data: FERDataModule = made("data", cfg.data)
    try:
        faces = data.source_faces()
        rows, _ = rows_of_splits(faces, splitting_of(data.sets, faces), ("train",))
    except DataError as error:
        raise ConfigError(str(error)) from error
    if faces.persons is None:
        raise ConfigError(f"data.folds is persons, but {data.source} does not say whose faces they are")
    return person_count(faces, rows["train"])
