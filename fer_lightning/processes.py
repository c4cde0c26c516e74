"""Several processes that train one network, told apart by their environment, before torch or Hydra is there.

torchrun and srun start all of them, each with the same command; otherwise the first one starts the others. The first
has the run's folder, the log and the console; the others only compute.
"""

import atexit
import contextlib
import multiprocessing
import os
import sys
import threading
import time
from typing import NoReturn

GRACE = 5.0
"""Seconds that another process than the first waits before it reports a mistake. If the first has made the same one,
it has ended until then, and torchrun or srun has ended this one with it: so each mistake is reported once."""


def process_rank() -> int:
    """Returns the number of this process: 0 for the first one, also where it is the only one."""
    environment = os.environ
    if "RANK" in environment:  # torchrun
        return int(environment["RANK"])
    if processes_of_srun() > 1:
        return int(environment["SLURM_PROCID"])
    return int(environment.get("LOCAL_RANK", 0))  # one that Lightning has started, after the first


def processes_started() -> int:
    """Returns the number of processes; 1 also before the first one starts others."""
    return int(os.environ.get("WORLD_SIZE", processes_of_srun()))


def processes_of_srun() -> int:
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))


def side_by_side() -> bool:
    """Returns whether this process is one of several that share a console: a worker of joblib."""
    return multiprocessing.current_process().name != "MainProcess"


def leave_files_and_console_to_the_first() -> None:
    """Sets Hydra's options, by the command line, such that this process makes no folder and no file, and logs errors
    only."""
    sys.argv += [
        "hydra.output_subdir=null",
        "hydra/job_logging=stdout",
        "++hydra.job_logging.handlers.console.level=ERROR",
    ]
    if not any(argument.startswith("hydra.run.dir=") for argument in sys.argv):
        # Hydra makes this folder if it is not there: the first one's name, with its time, is not known here.
        sys.argv.append("hydra.run.dir=.")


def end_with(text: str) -> NoReturn:
    """Ends the program with exit status 1 and a message, which several processes give once."""
    if rank := process_rank():
        time.sleep(GRACE)
        sys.exit(f"error in process {rank} of {processes_started()}: {text}")
    sys.exit(f"error: {text}")


def end_quickly() -> NoReturn:
    """Ends the program with exit status 0, without the 2 s that Python takes to search all of PyTorch for garbage.

    As at any other end, other threads are waited for, and what others have registered for the end is done.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # which are not there where they were closed
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(0)
