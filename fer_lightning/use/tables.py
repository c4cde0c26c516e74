"""Writes what was found as tables that grow: faces.csv, a row for each face, and faces.jsonl, a line for each frame.

Each answer is on its way to the disk when the next one comes, so a stopped command leaves whole rows.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from fer_lightning.files import safe_text
from fer_lightning.use.faces import UNSURE, Answer, Face, Frame

FORMAT_VERSION_OF_LINES = 1
"""Of faces.jsonl; it is raised when what its keys mean changes."""

BEFORE_CLASSES = (
    *("source", "frame", "time_s", "face", "track", "x", "y", "width", "height", "score", "label", "confidence"),
)
"""Columns of faces.csv before those of the classes."""


class FacesTable:
    """Writes faces.csv: a row for each face, and one for each frame or source without any, whose note says why.

    Args:
        file: is begun at once.
        class_names: in the order of their columns.
    """

    def __init__(self, file: Path, class_names: Sequence[str]) -> None:
        self._class_names = class_names
        # A name of a file may hold bytes that are no text.
        self._stream = file.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._rows = csv.writer(self._stream)
        classes = [f"{kind}_{name}" for kind in ("p", "smoothed") for name in class_names]
        self._add([*BEFORE_CLASSES, *classes, "note"])

    def write(self, answer: Answer) -> None:
        frame = answer.frame
        place = [frame.source, _text(frame.index), _number(frame.time_s, 6)]
        for face in answer.faces:
            box = face.detection
            numbers = [_number(value, 2) for value in (box.x, box.y, box.width, box.height)]
            row = [*place, str(face.number), _text(face.track), *numbers, _number(box.score, 4)]
            row += [face.label, _number(face.confidence, 6)]
            for shown in (face.probabilities, face.smoothed or {}):
                row += [_number(shown.get(name), 6) for name in self._class_names]
            self._add([*row, note_of(face, answer)])
        if not answer.faces:
            self._add([*place, *[""] * (len(BEFORE_CLASSES) - 3 + 2 * len(self._class_names)), answer.note])

    def close(self, stopped: bool = False) -> None:
        self._stream.close()

    def _add(self, row: Sequence[str]) -> None:
        self._rows.writerow([safe_text(field) for field in row])
        self._stream.flush()


class FacesLines:
    """Writes faces.jsonl: what it was made with, then a line for each frame, or source that could not be read.

    Args:
        stream: of text.
        made_with: the first line.
    """

    def __init__(self, stream: TextIO, made_with: Mapping[str, object]) -> None:
        self._stream = stream
        self._add({"format_version": FORMAT_VERSION_OF_LINES, **made_with})

    @classmethod
    def into(cls, file: Path, made_with: Mapping[str, object]) -> "FacesLines":
        return cls(file.open("w", encoding="utf-8", errors="backslashreplace", newline="\n"), made_with)

    def write(self, answer: Answer) -> None:
        self._add(answer_values(answer))

    def close(self, stopped: bool = False) -> None:
        self._stream.close()

    def _add(self, values: Mapping[str, object]) -> None:
        self._stream.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()


def answer_values(answer: Answer) -> dict[str, Any]:
    """Returns an answer as plain values that JSON can hold."""
    frame = answer.frame
    values: dict[str, Any] = {"source": frame.source, "frame": frame.index, "time_s": _plain(frame.time_s, 6)}
    if isinstance(frame, Frame):
        values |= {"width": frame.pixels.shape[1], "height": frame.pixels.shape[0]}
    return values | {"faces": [_face_values(face) for face in answer.faces], "note": answer.note}


def note_of(face: Face, answer: Answer) -> str:
    """Returns what is to be said of a face next to its numbers: the best guess where the label is none."""
    return f"perhaps {face.best}" if face.label == UNSURE != face.best else answer.note


def _face_values(face: Face) -> dict[str, Any]:
    box = face.detection
    return {
        "face": face.number,
        "track": face.track,
        **{name: _plain(getattr(box, name), 2) for name in ("x", "y", "width", "height")},
        "score": _plain(box.score, 4),
        "landmarks": [[_plain(x, 2), _plain(y, 2)] for x, y in box.landmarks],
        "label": face.label,
        "best": face.best,
        "confidence": _plain(face.confidence, 6),
        "probabilities": dict(_rounded(face.probabilities)),
        "smoothed": dict(_rounded(face.smoothed)) if face.smoothed else None,
    }


def _rounded(probabilities: Mapping[str, float]) -> Iterator[tuple[str, float | None]]:
    return ((name, _plain(value, 6)) for name, value in probabilities.items())


def _plain(value: float | None, digits: int) -> float | None:
    """Returns a number that JSON has: None for what is not finite."""
    return round(float(value), digits) if value is not None and math.isfinite(value) else None


def _number(value: float | None, digits: int) -> str:
    plain = _plain(value, digits)
    return "" if plain is None else f"{plain:.{digits}f}".rstrip("0").rstrip(".")


def _text(value: object) -> str:
    return "" if value is None else str(value)
