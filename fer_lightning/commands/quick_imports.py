"""Imports torchmetrics, and so Lightning, without what takes a second and is for none of their classes that we use."""

import importlib
import sys
from types import ModuleType

SIGNAL = "scipy.signal"


def import_torchmetrics() -> None:
    """Imports torchmetrics without scipy.signal, which it gives an old name (`hamming`) for the sake of a package that
    measures speech. Whoever needs scipy.signal later imports it as it is."""
    if SIGNAL in sys.modules or "torchmetrics" in sys.modules:
        return
    stand_in = ModuleType(SIGNAL)
    stand_in.hamming = None  # type: ignore[attr-defined]
    sys.modules[SIGNAL] = stand_in
    try:
        importlib.import_module("torchmetrics")
    finally:
        del sys.modules[SIGNAL]
