"""The names of the checkpoints in a run's folder. Imports no torch."""

import re

LAST, ONE_BEFORE = "last.ckpt", "one_before_last.ckpt"

CHECKPOINTS = ("best", "last")
"""Values of ckpt: the best by monitor, or that of the last epoch."""


def name_in(path: str) -> str:
    """Returns the name of a file, whichever system its path is of."""
    return re.split(r"[/\\]", path)[-1]
