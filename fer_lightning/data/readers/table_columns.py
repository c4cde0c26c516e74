"""The columns of somebody's table of images: which says where an image is, which class, part and person it is of."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fer_lightning.data.emotions import canonical, folder_class, is_emotion, is_number, whole_number_in
from fer_lightning.data.faces import SPLITS, USAGES
from fer_lightning.data.readers.delimited import whole_number
from fer_lightning.data.readers.image_folder import SPLIT_SPELLINGS, USAGE_SPELLINGS
from fer_lightning.data.readers.pixel_text import shown, some
from fer_lightning.data.readers.usual_columns import USUAL, plain
from fer_lightning.errors import DataError

MOST_PARTS = 100
"""Words of a column that says which part an image is of."""


def given_columns(columns: Mapping[str, str | None] | None) -> dict[str, str]:
    """Returns the columns that a person named; raises ValueError for a key that is not one of USUAL."""
    if unknown := set(columns or {}) - set(USUAL):
        raise ValueError(f"columns names {', '.join(sorted(unknown))}; its keys are {', '.join(USUAL)}")
    return {key: str(name) for key, name in (columns or {}).items() if name is not None}


def found_columns(
    names: Sequence[str], given: Mapping[str, str], example: Callable[[str], str], where: Path | str
) -> dict[str, str]:
    """Returns the column for each of image, label, split and person that a table has.

    Args:
        names: of the table's columns.
        given: the columns that a person named, which go first.
        example: returns a field of a column, "" if there is none: of two columns that may be the label, one with
            words says more than one with numbers, and an image's file has an ending.
        where: for messages.

    Raises:
        DataError: a column that was named is not there, or several may be the label.
    """
    found = {}
    for key, name in given.items():
        fitting = [column for column in names if column.strip() == name] or _named(names, [plain(name)])
        if len(fitting) != 1:
            what = "twice" if fitting else "not there"
            raise DataError(f"{where}: the column {name!r} (data.columns.{key}) is {what}: it has {some(names, 20)}.")
        found[key] = fitting[0]
    taken = set(found.values())
    for key, usual in USUAL.items():
        if key not in found and (fitting := [name for name in _named(names, usual) if name not in taken]):
            found[key] = _most_telling(key, fitting, example, where)
    return found


def class_of(field: str) -> str | None:
    """Returns the class that a field of the label column names, perhaps a number; None if it names none."""
    text = whole_number(field.strip())
    if (number := whole_number_in(text)) is not None:
        return str(number)
    if is_emotion(word := folder_class(text)):
        return word
    if is_number(text) or re.fullmatch(r"[-+]?[\d.,]*([eE][-+]?\d+)?|nan|none|null", text, re.IGNORECASE):
        return None
    return canonical(text)


def parts_of(words: Iterable[str], where: Path | str) -> tuple[tuple[str, ...], dict[str, int]]:
    """Returns the names of the parts, and the part that each word of a column stands for; "" is none.

    Known are train, val and test, and FER2013's three; other words are parts of these names, for data.splits.

    Raises:
        DataError: far too many.
    """
    distinct = sorted({*words} - {""})
    known = {word: SPLIT_SPELLINGS.get(plain(word)) for word in distinct}
    usages = {word: USAGE_SPELLINGS.get(plain(word)) for word in distinct}
    if all(known.values()):
        names = tuple(name for name in SPLITS if name in known.values())
        return names, {word: names.index(name) for word, name in known.items() if name}
    if all(usages.values()):
        return USAGES, {word: USAGES.index(name) for word, name in usages.items() if name}
    if len(distinct) > MOST_PARTS:
        raise DataError(
            f"{where}: names {len(distinct):,} parts: {some(distinct)}. Expected train, val and test, or the like; "
            "give the column that has them with data.columns.split=…."
        )
    return tuple(distinct), {word: place for place, word in enumerate(distinct)}


def _named(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    return [name for word in usual for name in names if plain(name) == word]


def _most_telling(key: str, fitting: list[str], example: Callable[[str], str], where: Path | str) -> str:
    if len(fitting) == 1 or key in ("split", "person"):
        return fitting[0]
    if key == "image":
        return next((name for name in fitting if re.search(r"\.\w{2,5}$", example(name))), fitting[0])
    with_words = [name for name in fitting if (word := class_of(example(name))) and not is_number(word)]
    if len(with_words) != 1:
        examples = ", ".join(f"{name} ({shown(example(name))})" for name in fitting)
        raise DataError(f"{where}: several columns may say the class: {examples}. Name one with data.columns.label=….")
    return with_words[0]
