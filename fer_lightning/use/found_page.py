"""Makes index.html of what was found: the pictures and videos with their faces marked, and what is said of them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from fer_lightning.files import printable
from fer_lightning.report.page import Chart, Picture, Said, Section, Table, Video, data_address, write_page
from fer_lightning.use.annotated_pictures import picture_file
from fer_lightning.use.annotation import annotated, emotion_colours, spoken
from fer_lightning.use.faces import UNSURE, Answer, Detection, Face, Frame
from fer_lightning.use.overview import Overview, VideoOverview
from fer_lightning.use.tables import note_of
from fer_lightning.use.writers import SourceNames

MOST_PICTURES = 200
"""Pictures on the page, the first ones: each is some 40 kB in it."""

MOST_VIDEOS = 50

SMALL_SIDE = 560
"""Pixels of the longer side of a picture on the page."""

SMALL_TEXT = 17
"""Pixels of a letter in it."""

NOT_A_FEELING = (
    "A network names the expression that a face looks most like. An expression is not a feeling: what somebody feels "
    "cannot be read off a picture."
)


class FoundPage:
    """Collects what the page shows while answers come, and writes it at the end.

    Args:
        names: those that the annotated pictures and videos have.
        overview: of everything, complete when the page is written.
        facts: how it was found: network, version, command, ….
        linked: which of "pictures" and "videos" lie next to the page.
    """

    def __init__(
        self,
        names: SourceNames,
        overview: Overview,
        class_names: Sequence[str],
        facts: Mapping[str, str],
        linked: frozenset[str],
    ) -> None:
        self._names, self._overview = names, overview
        self._facts, self._linked = facts, linked
        self._class_names, self._colours = class_names, emotion_colours(class_names)
        self._pictures: list[Picture] = []
        self._videos: list[Section] = []
        self._videos_seen = 0
        self._explanations = Section("What the network looks at")

    def write(self, answer: Answer) -> None:
        if isinstance(answer.frame, Frame) and answer.frame.time_s is None and len(self._pictures) < MOST_PICTURES:
            link = quote(f"pictures/{picture_file(answer.frame, self._names)}") if "pictures" in self._linked else ""
            are_numbered = len(answer.faces) > 1
            said = [
                Said(self._colours[_colour_name(face)], spoken(face, are_numbered), note_of(face, answer))
                for face in answer.faces
            ]
            small = self._small(answer.frame, answer.faces)
            title = printable(answer.frame.source)
            note = "" if answer.faces else answer.note
            self._pictures.append(Picture(_jpeg(small), *small.size, title, link, said, note))

    def add_video(self, video: VideoOverview, file: str, chart_png: bytes) -> None:
        """Adds a section on a video that has ended.

        Args:
            file: the annotated video's, as seen from the page; "" for none.
            chart_png: its timeline; empty for none.
        """
        self._videos_seen += 1
        if len(self._videos) == MOST_VIDEOS or video.first is None or not isinstance(video.first.frame, Frame):
            return
        section = Section(printable(video.source))
        poster = self._small(video.first.frame, video.first.faces)
        title = f"{section.title}, with its faces marked"
        if file:
            section.videos = [Video(quote(file), _jpeg(poster), title)]
        else:
            section.pictures = [Picture(_jpeg(poster), *poster.size, section.title)]
        hidden = len(video.timeline.tracks) - len(video.tracks)
        more = f" The {hidden:,} shortest tracks are in faces.csv alone." if hidden else ""
        section.texts = [f"{video.frames:,} frames, {video.timeline.end_s:,.1f} s.{more}"]
        if chart_png and video.tracks:
            with Image.open(io.BytesIO(chart_png)) as image:
                width = round(image.width / image.info["dpi"][0] * 80)
            caption = "How the probabilities of each track share its height, smoothed; white where it is not seen."
            alt = "probabilities of each track over time"
            section.charts = [Chart(data_address(chart_png), width, alt, caption)]
        rows: list[list[tuple[str, float | str]]] = [
            [
                (f"#{one.number}", one.number),
                (f"{one.first_s:.1f}", one.first_s),
                (f"{one.last_s:.1f}", one.last_s),
                (f"{one.frames:,}", one.frames),
                (one.label, one.label),
                (f"{one.share:.1%}", one.share),
            ]
            for one in video.tracks
        ]
        columns = ["track", "from second", "to second", "frames", "mostly", "mean probability"]
        section.tables = [Table(columns, rows)] if rows else []
        self._videos.append(section)

    def add_explanations(self, explained: Sequence[tuple[Path, Face]], layer: str) -> None:
        """Adds pictures of where the evidence lies, which are in a folder next to the page, by a layer's maps."""
        for file, face in explained:
            content = file.read_bytes()
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
            note = face.label if face.label == UNSURE else ""
            said = [Said(self._colours[_colour_name(face)], spoken(face, is_numbered=True), note)]
            link = quote(f"{file.parent.name}/{file.name}")
            title = printable(face.source)
            self._explanations.pictures.append(Picture(data_address(content), width, height, title, link, said))
        self._explanations.texts = [
            f"Each face as the network sees it, and over it Grad-CAM (captum) at layer {layer}: light where evidence "
            "of the most probable class lies."
        ]

    def close(self, stopped: bool = False) -> None: ...

    def write_into(self, file: Path, stopped: bool) -> None:
        """Writes the page; stopped: the command did not come to its end."""
        sections = [self._summary(stopped)]
        if self._pictures:
            pictures = Section("Pictures", pictures=self._pictures)
            if (all_of_them := self._overview.pictures) > len(self._pictures):
                shown = len(self._pictures)
                pictures.texts = [f"The first {shown:,} of {all_of_them:,}; all are in faces.csv and faces.jsonl."]
            sections.append(pictures)
        if self._explanations.pictures:
            sections.append(self._explanations)
        sections += self._videos
        if self._videos_seen > len(self._videos):
            sections[0].texts.append(f"The page shows the first {len(self._videos)} of {self._videos_seen:,} videos.")
        if self._overview.failures:
            sections.append(_failures(self._overview))
        write_page(file, "Faces and what they show", sections)

    def _summary(self, stopped: bool) -> Section:
        o = self._overview
        counts = {
            "pictures": f"{o.pictures:,}" if o.pictures else "",
            "frames of videos": f"{o.frames:,}" if o.frames else "",
            "faces": f"{o.faces:,}",
            "without a face": f"{o.without_face:,}" if o.without_face else "",
            "not readable": f"{o.unreadable:,}" if o.unreadable else "",
            "damaged frames": f"{o.damaged:,}" if o.damaged else "",
        }
        facts = [(name, value) for name, value in (counts | dict(self._facts)).items() if value]
        rows: list[list[tuple[str, float | str]]] = [
            [(name, name), (f"{count:,}", count), (f"{count / o.faces:.1%}", count / o.faces)]
            for name, count in o.labels.most_common()
        ]
        section = Section("Summary", facts=facts, texts=[NOT_A_FEELING])
        if stopped:
            section.texts.insert(0, "The command was stopped: this is what had been found by then.")
        if rows:
            section.tables = [Table(["label", "faces", "share"], rows)]
        return section

    def _small(self, frame: Frame, faces: Sequence[Face]) -> Image.Image:
        """Returns a small picture with its faces marked, and letters that can still be read."""
        picture = Image.fromarray(frame.pixels)
        picture.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        scale = picture.width / frame.pixels.shape[1]
        scaled = [replace(face, detection=_scaled(face, scale)) for face in faces]
        return annotated(np.asarray(picture), scaled, self._colours, least_text=SMALL_TEXT)


def _scaled(face: Face, scale: float) -> Detection:
    box = face.detection
    return replace(box, x=box.x * scale, y=box.y * scale, width=box.width * scale, height=box.height * scale)


def _failures(overview: Overview) -> Section:
    section = Section("What could not be read")
    if hidden := overview.unreadable + overview.damaged - len(overview.failures):
        section.texts = [f"{hidden:,} more are in faces.csv."]
    rows = [[(printable(source), source), (reason, reason)] for source, reason in overview.failures]
    section.tables = [Table(["source", "why"], [[*row] for row in rows])]
    return section


def _jpeg(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "jpeg", quality=82)
    return data_address(stream.getvalue(), "jpeg")


def _colour_name(face: Face) -> str:
    return UNSURE if face.label == UNSURE else face.best
