"""What a sweep asks of Hydra's launchers: that jobs find this program, how many run at once. Imports nothing slow."""

import os
from pathlib import Path

from omegaconf import DictConfig

from fer_lightning.installation import CHECKOUT

PLUGIN = Path(__file__).parent / "plugin"


def let_jobs_import() -> None:
    """Lets the processes that a launcher starts find this program, wherever they are started."""
    ours = [str(CHECKOUT)] if CHECKOUT else []  # a wheel is on their path already; in front, it would hide Python's own
    before = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*ours, str(PLUGIN), *before]))


def jobs_at_once(launcher: DictConfig) -> int:
    """Returns how many jobs a launcher runs at the same time."""
    if "n_jobs" in launcher:  # of joblib, where -1 is a word for all cores
        from joblib import effective_n_jobs

        return int(effective_n_jobs(launcher.n_jobs))
    return int(launcher.get("array_parallelism", 1))
