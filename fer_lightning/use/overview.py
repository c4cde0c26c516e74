"""Counts what was found, for the end of the command: a table in the terminal, and the page."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from fer_lightning.use.faces import Answer, Frame, Unreadable
from fer_lightning.use.tables import note_of
from fer_lightning.use.timeline import Timeline
from fer_lightning.use.writers import starts_source

MOST_ROWS = 24
"""Lines of the table of sources; where there are more, labels are counted instead."""

MOST_FAILURES = 20
"""What could not be read that is named; the rest is counted."""


class Row(NamedTuple):
    """A line of the table of sources."""

    source: str
    faces: str
    label: str = ""
    confidence: str = ""
    note: str = ""


class TrackResult(NamedTuple):
    """What a track showed on the whole: its likeliest class, and the mean of that class's probability."""

    number: int
    first_s: float
    last_s: float
    frames: int
    label: str
    share: float


@dataclass
class VideoOverview:
    """Looks at one video from its first frame to its last.

    Args:
        source: its name.
        timeline: takes its tracks.
        done: is called with this when the video has ended.
        first: of its answers; later the first one with a face.
    """

    source: str
    timeline: Timeline
    done: Callable[["VideoOverview"], None]
    first: Answer | None = None
    frames: int = 0

    def write(self, answer: Answer) -> None:
        self.frames += 1
        if self.first is None or (answer.faces and not self.first.faces):
            self.first = answer
        self.timeline.add(answer)

    def close(self, stopped: bool = False) -> None:
        self.done(self)

    @property
    def tracks(self) -> list[TrackResult]:
        """Returns the tracks of most frames, in the order in which they came."""
        results = []
        for track in self.timeline.longest():
            shares = dict(zip(self.timeline.class_names, track.mean().tolist(), strict=True))
            label = max(shares, key=shares.__getitem__)
            results.append(TrackResult(track.number, track.first_s, track.last_s, track.frames, label, shares[label]))
        return results


@dataclass
class Overview:
    """What was found in all sources."""

    pictures: int = 0
    frames: int = 0  # of videos
    faces: int = 0
    without_face: int = 0  # pictures and frames
    sources: int = 0
    unreadable: int = 0  # whole sources
    damaged: int = 0  # frames
    labels: Counter[str] = field(default_factory=Counter)
    rows: list[Row] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    _last: Frame | None = None

    def write(self, answer: Answer) -> None:
        frame = answer.frame
        if isinstance(frame, Unreadable):
            self._add_failure(frame)
            return
        self.sources += starts_source(frame, self._last)
        self._last = frame
        self.faces += len(answer.faces)
        self.labels.update(face.label for face in answer.faces)
        self.without_face += not answer.faces
        if frame.time_s is None:
            self.pictures += 1
            self._add_rows(_picture_rows(answer))
        else:
            self.frames += 1

    def close(self, stopped: bool = False) -> None: ...

    def add_video(self, video: VideoOverview) -> None:
        self._add_rows(_video_rows(video))

    @property
    def nothing_read(self) -> bool:
        return self.pictures + self.frames == 0

    def _add_rows(self, rows: Iterable[Row]) -> None:
        if len(self.rows) <= MOST_ROWS:  # one more than are shown says that there are more
            self.rows += rows

    def _add_failure(self, frame: Unreadable) -> None:
        if frame.index is None:
            self.unreadable += 1
        else:
            self.damaged += 1
        if len(self.failures) < MOST_FAILURES:
            where = "" if frame.index is None else f", frame {frame.index}"
            self.failures.append((f"{frame.source}{where}", frame.reason))


def _picture_rows(answer: Answer) -> list[Row]:
    source = answer.frame.source
    rows = [
        Row("", "", face.label, f"{face.confidence:.1%}", note_of(face, answer))
        for face in sorted(answer.faces, key=lambda face: face.number)
    ]
    if not rows:
        return [Row(source, "0", answer.note)]
    return [rows[0]._replace(source=source, faces=str(len(rows))), *rows[1:]]


def _video_rows(video: VideoOverview) -> list[Row]:
    rows = [
        Row("", f"#{one.number}", f"mostly {one.label}", f"{one.share:.1%}", f"{one.first_s:.1f} to {one.last_s:.1f} s")
        for one in video.tracks
    ]
    if not rows:
        return [Row(video.source, "0", "no face", note=f"{video.frames:,} frames")]
    if hidden := len(video.timeline.tracks) - len(rows):
        rows.append(Row("", f"{hidden} more"))
    return [rows[0]._replace(source=video.source), *rows[1:]]
