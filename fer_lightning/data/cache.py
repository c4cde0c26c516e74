"""Caches faces as one memory-mapped safetensors file beside their source, so that they are parsed only once.

The file holds for one schema and one identity of its source and carries a checksum; where one differs, it is
rebuilt. It gets its name only when complete, so neither parallel runs nor a killed one can harm it.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fer_lightning.data.faces import Faces, Reading
from fer_lightning.files import written_whole

log = logging.getLogger(__name__)

SCHEMA = "9"
"""To be raised whenever a reader would make other faces of the same source, or the file's layout changes."""

TENSORS = ("images", "labels", "parts", "numbers")
OPTIONAL = ("soft_labels", "persons")
"""Saved only where the faces have them."""


class UnusableError(Exception):
    """Why a cache file is not used."""


def cache_dir() -> Path:
    """Returns the user's cache directory, or $FER_LIGHTNING_CACHE; the caller creates it."""
    chosen = os.environ.get("FER_LIGHTNING_CACHE")
    if chosen:
        return Path(os.path.expanduser(chosen))
    return platformdirs.user_cache_path("fer_lightning", appauthor=False)


def cached_reading(source: Path, identity: str, options: str = "") -> Reading | None:
    """Returns what is cached of `source` with this identity, memory-mapped; None if nothing usable is.

    Args:
        source: the file or folder.
        identity: of its content.
        options: what was made of it, in words.
    """
    return first_usable(places(source, "safetensors"), lambda file: _load(file, identity, options))


def first_usable(files: Iterable[Path], load: Callable[[Path], Reading]) -> Reading | None:
    """Returns what the first of these cache files holds that can be used; None, and why in the log, if none can."""
    unusable: list[str] = []
    for file in files:
        try:
            if file.is_file():
                return load(file)
        except UnusableError as why:
            unusable.append(f"{file}: {why}")
        except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:  # the last three: of metadata
            unusable.append(f"{file}: damaged or unreadable ({error})")
    for message in unusable:
        log.info("cache rebuilt: %s", message)
    return None


def save_reading(reading: Reading, source: Path, identity: str, mode: int = 0o666, options: str = "") -> None:
    """Writes the cache file beside the source or, failing that, into the user's cache directory; otherwise warns.

    Whoever may read the source may read the first, unless `mode`, that of the images in it, or the umask forbids it.
    The second is the user's own: the folders around the source may keep others out.
    """
    beside, in_cache_dir = places(source, "safetensors")
    try:
        _save(beside, reading, identity, options, mode_beside(source, mode))
        return
    except (OSError, SafetensorError) as error:
        log.warning("cannot save a cache at %s (%s); saving it at %s", beside, error, in_cache_dir)
    try:
        _save(in_cache_dir, reading, identity, options, 0o600)
    except (OSError, SafetensorError) as error:
        log.warning("cannot save a cache at %s either (%s); %s is parsed on every run", in_cache_dir, error, source)


def mode_beside(source: Path, mode: int) -> int:
    """Returns the permissions of a cache file beside its source: those of the source that `mode` has, too."""
    return source.stat().st_mode & mode & 0o666 | 0o600


def places(source: Path, suffix: str) -> tuple[Path, Path]:
    """Returns where a source's cache file is looked for: beside it, and in the user's cache directory."""
    folder = source if source.is_dir() else source.parent
    name = source.resolve().name  # "." has no name of its own
    where = hashlib.blake2b(os.fsencode(source.resolve()), digest_size=8).hexdigest()
    return folder / ".fer_lightning" / f"{name}.{suffix}", cache_dir() / f"{name}-{where}.{suffix}"


def _load(file: Path, identity: str, options: str) -> Reading:
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
        refuse_another(metadata, identity, options)
        tensors = {name: opened.get_tensor(name) for name in (*TENSORS, *({*OPTIONAL} & set(opened.keys())))}
    if metadata.pop("checksum", None) != _checksum(tensors, metadata):
        raise UnusableError("damaged (its checksum differs)")
    return reading_of(tensors, metadata, json.loads(metadata["files"]))


def refuse_another(metadata: Mapping[str, str], identity: str, options: str) -> None:
    """Raises UnusableError for a cache of another schema, of another source, or made with other options."""
    if metadata.get("schema") != SCHEMA:
        raise UnusableError(f"of schema {metadata.get('schema')}, not {SCHEMA}")
    if metadata.get("identity") != identity:
        raise UnusableError("its source has changed")
    if metadata.get("options") != options:
        raise UnusableError(f"made with {metadata.get('options')}, not {options}")


def reading_of(tensors: Mapping[str, Any], metadata: Mapping[str, str], files: Sequence[str]) -> Reading:
    """Returns the reading that a cache holds; the images among its tensors may be any store.

    Raises:
        UnusableError, ValueError, TypeError, KeyError: it holds no faces.
    """
    faces = Faces(
        **tensors,
        part_names=tuple(json.loads(metadata["part_names"])),
        class_names=tuple(json.loads(metadata["class_names"])),
        files=tuple(files),
        several_of_each=json.loads(metadata["several_of_each"]) is True,
    )
    if not _are_faces(faces):  # somebody else wrote it: a checksum keeps nobody from that
        raise UnusableError("its tensors are no faces")
    return Reading(
        faces=faces,
        form=metadata["form"],
        bad_rows=int(metadata["bad_rows"]),
        first_bad=tuple(json.loads(metadata["first_bad"])),
        member=metadata["member"],
        numbering=metadata["numbering"],
    )


def _save(file: Path, reading: Reading, identity: str, options: str, mode: int) -> None:
    tensors, metadata = content_of(reading, identity, options)
    with written_whole(file, mode) as unfinished:
        save_file(tensors, unfinished, metadata | {"checksum": _checksum(tensors, metadata)})


def content_of(reading: Reading, identity: str, options: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns what a cache file holds of a reading: its tensors, images included, and its metadata."""
    faces = reading.faces
    tensors = {name: getattr(faces, name) for name in TENSORS}
    tensors |= {name: tensor for name in OPTIONAL if (tensor := getattr(faces, name)) is not None}
    metadata = {
        "schema": SCHEMA,
        "identity": identity,
        "options": options,
        "form": reading.form,
        "member": reading.member,
        "numbering": reading.numbering,
        "bad_rows": str(reading.bad_rows),
        "first_bad": json.dumps(reading.first_bad),
        "part_names": json.dumps(faces.part_names),
        "class_names": json.dumps(faces.class_names),
        "files": json.dumps(faces.files),
        "several_of_each": json.dumps(faces.several_of_each),
    }
    return tensors, metadata


def _are_faces(faces: Faces) -> bool:
    count, classes = len(faces.images), len(faces.class_names)
    expected: list[tuple[Tensor, torch.dtype, tuple[int, ...]]] = [
        (faces.labels, torch.int64, (count,)),
        (faces.parts, torch.uint8, (count,)),
        (faces.numbers, torch.int64, (count,)),
    ]
    if faces.soft_labels is not None:
        expected.append((faces.soft_labels, torch.float32, (count, classes)))
    if faces.persons is not None:
        expected.append((faces.persons, torch.int64, (count,)))
    return (
        {*map(type, (*faces.part_names, *faces.class_names, *faces.files))} <= {str}
        and len(faces.files) in (0, count)
        and (not isinstance(faces.images, Tensor) or faces.images.dtype == torch.uint8)
        and len(faces.images.shape) == 4
        and faces.images.shape[1] in (1, 3)
        and faces.images.shape[2] == faces.images.shape[3]
        and all(tensor.dtype == dtype and tensor.shape == shape for tensor, dtype, shape in expected)
        and bool(((faces.labels >= 0) & (faces.labels < classes)).all())
        and bool((faces.parts < len(faces.part_names)).all())
    )


def _checksum(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """Returns a checksum of all that the file holds, shapes included."""
    shapes = {name: (str(tensor.dtype), list(tensor.shape)) for name, tensor in tensors.items()}
    crc = zlib.crc32(json.dumps([metadata, shapes], sort_keys=True).encode())
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].numpy().data, crc)
    return f"{crc:08x}"
