"""Faces: the one table that every source makes and everything downstream takes."""

from dataclasses import dataclass, replace

from torch import Tensor

from fer_lightning.data.emotions import EMOTIONS as EMOTIONS
from fer_lightning.data.emotions import FERPLUS_EMOTIONS as FERPLUS_EMOTIONS
from fer_lightning.transforms.pixel_format import SIDE as SIDE
from fer_lightning.transforms.pixels import ImageStore, chosen_images

SPLITS = ("train", "val", "test")

USAGES = ("Training", "PublicTest", "PrivateTest")
"""FER2013's own parts, by the names of its Usage column."""

SHOWN = 5
"""Bad rows that an error shows; it counts them all."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Labelled faces, in the order of their source.

    `parts` says which part of its source a face belongs to, as an index into `part_names`: FER2013's Usage
    ("Training", "PublicTest", "PrivateTest"), a folder's top level ("train", "val", "test"), or one part
    named "all" where the source makes no difference. Of several sets that are joined, `sets` says which a face is
    of, as an index into `set_names`; parts of the same name are one part then.
    """

    images: ImageStore  # uint8 (N, C, H, W), C being 1 (grey) or 3 (RGB)
    labels: Tensor  # int64 (N,), indices into class_names
    parts: Tensor  # uint8 (N,), of several sets int64 (N,): indices into part_names
    numbers: Tensor  # int64 (N,), of its row (or image, in order) in the source: from 1, and bad ones count
    part_names: tuple[str, ...]
    class_names: tuple[str, ...] = EMOTIONS
    files: tuple[str, ...] = ()  # of a folder of images: each one's path, below what data.path names; else empty
    soft_labels: Tensor | None = None  # float32 (N, classes), rows sum to 1: what is trained on instead of `labels`
    persons: Tensor | None = None  # int64 (N,): equal where two faces are the same person's; None if unknown. Where one
    # of several sets does not know them, its faces have negative numbers, each its own
    several_of_each: bool = False  # the source has several pictures of each person, whether these are known or not
    sets: Tensor | None = None  # int64 (N,), indices into set_names; None for one set
    set_names: tuple[str, ...] = ()  # short, each another
    several_in: tuple[bool, ...] = ()  # several_of_each, for each set

    def __len__(self) -> int:
        return len(self.labels)


def rows_of(faces: Faces, rows: Tensor) -> Faces:
    """Returns some rows of faces, int64 (n,)."""
    return replace(
        faces,
        images=chosen_images(faces.images, rows),
        labels=faces.labels[rows],
        parts=faces.parts[rows],
        numbers=faces.numbers[rows],
        files=tuple(faces.files[row] for row in rows.tolist()) if faces.files else (),
        soft_labels=None if faces.soft_labels is None else faces.soft_labels[rows],
        persons=None if faces.persons is None else faces.persons[rows],
        sets=None if faces.sets is None else faces.sets[rows],
    )


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of reading a source: the faces, and what had to be left out.

    `bad_rows` counts the rows (or image files) that could not be used; `first_bad` describes the first five.
    """

    faces: Faces  # by the source's own classes, perhaps numbers: `ClassOptions.named` gives them names
    form: str  # what the source turned out to be, for the log: "CSV (emotion,pixels,Usage)"
    bad_rows: int
    first_bad: tuple[str, ...]
    member: str = ""  # the file within the archive that was read, where the source is one
    numbering: str = ""  # the order of the numbers that are its classes, where its form has one: see `emotions`
