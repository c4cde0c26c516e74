"""Faces: the one table that every source makes and everything downstream takes."""

from dataclasses import dataclass

from torch import Tensor

from fer_lightning.transforms.preprocessing import SIDE as SIDE

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's seven classes, in the order of its labels 0 to 6."""

FERPLUS_EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""FER+'s eight classes, by its own names and in its own order."""

SPLITS = ("train", "val", "test")

USAGES = ("Training", "PublicTest", "PrivateTest")
"""FER2013's own parts, by the names of its Usage column."""

SHOWN = 5
"""Bad rows that an error shows; it counts them all."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Grey faces with one emotion each, in the order of their source.

    `parts` says which part of its source a face belongs to, as an index into `part_names`: FER2013's Usage
    ("Training", "PublicTest", "PrivateTest"), a folder's top level ("train", "val", "test"), or one part
    named "all" where the source makes no difference.
    """

    images: Tensor  # uint8 (N, 48, 48)
    labels: Tensor  # int64 (N,), indices into class_names
    parts: Tensor  # uint8 (N,), indices into part_names
    numbers: Tensor  # int64 (N,), of its row (or image, in order) in the source: from 1, and bad ones count
    part_names: tuple[str, ...]
    class_names: tuple[str, ...] = EMOTIONS
    files: tuple[str, ...] = ()  # of a folder of images: each one's path, below what data.path names; else empty
    soft_labels: Tensor | None = None  # float32 (N, C), rows sum to 1: what is trained on instead of `labels`

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of reading a source: the faces, and what had to be left out.

    `bad_rows` counts the rows (or image files) that could not be used; `first_bad` describes the first five.
    """

    faces: Faces
    form: str  # what the source turned out to be, for the log: "CSV (emotion,pixels,Usage)"
    bad_rows: int
    first_bad: tuple[str, ...]
    member: str = ""  # the file within the archive that was read, where the source is one
    other_labels: frozenset[int] = frozenset()  # of bad rows: numbers that are no label of FER2013; not cached
