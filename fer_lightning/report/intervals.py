"""Intervals of shares over single faces."""

import math


def wilson_interval(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Returns where the true share lies with 95% confidence if hits of count are right (Wilson, JASA 1927)."""
    if count == 0:
        return 0.0, 1.0
    share, spread = hits / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
