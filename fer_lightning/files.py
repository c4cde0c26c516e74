"""Writes files that are complete or not there, fields of CSV files that are no formulas, and names that can be printed;
reads texts up to a bound, and torch.save's files, executing nothing.

Imports nothing that takes a while: torch only where it is needed.
"""

import os
import re
import secrets
import stat
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor

REFUSED = "is damaged, or holds more than plain tensors, which is not executed"

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""The beginning of a formula, in full width too; also after apostrophes, so that taking one away undoes adding it."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@contextmanager
def written_whole(file: Path, mode: int = 0o666) -> Iterator[Path]:
    """Yields a temporary name next to `file`, which becomes `file` when the block ends and is gone if it fails.

    So two processes at once do not meet, and a killed one leaves no half file under the real name. The file has the
    permissions `mode` without those of the umask, whatever writes it: safetensors makes files for their owner alone.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        permissions = stat.S_IMODE(unfinished.stat().st_mode)
        yield unfinished
        if stat.S_IMODE(unfinished.stat().st_mode) != permissions:
            unfinished.chmod(permissions)
        _on_disk(unfinished, os.O_RDWR)  # Windows syncs no file that is open for reading alone
        os.replace(unfinished, file)
        if os.name == "posix":  # elsewhere, folders cannot be opened
            _on_disk(file.parent, os.O_RDONLY)
    finally:
        unfinished.unlink(missing_ok=True)


def folder_around(out: Path, sources: Iterable[str | os.PathLike[str]]) -> str | None:
    """Returns the first of the sources that is a folder and has `out` in it, or is it; None if there is none.

    Links are followed, and ~ is the home folder. What is written into a folder that is read is taken for a part of it.
    """
    real = Path(os.path.expanduser(out)).resolve()
    for source in sources:
        folder = Path(os.path.expanduser(source)).resolve()
        if folder.is_dir() and real.is_relative_to(folder):
            return os.fspath(source)
    return None


def plain_values(path: Path) -> Any:
    """Returns the tensors and plain values in a file that torch.save wrote, on the CPU.

    Raises:
        ValueError: there is no such file, a checksum in it differs, or it holds anything else.
    """
    import torch

    if not path.is_file():  # to read a pipe or a device might never end
        raise ValueError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"  # otherwise of torch 1.5 or older, whose files have no checksums
        if is_zip:
            _refuse_damage(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are then refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle can be broken in any way; torch's message says how to have it executed
        named = re.search(r"GLOBAL ([\w.]{1,120}) was not an allowed global", str(error))
        raise ValueError(f"{path} {REFUSED}{f' (it names {named[1]})' if named else ''}") from error


def is_plain(value: Any) -> "TypeGuard[Tensor]":
    """Checks that a value is a tensor that is all there: not sparse or quantized, nor a few numbers shown as many."""
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _refuse_damage(path: Path) -> None:
    """Raises BadZipFile for what torch does not look at: checksums, and members that unpack to more than they take."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise zipfile.BadZipFile("torch.save compresses nothing, but here something is compressed")
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"the checksum of {damaged} differs")


def text_in(file: Path, longest: int) -> str:
    """Returns what a file holds, with the ends of its lines as they are.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no text, no file or has more characters than `longest`.
    """
    if not file.is_file() and file.exists():  # to read a pipe or a device might never end
        raise ValueError(f"{file} is not a file")
    try:
        with file.open(encoding="utf-8", newline="") as stream:  # not all of it, whatever its size is said to be
            text = stream.read(longest + 1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} cannot be read: it is not text in UTF-8") from error
    if len(text) > longest:
        raise ValueError(f"{file} is longer than {longest:,} characters: this program has not written it")
    return text


def safe_text(text: str) -> str:
    """Returns a text as a field of a CSV; numbers, as in trainer.max_steps=-1, stay.

    A field that begins with = + - or @ is a formula to a spreadsheet, quoted or not, and a formula can start programs
    and send what is in the table elsewhere. File names, class names and overrides come from anywhere. So such a text
    gets an apostrophe before it, by which spreadsheets mark a text; quotes would not help, and a space or tab would
    stay in it.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain_text(field: str) -> str:
    """Returns the text that `safe_text` has made this field of."""
    return field[1:] if field.startswith("'") and _FORMULA.match(field) else field


def printable(text: str) -> str:
    r"""Returns a text that every table, page and terminal can hold: bytes of a path that are not UTF-8 become \xe4.

    Halves of letters, which JSON can hold, become \ud83d.
    """
    whole = re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda half: f"\\u{ord(half[0]):x}", text)
    return os.fsencode(whole).decode("utf-8", "backslashreplace")


def _on_disk(path: Path, flags: int) -> None:
    """Waits until a file is not only in the system's memory: a power cut would leave a name without a content."""
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
