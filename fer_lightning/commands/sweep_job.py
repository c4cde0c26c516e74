"""A training that is a job of a sweep: it is done once, and its failure does not end the others."""

import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_lightning.commands.failures import in_one_message
from fer_lightning.commands.wandb_runs import ends_its_wandb_run
from fer_lightning.config.random_seed import with_seed
from fer_lightning.config.typed_command import as_typed
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.sweep.jobs import FAILED, PRUNED, job
from fer_lightning.sweep.pruning import Pruned

log = logging.getLogger(__name__)


def train_as_job(train: Callable[[DictConfig, Path], float], cfg: DictConfig, run_dir: Path) -> float:
    """Trains as a job of a sweep. One that fails says so at once and leaves error.txt, and the others go on.

    A job that is done already, since its sweep was stopped and is being continued, only returns its score.
    """
    with job(run_dir, cfg.monitor) as before:
        if before.state in ("done", "pruned"):
            with_seed(cfg, run_dir)  # Hydra has written the job's config again
            return before.score
        if threads := HydraConfig.get().launcher.get("cpus_per_task"):  # of submitit; joblib sets them for its workers
            torch.set_num_threads(threads)
        log.info("job %s computes on %d of %d cores", run_dir.name, torch.get_num_threads(), os.cpu_count())
        try:
            with ends_its_wandb_run():
                return train(cfg, run_dir)
        except Pruned as why:
            log.info("pruned: %s", why)
            with written_whole(run_dir / PRUNED) as unfinished:
                unfinished.write_text(f"{why}\n", "utf-8")
        except Exception as raised:
            error = in_one_message(raised, as_typed(run_dir)) or raised
            # A traceback for what its user cannot mend; one message for what they can.
            log.error("this job failed: %s", error, exc_info=not isinstance(error, ConfigError))
            with written_whole(run_dir / FAILED) as unfinished:
                unfinished.write_text(f"{type(error).__name__}: {error}\n", "utf-8")
    return math.nan
