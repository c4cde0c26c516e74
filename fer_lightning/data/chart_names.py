"""Names of classes in charts, whose font has the letters of few scripts, and where a long one has no room."""

import unicodedata
from collections.abc import Sequence

from matplotlib.font_manager import findfont, get_font

LONGEST_NAME = 12
"""Characters of a name that is drawn whole."""


def chart_names(class_names: Sequence[str], longest: int = LONGEST_NAME) -> list[str]:
    """Returns what each class is called in charts: its name, or its number and as much of the name as can be drawn."""
    return [
        name if is_drawn(name, longest) else f"{number} {_beginning(name, longest)}".strip()
        for number, name in enumerate(class_names, start=1)
    ]


def numbers_in_words(class_names: Sequence[str], longest: int = LONGEST_NAME, kind: str = "") -> list[str]:
    """Returns a sentence on the classes that charts number, or on another kind of names; none if they number none."""
    numbered = [
        f"{kind} {number} is {isolated(name)}".lstrip()
        for number, name in enumerate(class_names, start=1)
        if not is_drawn(name, longest)
    ]
    return [f"In the pictures, {', '.join(numbered)}."] if numbered else []


def is_drawn(name: str, longest: int = LONGEST_NAME) -> bool:
    """Checks that charts show a name as it is: short, of letters that their font has, from left to right."""
    return len(name) <= longest and _is_in_font(name)


def isolated(name: str) -> str:
    """Returns a name that leaves the text around it in its order, though its own may be from right to left."""
    return f"\u2068{name}\u2069" if _is_right_to_left(name) else name


def _beginning(name: str, longest: int) -> str:
    return f"{name[: longest - 3].rstrip()}…" if _is_in_font(name) else ""


def _is_in_font(name: str) -> bool:
    font = get_font(findfont("DejaVu Sans"))
    return all(font.get_char_index(ord(one)) for one in name) and not _is_right_to_left(name)


def _is_right_to_left(name: str) -> bool:
    return any(unicodedata.bidirectional(one) in ("R", "AL") for one in name)
