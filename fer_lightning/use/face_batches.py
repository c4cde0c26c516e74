"""Gives a network as many faces at a time as are good for it. Imports no torch."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fer_lightning.use.card import Card

MOST_AT_ONCE = 64
"""Faces in one call of a network: with more, none is faster, and memory grows with them."""


def in_batches(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]], faces: NDArray[np.uint8], card: Card
) -> NDArray[np.float32]:
    """Returns the probabilities of any number of faces, float32 (N, K), by calls with at most `MOST_AT_ONCE`.

    Raises:
        ValueError: faces of another type or shape than the card's.
    """
    side = (card.channels, card.size, card.size)
    if not isinstance(faces, np.ndarray) or faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != side:
        found = f"{faces.dtype} {faces.shape}" if isinstance(faces, np.ndarray) else type(faces).__name__
        raise ValueError(f"faces are {found}; {card.name} takes uint8 (N, {', '.join(map(str, side))})")
    calls = [probabilities(faces[start : start + MOST_AT_ONCE]) for start in range(0, len(faces), MOST_AT_ONCE)]
    return np.concatenate([np.zeros((0, len(card.class_names)), np.float32), *calls])
