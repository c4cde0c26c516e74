"""Puts the writers of a command together: which there are, and where in its folder each writes."""

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lightning.files import written_whole
from fer_lightning.use.annotated_pictures import AnnotatedPictures
from fer_lightning.use.annotation import emotion_colours
from fer_lightning.use.attempts import Attempts, Dispensable
from fer_lightning.use.faces import Answer, Frame
from fer_lightning.use.overview import Overview, VideoOverview
from fer_lightning.use.tables import FacesLines, FacesTable
from fer_lightning.use.timeline import Timeline, timeline_chart
from fer_lightning.use.writers import PerVideo, SourceNames, Writer

if TYPE_CHECKING:
    from fer_lightning.use import explanation, found_page
    from fer_lightning.use.run_network import RunNetwork

DOTS_PER_INCH = 140
"""Of a timeline."""


@dataclass(frozen=True)
class Heading:
    """What is known before the first answer.

    Args:
        class_names: in the order of the probabilities.
        made_with: the first line of faces.jsonl.
        facts: the same for people, on the page.
        paths: of the videos, by the names that their frames have.
        explained: the network of a run, whose answers are to be explained.
    """

    class_names: Sequence[str]
    made_with: Mapping[str, object]
    facts: Mapping[str, str]
    paths: Mapping[str, Path]
    explained: "RunNetwork | None" = None


class Output:
    """Everything that a command writes into its folder, and counts.

    Args:
        folder: is there; None writes nothing.
        parts: some of arguments.PARTS.
    """

    def __init__(self, folder: Path | None, parts: Sequence[str], heading: Heading) -> None:
        self.folder, self.overview = folder or Path(), Overview()
        self._parts = frozenset(parts) if folder else frozenset[str]()
        self._heading, self._colours = heading, emotion_colours(heading.class_names)
        self._names = SourceNames()
        self._page: found_page.FoundPage | None = None
        self._attempts = Attempts()
        # A video is complete, and its overview after it, before anything of the next source is written.
        self._writers: list[Writer] = [PerVideo(self._annotated_video)] if "videos" in self._parts else []
        self._writers += [PerVideo(self._video_overview), self.overview]
        if "table" in self._parts:
            self._writers.append(FacesTable(self.folder / "faces.csv", heading.class_names))
            self._writers.append(FacesLines.into(self.folder / "faces.jsonl", heading.made_with))
        if "pictures" in self._parts:
            pictures = AnnotatedPictures(self.folder / "pictures", self._names, self._colours)
            self._writers.append(Dispensable(lambda: pictures, "annotated pictures", self._attempts, each_alone=True))
        self._explanations: explanation.Explanations | None = None
        if self._parts and heading.explained:
            from fer_lightning.use.explanation import Explanations

            made = self._explanations = Explanations(self.folder / "explained", heading.explained, self._names)
            self._writers.append(Dispensable(lambda: made, "explanations", self._attempts, each_alone=True))
        if "page" in self._parts:
            from fer_lightning.use.found_page import FoundPage

            page = FoundPage(self._names, self.overview, heading.class_names, heading.facts, self._parts)
            self._page = page
            self._writers.append(Dispensable(lambda: page, "index.html", self._attempts, each_alone=True))

    def write(self, answer: Answer) -> None:
        for writer in self._writers:
            writer.write(answer)

    def close(self, stopped: bool = False) -> None:
        """Completes all files but the page: where one cannot be, the others are, and then its error is raised."""
        with ExitStack() as closing:
            for writer in reversed(self._writers):  # the last that is pushed is closed first
                closing.callback(writer.close, stopped)

    def write_page(self, stopped: bool = False) -> None:
        """Writes index.html, which shows the other files: the last thing to do, since it takes a moment."""
        if self._page:
            with self._attempts.attempt("index.html"):
                if self._explanations:
                    self._page.add_explanations(self._explanations.written, self._explanations.layer)
                self._page.write_into(self.folder / "index.html", stopped)

    @property
    def written(self) -> list[str]:
        """Returns the names in the folder that have been written."""
        names = ("index.html", "faces.csv", "faces.jsonl", "pictures", "videos", "explained")
        return [name for name in names if self._parts and _is_filled(self.folder / name)]

    @property
    def incomplete(self) -> list[str]:
        """Returns what the system did not let be written, as where a disk is full, in words."""
        return [*self._attempts.refused]

    def _annotated_video(self, first: Frame) -> Writer:
        from fer_lightning.use.annotated_video import AnnotatedVideo

        file, path = self.folder / "videos" / f"{self._names.name(first)}.mp4", self._heading.paths.get(first.source)
        what = f"the annotated video of {first.source}"
        return Dispensable(lambda: AnnotatedVideo(file, path, self._colours), what, self._attempts)

    def _video_overview(self, first: Frame) -> Writer:
        timeline, files = Timeline(self._heading.class_names), f"videos/{self._names.name(first)}"
        return VideoOverview(first.source, timeline, lambda video: self._add_video(video, files))

    def _add_video(self, video: VideoOverview, files: str) -> None:
        """Writes the timeline of a video that has ended, and shows it on the page; its files begin with `files`."""
        self.overview.add_video(video)
        chart = b""
        if video.timeline.tracks and self._parts & {"timelines", "page"}:
            with self._attempts.attempt(f"the timeline of {video.source}"):
                chart = _png(video.timeline, self._colours)
                if "timelines" in self._parts:
                    with written_whole(self.folder / f"{files}.timeline.png") as unfinished:
                        unfinished.write_bytes(chart)
        if self._page:
            annotated = f"{files}.mp4"
            self._page.add_video(video, annotated if (self.folder / annotated).exists() else "", chart)


def _is_filled(path: Path) -> bool:
    """Returns whether there is such a file, or a folder with something in it."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _png(timeline: Timeline, colours: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    timeline_chart(timeline, colours).savefig(stream, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return stream.getvalue()
