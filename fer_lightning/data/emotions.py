"""The field's vocabulary: the emotions' canonical words, their spellings, and the numbers that data sets give them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's seven classes, in the order of its labels 0 to 6."""

FERPLUS_EMOTIONS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""FER+'s eight classes, in its own order."""

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise"),
    "neutral": ("neutrality", "natural"),
    "contempt": ("contemptuous",),
}
"""The eight emotions and their other spellings."""

_CANONICAL = {spelling: word for word, others in SPELLINGS.items() for spelling in (word, *others)}

_SEVEN = dict(enumerate(sorted(EMOTIONS)))
_EIGHT = dict(enumerate(("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")))

NUMBERINGS: Mapping[str, Mapping[int, str]] = {
    "fer2013": dict(enumerate(EMOTIONS)),
    "ferplus": dict(enumerate(FERPLUS_EMOTIONS)),
    "rafdb": dict(enumerate(("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), start=1)),
    "affectnet": dict(enumerate(("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"))),
    "affectnet_yolo": _EIGHT,
    "ckplus": dict(enumerate(("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"))),
    "alphabetical": _SEVEN,
}
"""What each number means, by the data set whose order it is; folders sorted by name are "alphabetical"."""

OWN_NUMBERINGS: Mapping[str, Mapping[int, str]] = {"ckextended": dict(enumerate((*EMOTIONS, "contempt")))}
"""The same of data sets that are recognised, whose order nobody else has."""

DECIMAL_MARKS = ".,\N{ARABIC DECIMAL SEPARATOR}\N{ARABIC THOUSANDS SEPARATOR}"
"""Signs within a number."""

WITHOUT_EMOTION: Mapping[str, Mapping[int, str]] = {
    "affectnet": {8: "none", 9: "uncertain", 10: "no face"},
    "ferplus": {8: "unknown", 9: "not a face"},
}
"""Numbers of a numbering that stand for no emotion: their faces are left out, and counted."""


def canonical(name: str) -> str:
    """Returns the canonical word for a known spelling of an emotion; any other name as it is, without outer blanks."""
    name = unicodedata.normalize("NFC", name).strip()
    return _CANONICAL.get(name.lower(), name)


def folder_class(name: str) -> str:
    """Returns the class that a folder's name stands for: of "Anger", "0_angry" and "3. happy" the emotion.

    A number before a word is only a place in some order; a number alone stays one, see `whole_number_in`.
    """
    if (number := whole_number_in(name)) is not None:
        return str(number)
    word = re.sub(r"^\d+[\W_]+", "", name.strip())
    return canonical(word) if word and not is_number(word) else canonical(name)


def is_emotion(name: str) -> bool:
    return canonical(name) in SPELLINGS


def is_number(name: str) -> bool:
    """Checks for a number in the digits or numerals of any script, as 3, 03, -1, 1.5, ٣ and 十一."""
    text = _without_marks(name).lstrip("+-\N{MINUS SIGN}")
    return any(map(str.isnumeric, text)) and all(sign.isnumeric() or sign in DECIMAL_MARKS for sign in text)


def whole_number_in(name: str) -> int | None:
    """Returns the number from 0 to 9999 that a name is, in digits of any script or as one numeral; None if it is none.

    So 3, 03, ٣, ３, ③ and 三 are 3; 1.5, -1 and 十一 are numbers too, but none of these.
    """
    text = _without_marks(name)
    if text.isdecimal() and len(digits := text.lstrip("0") or "0") <= 4:
        return int(digits)
    value = float(unicodedata.numeric(text, -1)) if len(text) == 1 else -1.0
    return int(value) if 0 <= value <= 9999 and value.is_integer() else None


def _without_marks(name: str) -> str:
    """Returns a name without outer blanks, and without marks and signs that are not seen by themselves."""
    return "".join(sign for sign in name.strip() if unicodedata.category(sign) not in ("Mn", "Me", "Cf"))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Returns class names without repetitions: emotions in FER2013's order, then contempt, then others by alphabet."""
    found = set(names)
    emotions = [word for word in SPELLINGS if word in found]
    others = found - SPELLINGS.keys()
    numbers = {name: number for name in others if (number := whole_number_in(name)) is not None}
    if len(numbers) == len(others):
        return (*emotions, *sorted(numbers, key=numbers.__getitem__))
    return (*emotions, *sorted(others))


def numbering_of(numbering: str, numbers: Iterable[int]) -> Mapping[int, str]:
    """Returns what numbers mean by a numbering's name; if alphabetical, that depends on there being seven or eight."""
    if numbering == "alphabetical" and max(numbers, default=0) > max(_SEVEN):
        return _EIGHT
    return OWN_NUMBERINGS[numbering] if numbering in OWN_NUMBERINGS else NUMBERINGS[numbering]
