"""webdataset's tar files: the members key.jpg and key.cls (or key.json) are an image and its class.

One tar or several (train-000000.tar), whose names say the part. They are read in place.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from fer_lightning.data.readers.archive import DAMAGE, is_visible
from fer_lightning.data.readers.bounded import MAX_LINE, MOST_IMAGES, too_many_files
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.pixel_text import short, shown, some
from fer_lightning.data.readers.shards import parts_of_files, shard_list, shards
from fer_lightning.data.readers.table_columns import class_of, found_columns
from fer_lightning.errors import DataError
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES

SUFFIX = ".tar"
LABEL_SUFFIXES = ("cls", "json")

BLOCK = 512
"""Bytes of which a tar has whole ones, with an empty one at its end."""

LOOKED_AT = 20
"""Members by which a tar is recognised."""


class _Sample(NamedTuple):
    """What stands in a tar under one key."""

    image: tarfile.TarInfo | None
    labels: Mapping[str, bytes]  # the content of its .cls and its .json


def is_webdataset(path: Path) -> bool:
    """Checks for a tar, or a folder of tars, with an image and a class of the same name among its first members."""
    for file in shards(path, SUFFIX):
        members: list[tarfile.TarInfo] = []
        with suppress(*DAMAGE, DataError):  # which list_webdataset says
            for member in islice(_members(file), LOOKED_AT):
                members.append(member)
        if not members:
            continue
        with_label = {key for key, kind in map(_key_and_kind, members) if kind in LABEL_SUFFIXES}
        return any(f".{kind}" in IMAGE_SUFFIXES and key in with_label for key, kind in map(_key_and_kind, members))
    return False


def list_webdataset(path: Path, given: Mapping[str, str]) -> ImageList:
    """Lists the images of one tar or several, by keys. An image without a class is bad, and so is the reverse.

    Args:
        path: a file or folder.
        given: the fields of a .json that a person named, see `given_columns`.

    Raises:
        DataError: a damaged tar, far too many members, tars some of which do not say their part.
    """
    files = shards(path, SUFFIX)
    root = path if path.is_dir() else path.parent
    names = [file.relative_to(root).as_posix() for file in files]
    images: list[ListedImage] = []
    words: list[str] = []
    bad: dict[int, str] = {}
    where: dict[str, tuple[Path, int, int]] = {}  # of each image: its tar, and its place and size there
    for file, name, part in zip(files, names, parts_of_files(names), strict=True):
        for key, sample in _samples(file).items():
            image = f"{name}/{key if sample.image is None else _name(sample.image)}"
            label, person, word, why = _described(sample, given, f"{name}/{key}")
            if sample.image is None:
                why = "has a class and no image"
            else:
                where[image] = (file, sample.image.offset_data, sample.image.size)
            if why:
                bad[len(images)] = f"{name}/{key}: {why}"
            images.append(ListedImage(0, label, image, person))
            words.append(word or part)
        if len(images) > MOST_IMAGES:
            raise too_many_files(root)

    def content(image: str) -> bytes:
        file, start, size = where[image]
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.read(size)

    what = {"form": "webdataset", "bad": bad, "content": content}
    return shard_list(path, files, given, images, words, what)


def _samples(file: Path) -> dict[str, _Sample]:
    """Returns the images and classes of a tar by their keys, in its order."""
    samples: dict[str, _Sample] = {}
    try:
        with file.open("rb") as stream:
            for member in _members(file):
                key, kind = _key_and_kind(member)
                sample = samples.get(key, _Sample(None, {}))
                if kind in LABEL_SUFFIXES:
                    if member.size > MAX_LINE:
                        raise DataError(f"{file}: {short(member.name)} has {member.size:,} bytes, expected a class.")
                    stream.seek(member.offset_data)
                    samples[key] = sample._replace(labels={**sample.labels, kind: stream.read(member.size)})
                elif f".{kind}" in IMAGE_SUFFIXES:
                    if sample.image is not None:
                        raise DataError(f"{file}: has two images with the key {shown(key)}, expected one. Rename one.")
                    samples[key] = sample._replace(image=member)
    except DAMAGE as error:
        raise DataError(f"{file}: damaged or cut short ({error}). Get a complete copy.") from error
    return samples


def _members(file: Path) -> Iterator[tarfile.TarInfo]:
    """Yields the files in a tar that is not compressed; raises TarError where it is damaged or cut short."""
    size, count, end = file.stat().st_size, 0, 0
    with tarfile.open(file, "r:") as tar:
        while (member := tar.next()) is not None:
            if member.offset_data < end or member.offset_data + member.size > size:
                raise tarfile.ReadError(f"{short(member.name)} is cut short, or overlaps another")
            end = member.offset_data + member.size
            count += 1
            if count > MOST_IMAGES:
                raise too_many_files(file)
            tar.members.clear()  # type: ignore[attr-defined]  # which tarfile keeps, a kilobyte each
            if member.isfile() and is_visible(member.name):
                yield member
    if size < (-(-end // BLOCK) + 1) * BLOCK:
        raise tarfile.ReadError("the empty block at its end is missing")


def _key_and_kind(member: tarfile.TarInfo) -> tuple[str, str]:
    """Returns a member's name up to the first point of its last part, as webdataset has it, and its ending."""
    folder, slash, name = _name(member).rpartition("/")
    key, _, ending = name.partition(".")
    return f"{folder}{slash}{key}", ending.lower().rpartition(".")[2]


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


def _described(sample: _Sample, given: Mapping[str, str], where: str) -> tuple[str, str, str, str]:
    """Returns the class, person and part of a sample, and what is wrong with it, each "" where there is none."""
    fields: dict[str, str] = {}
    if "json" in sample.labels:
        try:
            found = json.loads(sample.labels["json"])
        except (ValueError, RecursionError) as error:
            return "", "", "", f"its .json is none ({short(str(error), 80)})"
        if not isinstance(found, dict):
            return "", "", "", f"its .json is {shown(str(found))}, expected fields with one for the label"
        fields = {str(key): _text(value) for key, value in found.items() if not isinstance(value, dict | list)}
    columns = found_columns([*fields], given, lambda name: fields[name], where)
    if "cls" in sample.labels:
        label = sample.labels["cls"].decode("utf-8", "surrogateescape")
    elif "label" in columns:
        label = fields[columns["label"]]
    else:
        has = f"its .json has {some([*fields])}" if sample.labels else "there is no .cls and no .json"
        return "", "", "", f"found no class: {has}"
    class_name = class_of(label)
    why = "" if class_name else f"found the label {shown(label)}, expected a class or its whole number"
    person, part = (fields[columns[key]] if key in columns else "" for key in ("person", "split"))
    return class_name or "", person, part, why


def _text(value: Any) -> str:
    return "" if value is None else str(value)
