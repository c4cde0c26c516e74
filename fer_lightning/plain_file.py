"""Files that torch.save wrote, read so that nothing in them is executed, damaged or larger than it says."""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

REFUSED = "is damaged, or holds more than plain tensors, which is not executed"


def plain_values(path: Path) -> Any:
    """The tensors and plain values in a file, on the CPU.

    Raises:
        ValueError: there is no such file, a checksum in it differs, or it holds anything else.
    """
    if not path.is_file():  # to read a pipe or a device might never end
        raise ValueError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"  # else of torch 1.5 or older, whose files have no checksums
        if zipped:
            _refuse_damage(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are then refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle can be broken in any way; torch's message says how to have it executed
        named = re.search(r"GLOBAL ([\w.]{1,120}) was not an allowed global", str(error))
        raise ValueError(f"{path} {REFUSED}{f' (it names {named[1]})' if named else ''}") from error


def is_plain(value: Any) -> bool:
    """Whether a value is a tensor that is all there: not sparse or quantized, nor a few numbers shown as many."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _refuse_damage(path: Path) -> None:
    """torch itself neither looks at the checksums nor minds a file that unpacks to a thousand times its size."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise zipfile.BadZipFile("torch.save compresses nothing, but here something is compressed")
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"the checksum of {damaged} differs")
