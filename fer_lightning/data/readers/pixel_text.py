"""One face as text, 2,304 numbers between spaces; read by numpy over the bytes of many rows at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_lightning.data.faces import SHOWN, SIDE

PIXELS = SIDE * SIDE


class BadRowError(Exception):
    """Why one row cannot be used: which column, what was found, what was expected."""


def pixel_values(texts: list[bytes]) -> NDArray[np.uint8] | None:
    """Values uint8 (n, 2304) of n texts; None unless each is 2,304 numbers 0 to 255 between single spaces."""
    text = np.frombuffer(b" ".join([*texts, b""]), np.uint8)
    ends = np.flatnonzero(text == ord(" "))  # one behind each number, and nowhere else
    if len(ends) != len(texts) * PIXELS or np.count_nonzero(text - ord("0") < 10) + len(ends) != len(text):
        return None
    row_ends = np.cumsum([len(row) + 1 for row in texts]) - 1
    widths = np.diff(ends, prepend=-1)  # digits of each number, plus its space
    if not np.array_equal(ends[PIXELS - 1 :: PIXELS], row_ends) or widths.min() < 2 or widths.max() > 4:
        return None
    # A space becomes 0, so it adds nothing where there are no tens or hundreds; before the first number the
    # indices wrap around to the last space.
    digits = text & 15
    hundreds = digits[ends - 3]
    hundreds *= widths > 2  # behind a number of one digit, three back is the number before
    values = hundreds * np.uint16(100)  # wide enough that 256 does not become 0
    values += digits[ends - 2] * np.uint8(10)
    values += digits[ends - 1]
    return None if values.max() > 255 else values.astype(np.uint8).reshape(-1, PIXELS)


def values_one_by_one(text: bytes) -> NDArray[np.uint8]:
    """Values uint8 (2304,) of a text that may have wide gaps or leading zeros; BadRowError if it has worse."""
    numbers = text.split()
    values: list[int] = []
    for place, number in enumerate(numbers, start=1):
        significant = number.lstrip(b"0") or b"0"
        if not number.isdigit() or len(significant) > 3 or int(significant) > 255:
            raise BadRowError(f"column pixels: pixel {place} is {shown(number)}, expected a whole number from 0 to 255")
        values.append(int(significant))
    if len(numbers) != PIXELS:
        raise BadRowError(f"column pixels: found {len(numbers):,} pixels, expected {PIXELS:,} ({SIDE}x{SIDE})")
    return np.array(values, dtype=np.uint8)


def shown(found: bytes | str, length: int = 40) -> str:
    """Returns what was found, in quotes and short enough for a message."""
    text = found.decode(errors="replace") if isinstance(found, bytes) else found
    return repr(text if len(text) <= length else text[:length] + "…")


def short(text: str, length: int = 200) -> str:
    """Returns a text short enough for a message: a longer one loses its middle."""
    return text if len(text) <= length else f"{text[: length // 2]}…{text[-length // 2 :]}"


def some(names: Sequence[str], most: int = SHOWN) -> str:
    """Returns the first of many names, short enough for a message, and the number of the others."""
    more = f", … and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(short(name) for name in names[:most]) + more
