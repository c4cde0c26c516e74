"""Collects the images of a known set into a list."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_lightning.data.identity import Stamp, images_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_BAD_ROWS, MOST_IMAGES, too_many_files
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.pixel_text import shown
from fer_lightning.data.readers.set_tables import COMPLETE, BadLineError
from fer_lightning.errors import DataError


@dataclass
class Listing:
    """The images of a known set, as far as they are found.

    Args:
        root: the folder that the images' paths are below.
        form: the set's name, for messages and the log.
        part_names: of its parts.
        numbering: the order of the numbers that its classes are called, if they are: see `emotions`.
    """

    root: Path
    form: str
    part_names: tuple[str, ...]
    numbering: str = ""
    images: list[ListedImage] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)  # places in `images`, and what is wrong there
    lines: dict[str, str] = field(default_factory=dict)  # of its tables, by the image that each names

    def add(self, part: str, class_name: str, path: str, person: str = "") -> None:
        self.add_image(ListedImage(self.part_names.index(part), class_name, path, person))

    def add_image(self, image: ListedImage) -> None:
        if len(self.images) >= MOST_IMAGES:
            raise too_many_files(self.root)
        self.images.append(image)

    def add_bad(self, why: str) -> None:
        """Adds what should have been an image.

        Args:
            why: what is bad, what was found there and what was expected.
        """
        if len(self.bad) >= MOST_BAD_ROWS:
            raise DataError(f"{self.root}: {self.form}: more than {MOST_BAD_ROWS:,} images are bad: {why}. {COMPLETE}")
        self.bad[len(self.images)] = why
        self.add_image(ListedImage(0, "", ""))

    def refuse_repeated(self, path: str, line: str) -> None:
        """Raises BadLineError for an image that an earlier line of the set's tables names too."""
        if (first := self.lines.setdefault(path, line)) != line:
            raise BadLineError(f"names {shown(path)} again, as {first} does")

    def completed(
        self,
        where: str,
        ignored: Sequence[str] = (),
        wanted: str = "images of the set",
        tables: Iterable[Path] = (),
        class_names: tuple[str, ...] = (),
    ) -> ImageList:
        """Returns the list.

        Args:
            where: the images should be, for the message if none is there.
            ignored: paths of what lies among the images and is not read.
            wanted: what these are not.
            tables: the files that were read for it.
            class_names: in order; empty takes those of the images, in the usual order.

        Raises:
            DataError: no image has a label, or none is there.
        """
        good = [image for place, image in enumerate(self.images) if place not in self.bad]
        if not good:
            first = f" ({next(iter(self.bad.values()))})" if self.bad else ""
            raise DataError(f"{self.root}: {self.form}: has no image with a label{first}. {COMPLETE}")
        stamps = {path: _stamp(f"{self.root}/{path}") for path in dict.fromkeys(image.path for image in good)}
        if not any(stamps.values()):
            raise DataError(
                f"{self.root}: {self.form}: has labels for {len(good):,} images, and none of these is in {where}: the "
                f"first would be {shown(good[0].path)}. Put the images there, as the set has them."
            )
        for place in self.bad:
            self.images[place] = ListedImage(good[0].part, good[0].class_name, "", good[0].person)
        recorded = repr((self.form, self.part_names, self.images, self.bad, class_names)).encode(
            "utf-8", "surrogatepass"
        )
        return ImageList(
            root=self.root,
            part_names=self.part_names,
            images=tuple(self.images),
            ignored=tuple(ignored),
            digest=images_identity(self.root, stamps, recorded),
            mode=mode_for_all([*stamps.values(), *map(_stamp, tables)]),
            form=self.form,
            wanted=wanted,
            class_names=class_names,
            bad=self.bad,
            numbering=self.numbering,
            several_of_each=any(image.person for image in good),
        )


def _stamp(file: str | Path) -> Stamp | None:
    try:
        return stamp(os.stat(file))
    except OSError:
        return None
