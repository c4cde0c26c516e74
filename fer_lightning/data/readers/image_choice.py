"""Chooses among what a source says about its images: whose labels count, and which angles of a face are taken."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fer_lightning.data.emotions import NUMBERINGS, canonical
from fer_lightning.data.faces import SHOWN
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.errors import DataError
from fer_lightning.signature import refuse_out_of_range

log = logging.getLogger(__name__)

LabelsFrom = Literal["folders", "table", "names"]
Angle = Literal["FL", "HL", "S", "HR", "FR"]

FRONTAL: tuple[Angle, ...] = ("S",)


@dataclass(frozen=True)
class ImageChoice:
    """The images of a source to take; its names are keys of conf/data.

    Args:
        labels_from: whose label an image gets where its source says two things: its class folder's, that of the
            source's table, or that of the image's own name; None refuses a source that contradicts itself.
        angles: of a set that has each face from several: full left, half left, straight, half right, full right, by
            KDEF's letters. None takes the straight ones.

    Raises:
        ValueError: an argument outside its range, no angle at all.
    """

    labels_from: LabelsFrom | None = None
    angles: Sequence[Angle] | None = None

    def __post_init__(self) -> None:
        refuse_out_of_range(ImageChoice, vars(self))
        if self.angles is not None and not self.angles:
            raise ValueError("angles is empty: name some of FL, HL, S, HR and FR, or null for S")

    def chosen(self, found: ImageList) -> ImageList:
        """Returns the images that are chosen, each with the label that is; what is left out is logged.

        Raises:
            DataError: two opinions and none chosen, or a choice that the source does not have.
        """
        return self._one_opinion(self._at_angles(found))

    def _at_angles(self, found: ImageList) -> ImageList:
        if not found.angles:
            if self.angles is not None:
                raise DataError(f"{found.root}: data.angles is for KDEF, not for {found.form}. Leave it out.")
            return found
        wanted = FRONTAL if self.angles is None else tuple(self.angles)
        places = [place for place, angle in enumerate(found.angles) if angle in wanted]
        has = ", ".join(f"{angle} ({found.angles.count(angle):,})" for angle in dict.fromkeys(found.angles))
        if lacking := [angle for angle in wanted if angle not in found.angles]:
            raise DataError(
                f"{found.root}: {found.form}: has no image at the angle {', '.join(lacking)}: it has {has}. Say which "
                "to take with data.angles=[…]."
            )
        if len(places) < len(found.images):
            log.info(
                "%s: %s of %s images are taken, at the angles %s (data.angles): it has %s",
                *(found.root, f"{len(places):,}", f"{len(found.images):,}", ", ".join(wanted), has),
            )
        return replace(
            found,
            images=tuple(found.images[place] for place in places),
            angles=tuple(found.angles[place] for place in places),
            opinions={name: tuple(names[place] for place in places) for name, names in found.opinions.items()},
            options=(*found.options, f"data.angles=[{','.join(wanted)}]"),
        )

    def _one_opinion(self, found: ImageList) -> ImageList:
        if not found.opinions:
            if self.labels_from is not None:
                raise DataError(
                    f"{found.root}: data.labels_from is {self.labels_from}, but {found.form} says only once what an "
                    "image shows. Leave it out."
                )
            return found
        names = " and ".join(found.opinions)
        if self.labels_from is not None and self.labels_from not in found.opinions:
            raise DataError(
                f"{found.root}: data.labels_from is {self.labels_from}, but {found.form} has its labels from {names}."
            )
        rows = [tuple(map(canonical, row)) for row in zip(*found.opinions.values(), strict=True)]
        differing = [place for place, row in enumerate(rows) if place not in found.bad and len({*row} - {""}) > 1]
        disagreement = _disagreement(found, rows, differing)
        if differing and self.labels_from is None:
            ways = " or ".join(f"data.labels_from={name}" for name in found.opinions)
            raise DataError(f"{disagreement}\nLook at some of them, and say whose labels are right with {ways}.")
        if differing:
            log.warning("%s\ndata.labels_from takes those of the %s", disagreement, self.labels_from)
        bad = dict(found.bad)
        if self.labels_from is not None:
            chosen = [*found.opinions[self.labels_from]]
            for place, class_name in enumerate(chosen):
                if not class_name:
                    bad.setdefault(place, f"{found.images[place].path}: found no label in the {self.labels_from}")
        else:
            chosen = [next(filter(None, row), "") for row in zip(*found.opinions.values(), strict=True)]
        images = tuple(
            image._replace(class_name=class_name or image.class_name)
            for image, class_name in zip(found.images, chosen, strict=True)
        )
        labels_from = "null" if self.labels_from is None else self.labels_from
        return replace(found, images=images, bad=bad, options=(*found.options, f"data.labels_from={labels_from}"))


def _disagreement(found: ImageList, rows: Sequence[tuple[str, ...]], differing: Sequence[int]) -> str:
    meanings = NUMBERINGS.get(found.numbering, {})

    def word(class_name: str) -> str:
        known = class_name.isdecimal() and int(class_name) in meanings
        return f"{class_name} ({meanings[int(class_name)]})" if known else class_name

    names = [*found.opinions]
    lines = [
        f"- {found.images[place].path}: "
        + ", ".join(f"{name} {word(said)}" for name, said in zip(names, rows[place], strict=True) if said)
        for place in differing[:SHOWN]
    ]
    if len(differing) > SHOWN:
        lines.append(f"- … and {len(differing) - SHOWN:,} more")
    count = f"{len(differing):,} of its {len(found.images):,} images"
    return "\n".join([f"{found.root}: {found.form}: {' and '.join(names)} contradict each other on {count}:", *lines])
