"""Sets up Hydra's launchers for a sweep: jobs find this program, some run at once. Imports nothing slow."""

import os
from collections.abc import Sequence
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


def following(numbers: Sequence[int], most: int) -> list[list[int]]:
    """Returns the numbers of jobs as a launcher can take them: lists that count on from their first.

    most: of them in one list.
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1 and len(runs[-1]) < most:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
