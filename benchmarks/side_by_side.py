"""Timing of several ways to do the same thing, in turns, so that a noisy machine is noisy for all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fer_lightning.report.results_table import markdown_table


def timed(way: Callable[[], object]) -> Callable[[], float]:
    """A function that does it and returns the seconds."""

    def seconds() -> float:
        started = time.perf_counter()
        way()
        return time.perf_counter() - started

    return seconds


def medians(ways: Mapping[str, Callable[[], float]], repeats: int, warm_up: int = 1) -> dict[str, float]:
    """The median seconds of each way over the repeats, which take turns; the warm-up rounds do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm_up + repeats):
        for name, way in ways.items():
            taken = way()
            if turn >= warm_up:
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


def markdown(title: str, rows: list[dict[str, str]]) -> str:
    """A heading and a table."""
    return f"\n### {title}\n\n{markdown_table(rows)}"


def peak_megabytes() -> float:
    """The most memory that this process has had; not of the one that started it, as ru_maxrss has it on Linux."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) / 1e3 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    import resource  # which Windows does not have

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
