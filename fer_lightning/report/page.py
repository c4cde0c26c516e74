"""A page of sections in one file: all inside, no network, readable on a phone and on paper, light and dark.

Imports neither torch nor pandas nor matplotlib, and Jinja when the page is written: predicting must start at once.
"""

import base64
import io
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from fer_lightning.files import written_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """An entry of a legend below a chart: in it, long names are cut and most scripts have no letters."""

    name: str
    colour: str  # of CSS
    dashes: str = ""  # as SVG's stroke-dasharray; empty is a solid line


@dataclass(frozen=True)
class Chart:
    """A chart or an image, as a data: address."""

    address: str
    width: int  # in CSS pixels, where the window has room
    alt: str
    caption: str = ""
    legend: Sequence[Key] = ()

    @classmethod
    def of(cls, figure: "Figure", alt: str, caption: str = "", legend: Sequence[Key] = ()) -> "Chart":
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=160, facecolor="white")
        return cls(data_address(stream.getvalue()), round(figure.get_figwidth() * 80), alt, caption, legend)


@dataclass(frozen=True)
class Table:
    """Rows that the reader can sort by each column: cells are (what is shown, what it is sorted by)."""

    columns: Sequence[str]
    rows: Sequence[Sequence[tuple[str, float | str]]]
    caption: str = ""

    @classmethod
    def of(cls, frame: "pd.DataFrame", shown: dict[str, str], caption: str = "") -> "Table":
        """Returns a data frame as a table; shown: how a column's numbers are written, as in {"recall": ".1%"}."""
        rows = [
            [
                (f"{value:{shown[name]}}" if name in shown and not _is_missing(value) else _plain(value), value)
                for name, value in zip(frame.columns, row, strict=True)
            ]
            for row in frame.itertuples(index=False)
        ]
        return cls([str(name) for name in frame.columns], rows, caption)


@dataclass(frozen=True)
class Face:
    """A face with what the network says of it."""

    address: str
    label: str
    prediction: str
    where: str  # "PublicTest, row 17"
    file: str  # of a folder of images: its path in there; otherwise empty
    bars: Sequence[tuple[str, float]]  # classes and their probabilities


@dataclass(frozen=True)
class Sample:
    """A face as it is in its source."""

    address: str
    where: str  # "Training, row 17": shown where a mouse points at it


@dataclass(frozen=True)
class Said:
    """What is said of a face in a picture, by the colour of its box."""

    colour: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A small picture with its faces marked, and what is said of them."""

    address: str
    width: int  # of the small picture, in pixels
    height: int
    title: str
    link: str = ""  # to the large one, as seen from the page
    said: Sequence[Said] = ()
    note: str = ""


@dataclass(frozen=True)
class Video:
    """A video that lies next to the page, and a picture of it for the time before it plays."""

    link: str
    poster: str
    title: str


@dataclass
class Section:
    """A heading and what is below it: texts, charts, tables, rows of faces, also of small ones; pictures, videos."""

    title: str
    texts: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    faces: list[tuple[str, list[Face]]] = field(default_factory=list)
    samples: list[tuple[str, list[tuple[str, list[Sample]]]]] = field(default_factory=list)  # heading, captioned rows
    failures: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)


@contextmanager
def attempted(what: str, section: Section | None = None) -> Iterator[None]:
    """Lets the block fail: the log says why, and the section too. A report never fails a finished training."""
    try:
        yield
    except Exception as error:
        is_no_bug = isinstance(error, OSError) and error.errno is not None  # a full disk
        log.warning("the report is without %s: %s", what, error, exc_info=not is_no_bug)
        if section is not None:
            section.failures.append(f"{what} could not be made: {type(error).__name__}: {error}")


def made(title: str, make: Callable[[Section], None]) -> Section:
    """Returns a section, or as much of it as could be made."""
    section = Section(title)
    with attempted(title, section):
        make(section)
    return section


def write_page(file: Path, title: str, sections: Sequence[Section]) -> None:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("fer_lightning.report", "."),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html.j2").render(title=title, sections=sections)
    with written_whole(file) as unfinished:
        unfinished.write_text(text, "utf-8")


def face_address(pixels: "Tensor") -> str:
    """Returns a face, uint8 (C, H, W), as the address of a PNG."""
    from fer_lightning.transforms.pixels import as_picture

    stream = io.BytesIO()
    Image.fromarray(as_picture(pixels)).save(stream, "png")
    return data_address(stream.getvalue())


def data_address(image: bytes, form: str = "png") -> str:
    """Returns the content of an image file as an address that needs no file."""
    return f"data:image/{form};base64,{base64.b64encode(image).decode()}"


def _plain(value: object) -> str:
    return "–" if _is_missing(value) else str(value)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
