"""The card of a network: what must be known to use it. An exported file carries it as one JSON. Imports no torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from fer_lightning.errors import ConfigError
from fer_lightning.signature import refuse_out_of_range
from fer_lightning.training.calibration import Confidence, Temperature
from fer_lightning.transforms.face_crop import BOX_MARGIN
from fer_lightning.transforms.pixel_format import Channels, Fit, Side
from fer_lightning.use.faces import NO_FACE, UNSURE

CARD_KEY = "fer_lightning"
"""The key of the JSON in an exported file's metadata."""

CARD_FORMAT = 1
"""Version of the JSON, raised when what stands in it changes."""

LONGEST_CARD = 100_000
"""Characters of the JSON."""

LICENCE = (
    "The program is under the MIT licence. The weights are learnt from data with terms of their own: FER2013, for one, "
    "is for research."
)

Flip = Literal["none", "flip"]
"""Whether probabilities are averaged over a face and its mirror image."""

Weights = Literal["float32", "float16", "int8"]
"""How the weights are stored in a file."""

Arithmetic = Literal["float32", "int8"]
"""What a network computes in: with int8, but for what takes floating point, as a softmax."""


def _printable(text: str) -> str:
    """Refuses a text that breaks a line or steers a terminal."""
    if not text.isprintable():
        raise PydanticCustomError("printable", "letters that can be printed")
    return text


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses classes that tables could not tell apart, or not from what they say of a face."""
    if not all(_printable(name).strip() for name in names):
        raise PydanticCustomError("empty", "names that are not empty")
    if any(name.strip().casefold() in (UNSURE, NO_FACE) for name in names):
        raise PydanticCustomError("reserved", f"names other than {UNSURE} and {NO_FACE}, which are no classes")
    if len({*names}) < len(names):
        raise PydanticCustomError("same", "names that differ")
    return names


@dataclass(frozen=True)
class Card:
    """What a network takes, what its numbers mean, and where it comes from.

    Args:
        name: what the network is called in messages and tables.
        class_names: the classes, in the order of the probabilities.
        size: height and width of the faces that it takes, in pixels: see `PixelFormat`, as of the next two.
        channels: 1 for grey faces, 3 for RGB.
        fit: of a face that is not square.
        margin: side of the square around a face's box, as a multiple of the box's width: see `face_square`.
        temperature: what the logits are divided by before the softmax: see `Calibration`.
        unsure_below: the confidence below which the label is "unsure".
        tta: whether it averages over mirror images by itself.
        weights: how they are stored.
        arithmetic: what it computes in.
        sha256: of the trained weights, before they are stored in whatever way: the same for a run and its exports.
        command: what trained it.
        versions: of the code and the libraries that trained it.
        licence: a note on it.

    Raises:
        ValueError: an argument outside its range.
    """

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    class_names: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000), AfterValidator(_told_apart)]
    size: Side
    channels: Channels
    fit: Fit = "crop"
    margin: Annotated[float, Field(gt=0, le=10)] = BOX_MARGIN
    temperature: Temperature = 1.0
    unsure_below: Confidence = 0.0
    tta: Flip = "none"
    weights: Weights = "float32"
    arithmetic: Arithmetic = "float32"
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    command: str = ""
    versions: str = ""
    licence: str = LICENCE
    format_version: Annotated[int, Field(ge=CARD_FORMAT, le=CARD_FORMAT)] = CARD_FORMAT

    def __post_init__(self) -> None:
        refuse_out_of_range(Card, vars(self))

    def metadata(self) -> dict[str, str]:
        """Returns it as the metadata of a file."""
        return {CARD_KEY: json.dumps(asdict(self), ensure_ascii=False)}


def card_in(metadata: Mapping[str, str], file: Path) -> Card:
    """Returns the card in a file's metadata.

    Raises:
        ConfigError: there is none, a newer version wrote it, or it is damaged; says so of the file.
    """
    text = metadata.get(CARD_KEY, "")
    if not text:
        raise ConfigError(
            f"{file} is no network of fer_lightning: it lacks {CARD_KEY} in its metadata. Give a file that `python -m "
            f"fer_lightning.use.export` wrote"
        )
    try:
        content: Any = json.loads(text) if len(text) <= LONGEST_CARD else None
    except (ValueError, RecursionError):
        content = None
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is int and version > CARD_FORMAT:
        raise ConfigError(
            f"{file}: its format_version is {version}, above {CARD_FORMAT}: a newer version of this program wrote it. "
            f"Install that version, or export the run again with this one"
        )
    try:
        return TypeAdapter(Card).validate_json(text[:LONGEST_CARD], strict=True)
    except (ValidationError, ValueError) as error:
        where = _place(error)
        raise ConfigError(
            f"{file} is no network of fer_lightning: in its metadata, {where}. Export the run again"
        ) from error


def _place(error: Exception) -> str:
    """Returns which field is wrong, and not what was found there, which could be of any length."""
    if not isinstance(error, ValidationError):
        return str(error)[:300]
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    name = ".".join(map(str, first["loc"][:2]))[:80] or CARD_KEY
    return f"{name} is missing" if first["type"] == "missing" else f"{name} is wrong ({first['msg'][:120]})"


def refuse_unknown(name: str, value: str, kind: Any) -> None:
    """Raises ConfigError for a value that is none of a Literal's.

    Args:
        name: what the message calls it.
        kind: the Literal.
    """
    if value not in get_args(kind):
        raise ConfigError(f"{name} is {value}; it is one of {', '.join(get_args(kind))}")
