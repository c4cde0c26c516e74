"""Times networks in turns, so that a noisy machine is noisy for all of them; and which int8 instructions it has."""

import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DOT_PRODUCTS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "i8mm": "I8MM",
    "asimddp": "dot products (NEON)",
}
"""Flags of processors that add up products of int8 in one instruction, as Linux calls them."""

UNCOUNTED = 0.1
"""Share of the turns, and at least one, that is not counted."""


def in_turns(calls: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Returns the seconds that each call took, each time, without those of the warm-up.

    Args:
        seconds: for each of them, and at least three times each.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    started = time.perf_counter()
    while time.perf_counter() - started < seconds * len(calls) or any(len(each) < 3 for each in times.values()):
        for name, call in calls.items():
            before = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - before)
    return {name: each[max(int(len(each) * UNCOUNTED), 1) :] for name, each in times.items()}


def int8_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Returns what this processor has for products of int8, in words."""
    if not cpuinfo.is_file():
        return f"{platform.processor() or platform.machine()}, whose int8 instructions are not known"
    lines = cpuinfo.read_text("utf-8", errors="replace").splitlines()
    flags = next((line.split() for line in lines if re.match("flags|Features", line)), [])
    found = [words for flag, words in DOT_PRODUCTS.items() if flag in flags]
    return _and(found) if found else "no int8 dot products (VNNI)"


def _and(words: Sequence[str]) -> str:
    return " and ".join(words)
