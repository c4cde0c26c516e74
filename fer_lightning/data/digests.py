"""Recognises faces by their content: which of them a network has learnt from, or was chosen on."""

import logging
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from fer_lightning.data.faces import Faces
from fer_lightning.transforms.pixels import ImageStore, KnownImages

log = logging.getLogger(__name__)


def digests(images: ImageStore) -> Tensor:
    """Returns int64 (N,), equal where two images are equal to the byte."""
    if isinstance(images, KnownImages):
        return images.digests
    batches = (images[rows] for rows in torch.arange(len(images)).split(1024))
    raw = b"".join(blake2b(image.data, digest_size=8).digest() for batch in batches for image in batch.numpy())
    return torch.frombuffer(bytearray(raw), dtype=torch.int64)


def labelled_digests(faces: Faces, known: Tensor, rows: Tensor) -> Tensor:
    """Returns int64 (N,), equal where two faces, their labels and their soft labels are equal.

    Args:
        faces: the whole source.
        known: `digests` of its images.
        rows: which faces.
    """
    raw = known[rows].numpy(), faces.labels[rows].numpy()
    soft = () if faces.soft_labels is None else (faces.soft_labels[rows].numpy(),)
    parts = [np.ascontiguousarray(part).reshape(len(rows), -1).view(np.uint8) for part in (*raw, *soft)]
    return digests(torch.from_numpy(np.concatenate(parts, axis=1)))


def warn_of_known(tested: Tensor, trained_on: Tensor, chosen_on: Tensor) -> None:
    """Warns if the network knows more than a quarter of the test faces, so that the figure is not an honest one.

    FER2013's own parts share some: 8% of its test faces are in its training part too.

    Args:
        tested: digests of test's faces, int64 (N,).
        trained_on: digests of the faces that the network has learnt from.
        chosen_on: digests of its run's val.
    """
    for known, why in (
        (trained_on, "the network learns from: the figure says nothing about faces that are new to it"),
        (chosen_on, "it may have been chosen on, as its run's val: the figure leans to the high side"),
    ):
        count = int(torch.isin(tested, known).sum())
        if count > len(tested) / 4:
            log.warning(
                "%s of the %s faces of test are those that %s. Give others with data.splits.test=… or data.path=…",
                f"{count:,}",
                f"{len(tested):,}",
                why,
            )
