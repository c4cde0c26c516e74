"""Writes each picture with its faces marked."""

from collections.abc import Mapping
from pathlib import Path

from fer_lightning.files import written_whole
from fer_lightning.use.annotation import annotated
from fer_lightning.use.faces import Answer, Frame
from fer_lightning.use.writers import SourceNames

QUALITY = 92
"""Of JPEG: the edges of letters stay clean."""

LONGEST_SIDE = 65_500
"""Pixels: libjpeg writes no larger picture."""


class AnnotatedPictures:
    """Writes FOLDER/NAME.jpg for each picture; frames of videos are left out, and so is what could not be read."""

    def __init__(self, folder: Path, names: SourceNames, colours: Mapping[str, str]) -> None:
        self._folder, self._names, self._colours = folder, names, colours

    def write(self, answer: Answer) -> None:
        if isinstance(answer.frame, Frame) and answer.frame.time_s is None:
            picture = annotated(answer.frame.pixels, answer.faces, self._colours)
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))  # which leaves a smaller one as it is
            with written_whole(self._folder / picture_file(answer.frame, self._names)) as unfinished:
                picture.save(unfinished, "jpeg", quality=QUALITY, subsampling=0)

    def close(self, stopped: bool = False) -> None: ...


def picture_file(frame: Frame, names: SourceNames) -> str:
    """Returns the name of a picture's file; a source can hold several pictures, as a TIFF does."""
    page = f"-page{frame.index + 1}" if frame.index else ""
    return f"{names.name(frame)}{page}.jpg"
