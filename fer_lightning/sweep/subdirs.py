"""hydra.sweep.subdir: the names of the folders of a sweep's jobs, where somebody gives them others than numbers."""

from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from fer_lightning.errors import ConfigError


def typed_subdir(config: DictConfig) -> str | None:
    """Returns hydra.sweep.subdir as it was typed; None where it is just the number of the job."""
    sweep: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    return None if sweep["subdir"] == "${hydra.job.num}" else str(sweep["subdir"])


def subdirs(config: DictConfig, loader: ConfigLoader, jobs: Sequence[Sequence[str]]) -> list[str]:
    """Returns what hydra.sweep.subdir comes to for each job, by its overrides."""
    names, before = [], HydraConfig.instance().cfg
    for number, overrides in enumerate(jobs):
        job_config = loader.load_sweep_config(config, list(overrides))
        with open_dict(job_config):
            job_config.hydra.job.id = job_config.hydra.job.num = number
        HydraConfig.instance().set_config(job_config)  # for references like ${hydra:job.num}
        names.append(str(job_config.hydra.sweep.subdir))
    HydraConfig.instance().cfg = before
    return names


def refuse_shared_folders(folders: Sequence[str], subdir: str) -> None:
    """Refuses a name for the folders of jobs that is the same for two of them.

    Args:
        folders: of the jobs, by number.
        subdir: what hydra.sweep.subdir is.

    Raises:
        ConfigError: names the first two.
    """
    for number, folder in enumerate(folders):
        if (first := folders.index(folder)) < number:
            raise ConfigError(
                f"hydra.sweep.subdir is {subdir}: jobs {first} and {number} would share the folder {folder}. Name "
                f"all that differs between them, or the number of the job, as in {subdir}_${{hydra.job.num}}"
            )
