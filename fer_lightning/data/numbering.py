"""Finds out what numbers mean that a source has for classes; they are never guessed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fer_lightning.data.emotions import (
    EMOTIONS,
    NUMBERINGS,
    WITHOUT_EMOTION,
    canonical,
    is_number,
    numbering_of,
    whole_number_in,
)
from fer_lightning.errors import DataError


@dataclass(frozen=True)
class NumberingOption:
    """How a person types a numbering, for messages: as a key of the config, or as a command's own option.

    Args:
        name: of the key or the option.
        sign: between it and its value.
        brackets: around the names of a list.
    """

    name: str = "data.numbering"
    sign: str = "="
    brackets: tuple[str, str] = ("[", "]")

    def typed(self, numbering: str | Sequence[str]) -> str:
        """Returns what to type for a numbering."""
        first, last = self.brackets
        value = numbering if isinstance(numbering, str) else f"{first}{','.join(map(str, numbering))}{last}"
        return f"{self.name}{self.sign}{value}"


KEY = NumberingOption()


def numbers_found(counts: Mapping[str, int], source: Path | str) -> dict[int, int]:
    """Returns the faces of each number, if numbers are what the classes are called.

    Raises:
        DataError: numbers and words side by side, or numbers that are not whole ones.
    """
    found = [name for name, count in counts.items() if count]
    numbers, words = [name for name in found if is_number(name)], [name for name in found if not is_number(name)]
    if numbers and words:
        raise DataError(
            f"{source}: some classes are numbers ({', '.join(numbers[:10])}), others are words "
            f"({', '.join(words[:10])}). Name all of them by words, as the description of the data set has them."
        )
    if unreadable := [name for name in numbers if whole_number_in(name) is None]:
        raise DataError(
            f"{source}: the classes {', '.join(unreadable[:10])} are numbers, and none from 0 to 9999 that "
            "a numbering could give names. Name all classes by words, as the description of the data set has them."
        )
    found_numbers: Counter[int] = Counter()
    for name in numbers:
        found_numbers[whole_number_in(name) or 0] += counts[name]
    return dict(found_numbers)


def meanings_of(
    found: Mapping[int, int],
    numbering: str | Sequence[str] | None,
    own: str,
    source: Path | str,
    option: NumberingOption = KEY,
) -> tuple[dict[int, str], dict[int, str]]:
    """Returns the class of each number, and the numbers found that stand for none.

    Args:
        found: the number of faces of each number.
        numbering: a name of NUMBERINGS, or the names of the numbers in their order; None takes `own`.
        own: the numbering that the source's form has; "" if it has none.
        source: for messages.
        option: for messages.

    Raises:
        DataError: neither is given, or a number is found that the numbering does not have.
    """
    numbering = numbering or own
    if not numbering:
        raise DataError(_question(found, source, option))
    if isinstance(numbering, str):
        meanings, without = dict(numbering_of(numbering, found)), WITHOUT_EMOTION.get(numbering, {})
    else:
        meanings, without = _listed([canonical(str(name)) for name in numbering], found, source, option), {}
    if unknown := [number for number in found if number not in meanings and number not in without]:
        raise DataError(_unknown_numbers(unknown, numbering, found, source, option))
    return meanings, {number: without[number] for number in found if number not in meanings}


def _listed(
    names: Sequence[str], found: Mapping[int, int], source: Path | str, option: NumberingOption
) -> dict[int, str]:
    """Returns the names by their numbers: from 0 where there is a 0, from 1 where as many numbers end at the last."""
    if 0 in found:
        return dict(enumerate(names))
    if max(found) == len(names):
        return dict(enumerate(names, start=1))
    raise DataError(
        f"{source}: has the numbers {', '.join(map(str, sorted(found)))}, and {option.name} names {len(names)} "
        "classes: that does not say whether the first of them is 0 or 1. Give one name for each number, from 0 or 1 to "
        "the last."
    )


def _question(found: Mapping[int, int], source: Path | str, option: NumberingOption) -> str:
    return (
        f"{source}: its classes are numbers, and a number does not say which emotion it is: data sets have different "
        f"orders. What each would make of these:\n{_orders(found)}\n"
        f"Look at some faces of each number, and say which order it is with {option.typed('…')}, or name the classes "
        f"in the order of their numbers, as in {option.typed(('neutral', 'happy', '…'))}."
    )


def _unknown_numbers(
    unknown: Sequence[int],
    numbering: str | Sequence[str],
    found: Mapping[int, int],
    source: Path | str,
    option: NumberingOption,
) -> str:
    hint = ""
    if numbering == "fer2013" and unknown == [7] and 0 in found:
        hint = (
            " In CK+ as a CSV (ckextended.csv), which has FER2013's order, 7 is contempt: if this is that, "
            f"{option.typed((*EMOTIONS, 'contempt'))} reads it."
        )
    return (
        f"{source}: {', '.join(map(str, sorted(unknown)))} is no number of {option.typed(numbering)}, so the others "
        f"may mean something else too. What each order would make of these:\n{_orders(found)}\n"
        f"Say which it is with {option.typed('…')}.{hint}"
    )


def _orders(found: Mapping[int, int]) -> str:
    """Returns a table of the numbers found, their images, and what each numbering calls them."""
    numbers = sorted(found)
    table = pd.DataFrame({"number": numbers, "images": [f"{found[number]:,}" for number in numbers]})
    for name in NUMBERINGS:
        known = {**numbering_of(name, found), **WITHOUT_EMOTION.get(name, {})}
        table[name] = [known.get(number, "–") for number in numbers]
    return table.to_string(index=False)
