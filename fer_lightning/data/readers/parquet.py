"""Parquet files as Hugging Face's `datasets` writes them: images as bytes, labels with their names in the schema.

One file or several (train-00000-of-00002.parquet), whose names say the part. A column with images is a struct of bytes
and path, or holds bytes alone; labels are numbers whose names the schema's metadata may have (ClassLabel), or words.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from fer_lightning.data.emotions import canonical, in_order, is_number
from fer_lightning.data.readers.bounded import MOST_IMAGES, most_unpacked, too_large, too_many_files
from fer_lightning.data.readers.delimited import whole_number
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.pixel_text import short, shown, some
from fer_lightning.data.readers.shards import parts_of_files, shard_list, shards
from fer_lightning.data.readers.table_columns import class_of, found_columns
from fer_lightning.data.readers.usual_columns import plain
from fer_lightning.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"

ROW_GROUPS = 4
"""Groups of rows whose images are kept while they are decoded: one for each thread of a small machine."""


def is_parquet(path: Path) -> bool:
    return bool(shards(path, SUFFIX))


def list_parquet(path: Path, given: Mapping[str, str]) -> ImageList:
    """Lists the images of one file or several, by rows; a row without a label or an image is a bad image.

    Args:
        path: a file or folder.
        given: the columns that a person named, see `given_columns`.

    Raises:
        DataError: pyarrow is not installed, no parquet file, columns that are not there or not clear.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{path}: to read parquet files takes pyarrow, which is not installed. Install it with `pip install "
            "pyarrow`, which is the extra `parquet` of this package."
        ) from error
    files = shards(path, SUFFIX)
    root = path if path.is_dir() else path.parent
    names = [file.relative_to(root).as_posix() for file in files]
    tables = {name: _Table.read(file, given) for name, file in zip(names, files, strict=True)}
    images: list[ListedImage] = []
    bad: dict[int, str] = {}
    words: list[str] = []
    for (name, table), part in zip(tables.items(), parts_of_files(names), strict=True):
        for number, row in enumerate(table.rows(), start=1):
            if row.why:
                bad[len(images)] = f"{name}, row {number}: {row.why}"
            images.append(ListedImage(0, row.class_name, f"{name}/{number}", row.person))
            words.append(row.part or part)
        if len(images) > MOST_IMAGES:
            raise too_many_files(root)
    schemas = {table.class_names for table in tables.values()}
    what = {
        "form": f"parquet: {tables[names[0]].meaning}",
        "class_names": schemas.pop() if len(schemas) == 1 else (),
        "bad": bad,
        "content": _content(tables),
    }
    return shard_list(path, files, given, images, words, what)


class _Row(NamedTuple):
    class_name: str
    person: str
    part: str
    why: str = ""  # it is bad


@dataclass(frozen=True)
class _Table:
    """The schema of a file, and what its columns are."""

    file: Path
    columns: Mapping[str, str]
    label_names: tuple[str, ...]  # of the numbers of its label column, from 0, where the schema has them
    starts: tuple[int, ...]  # the first row of each group

    @classmethod
    def read(cls, file: Path, given: Mapping[str, str]) -> "_Table":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(file) as opened:
                schema, metadata = opened.schema_arrow, opened.metadata
                groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(
                f"{file}: is no parquet file that can be read ({_why(error)}). Get a complete copy."
            ) from error
        if (sum(group.total_byte_size for group in groups)) > (allowed := most_unpacked(file)):
            raise too_large(file, allowed)
        names = _names_of_labels(schema)
        columns = _columns(schema, names, given, file)
        starts = (0, *accumulate(group.num_rows for group in groups))[: len(groups)]
        return cls(file, columns, names.get(columns["label"], ()), starts)

    @property
    def class_names(self) -> tuple[str, ...]:
        return () if all(map(is_number, self.label_names)) else in_order(map(canonical, self.label_names))

    @property
    def meaning(self) -> str:
        return ", ".join(key if plain(key) == plain(name) else f"{key} {name}" for key, name in self.columns.items())

    def rows(self) -> Iterator[_Row]:
        """Yields what each row says of its image, without reading the images."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [self.columns[key] for key in ("label", "person", "split") if key in self.columns]
        try:
            table = pq.read_table(self.file, columns=columns)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{self.file}: cannot be read ({_why(error)}). Get a complete copy.") from error
        values = [
            table.column(self.columns[key]).to_pylist() if key in self.columns else [None] * len(table)
            for key in ("label", "person", "split")
        ]
        for label, person, part in zip(*values, strict=True):
            class_name = self._class(label)
            why = "" if class_name else f"found the label {shown(str(label))}, expected a class"
            yield _Row(class_name, _text(person), _text(part), why)

    def images(self, group: int) -> "pa.ChunkedArray":
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.file) as opened:
            column: pa.ChunkedArray = opened.read_row_group(group, columns=[self.columns["image"]]).column(0)
        return column

    def _class(self, label: Any) -> str:
        if not self.label_names:
            return class_of(_text(label)) or ""
        known = isinstance(label, int) and 0 <= label < len(self.label_names)
        return class_of(self.label_names[label]) or "" if known else ""


def _content(tables: Mapping[str, _Table]) -> Callable[[str], bytes]:
    """Returns what reads an image by its name in the list, and keeps the groups of rows that it has read last."""
    lock = Lock()
    images_of = lru_cache(ROW_GROUPS)(lambda name, group: tables[name].images(group))

    def content(image: str) -> bytes:
        name, _, number = image.rpartition("/")
        row = int(number) - 1
        group = bisect_right(tables[name].starts, row) - 1
        with lock:
            images = images_of(name, group)
        value = images[row - tables[name].starts[group]].as_py()
        if isinstance(value, dict):
            value = value.get("bytes")
        if not value:
            raise ValueError("the row has no bytes of an image")
        return bytes(value)

    return content


def _names_of_labels(schema: "pa.Schema") -> dict[str, tuple[str, ...]]:
    """Returns the names of the numbers of each column that Hugging Face calls a ClassLabel."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: tuple(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):  # somebody else's
        return {}


def _columns(
    schema: "pa.Schema", label_names: Mapping[str, tuple[str, ...]], given: Mapping[str, str], file: Path
) -> dict[str, str]:
    import pyarrow as pa

    if repeated := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise DataError(f"{file}: has two columns called {repeated[0]!r}. Rename one of them.")
    with_images = [field.name for field in schema if _has_bytes(field.type)]
    others = [name for name in schema.names if name not in with_images]
    chosen = [name for name in with_images if name == given.get("image", name)]
    if len(chosen) != 1:
        has = some([f"{field.name} ({field.type})" for field in schema], 20)
        raise DataError(
            f"{file}: expected one column with the bytes of images, found {len(chosen)}: it has {has}. Name it with "
            "data.columns.image=…, or give another data.path."
        )
    if len(label_names) == 1 and "label" not in given:
        given = {**given, "label": next(iter(label_names))}
    given = {key: name for key, name in given.items() if key != "image"}
    examples = {name: "0" if pa.types.is_integer(schema.field(name).type) else "a word" for name in others}
    examples |= {name: " ".join(names) for name, names in label_names.items()}
    columns = found_columns(others, given, lambda name: examples[name], file)
    if "label" not in columns:
        raise DataError(
            f"{file}: none of its columns ({some(others, 20)}) has a usual name of a column for the label. Name it "
            "with data.columns.label=…."
        )
    return {"image": chosen[0], **{key: name for key, name in columns.items() if key != "image"}}


def _has_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(
            kind.field(place).name == "bytes" and _has_bytes(kind.field(place).type) for place in range(kind.num_fields)
        )
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _why(error: Exception) -> str:
    return short(" ".join(str(error).split()))


def _text(value: Any) -> str:
    return "" if value is None else whole_number(str(value).strip())
