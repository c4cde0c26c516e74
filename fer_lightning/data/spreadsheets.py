"""Texts in a CSV file that no spreadsheet takes for a formula.

A field that begins with = + - or @ is a formula to them, quoted or not, and a formula can start programs and send what
is in the table elsewhere. File names, class names and overrides come from anywhere. So such a text gets an apostrophe
before it, by which spreadsheets mark a text; quotes would not help, and a space or tab would not come off again.
"""

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What begins one, in full width too; also after apostrophes, so that taking one away gives the text as it was."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe_text(text: str) -> str:
    """A text as a field of a CSV; numbers, as in trainer.max_steps=-1, stay."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain_text(field: str) -> str:
    """The text that `safe_text` has made this field of."""
    return field[1:] if field.startswith("'") and _FORMULA.match(field) else field
