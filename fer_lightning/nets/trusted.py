"""Whose code may be imported for a run: what the user lists in the environment, and what declares itself. No torch."""

import os
from importlib.metadata import entry_points

VARIABLE, ENTRY_POINTS = "FER_LIGHTNING_TRUST", "fer_lightning.trusted"


def trusted_modules() -> list[str]:
    """Returns the packages, modules and names that the user trusts: code of theirs that may be imported for a run.

    They are named by $FER_LIGHTNING_TRUST, with commas between several, or by an installed package's entry point in the
    group fer_lightning.trusted, whose value is the module.
    """
    installed = [entry.value.partition(":")[0].strip() for entry in entry_points(group=ENTRY_POINTS)]
    return [*listed_modules(), *filter(None, installed)]


def listed_modules() -> list[str]:
    """Returns those that $FER_LIGHTNING_TRUST names."""
    return [name for name in map(str.strip, os.environ.get(VARIABLE, "").split(",")) if name]
