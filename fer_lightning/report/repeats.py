"""Overrides that make runs repeats of each other: what remains the same is what is measured."""

REPEATS = ("seed", "data.fold", "data.split_seed")
"""seed: the luck of the training. data.fold: another part of the same faces is val. data.split_seed: likewise where val
(or test) is drawn from them at random, or where the folds are."""


def repeat_key(key: str) -> str | None:
    """Returns which of `REPEATS` an override's key is, also of `+key` and `++key`; None for all others."""
    plain = key.lstrip("+")
    return plain if plain in REPEATS else None
