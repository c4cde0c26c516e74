"""Kills trainings at random moments and resumes them, until each has ended: python -m tests.kills [TRAININGS] [SEED]

Each must end with the weights, the curves and the best checkpoint of one that was never stopped, bit for bit. What it
prints goes into docs/reliability.md.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.ours import composed
from fer_lightning.data.drawings.demo import drawn
from tests.stopped_runs import BASE, EVERYTHING, assert_same, fitted, left_behind, resuming, run_folder


def main(trainings: int, seed: int) -> None:
    torch.set_num_threads(1)
    chance = random.Random(seed)
    kills = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["FER_LIGHTNING_CACHE"] = name
        options = (
            *BASE,
            *EVERYTHING,
            f"data.path={drawn(faces=600, seed=1)}",
            "callbacks.last_checkpoint.minutes=0.002",
        )
        compose_in = partial(composed, "train", folder / "run")
        begun = time.monotonic()
        in_a_child(lambda: fitted(run_folder(compose_in, folder, "whole", *options)), None)
        lasts = time.monotonic() - begun
        expected = left_behind(folder / "whole")
        for number in range(trainings):
            cfg = run_folder(compose_in, folder, str(number), *options)
            while not in_a_child(partial(fitted, cfg), chance.uniform(0, lasts)):
                kills += 1
                cfg = resuming(cfg, folder / str(number))
            assert_same(left_behind(folder / str(number)), expected)
            print(f"training {number + 1} ended as the one that was never stopped; {kills} kills so far", flush=True)
    print(f"{trainings} trainings, killed {kills} times: all ended with the same bits (seed {seed})")


def in_a_child(work: Callable[[], None], seconds: float | None) -> bool:
    """Whether a process of its own has done the work before so many seconds were over, when it is killed."""
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            work()
        except BaseException as error:
            print(f"failed: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + (seconds or 1e9)
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, "a training failed instead of being killed"
            return True
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["20", "0"][len(sys.argv) - 1 :])))
