"""The built-in data set: faces drawn by this program, as a fer2013.csv in the user's cache.

Good for trying things out without any download. The seven emotions differ by the action units that the
literature gives them (table in expression.py). What is learnt from drawings is no use on photographs.
"""

import csv
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt
from tqdm import tqdm

from fer_lightning.data.cache import cache_dir
from fer_lightning.data.drawings.photo import photo
from fer_lightning.data.faces import EMOTIONS
from fer_lightning.errors import DataError
from fer_lightning.files import written_whole
from fer_lightning.signature import checked

DRAWING_VERSION = 1
"""Part of the folder's name: raise it when the same seed gives other pictures than before."""

FER2013_COUNTS = (4953, 547, 5121, 8989, 6077, 4002, 6198)
"""Faces of each emotion in FER2013, in the order of its labels."""

FER2013_PARTS = {"Training": 0.8, "PublicTest": 0.1, "PrivateTest": 0.1}

FEWEST_FACES = 70
"""Disgust is one face in 66: with fewer than these, there may be none."""

MOST_FACES = 200_000
"""These take 1.8 GB on the disk, and an hour to draw."""

log = logging.getLogger(__name__)


@checked
def drawn(faces: Annotated[int, Field(ge=FEWEST_FACES, le=MOST_FACES)] = 7000, seed: NonNegativeInt = 0) -> Path:
    """Returns a CSV file of drawn faces in the form of fer2013.csv, drawn when it is first asked for.

    The same `faces` and `seed` give the same file.

    Raises:
        ValueError: an argument outside its range.
        DataError: a cache that takes no file.
    """
    log.warning(
        "data=demo: these faces are drawings made by this program, good for trying things out only. "
        "The real thing is data=fer2013 data.path=…"
    )
    path = cache_dir() / f"demo-{faces}-seed{seed}-v{DRAWING_VERSION}" / "fer2013.csv"
    try:
        if not path.exists():
            log.warning("Drawing %d faces, once, into %s", faces, path)
            started = time.perf_counter()
            _write(path, faces, seed)
            log.warning("Drew %d faces in %.1f s", faces, time.perf_counter() - started)
    except OSError as error:
        raise DataError(
            f"{path.parent}: the drawn faces cannot be written there ({error.strerror or error}). Name another folder, "
            f"with room for {8 * faces / 1000:,.0f} MB, in the environment variable FER_LIGHTNING_CACHE."
        ) from error
    return path


def labels_and_parts(faces: int, seed: int) -> list[tuple[int, str]]:
    """Returns a label and a Usage per face: part after part, each with FER2013's share of each emotion."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, str]] = []
    for part, size in zip(FER2013_PARTS, _shared_out(faces, list(FER2013_PARTS.values())), strict=True):
        labels = np.repeat(np.arange(len(EMOTIONS)), _shared_out(size, FER2013_COUNTS))
        rows += [(label, part) for label in rng.permutation(labels).tolist()]
    return rows


def _shared_out(total: int, shares: Sequence[float]) -> NDArray[np.int64]:
    """Returns whole numbers that add up to `total`, each within one of its share."""
    ends = np.rint(np.cumsum(shares) / sum(shares) * total).astype(np.int64)
    return np.diff(ends, prepend=0)


def _write(path: Path, faces: int, seed: int) -> None:
    grey = [str(value) for value in range(256)]
    with written_whole(path) as unfinished, unfinished.open("w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("emotion", "pixels", "Usage"))
        shown = tqdm(
            labels_and_parts(faces, seed), "drawing", unit=" faces", mininterval=0.5, leave=False, disable=None
        )
        for index, (label, part) in enumerate(shown):
            image = photo(EMOTIONS[label], np.random.default_rng((seed, index)))
            rows.writerow((label, " ".join([grey[value] for value in image.tobytes()]), part))
