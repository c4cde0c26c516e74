"""A table of any shape whose rows name image files and their classes: `image,label[,split][,person]`.

One table, or one for each part (train.csv, test.csv). Its columns are found by their usual names or are given.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_lightning.data.faces import SHOWN
from fer_lightning.data.identity import Stamp, images_identity, mode_for_all, stamp
from fer_lightning.data.readers.bounded import MOST_BAD_ROWS, MOST_TABLES
from fer_lightning.data.readers.delimited import whole_number
from fer_lightning.data.readers.entries import visible_entries
from fer_lightning.data.readers.face_boxes import Box
from fer_lightning.data.readers.files_below import FilesBelow
from fer_lightning.data.readers.folder_opinions import folder_opinions
from fer_lightning.data.readers.image_folder import SPLIT_SPELLINGS
from fer_lightning.data.readers.image_list import ImageList, ListedImage
from fer_lightning.data.readers.pixel_text import shown, some
from fer_lightning.data.readers.shards import part_of
from fer_lightning.data.readers.table_columns import class_of, parts_of
from fer_lightning.data.readers.table_rows import TableRows, has_columns
from fer_lightning.data.readers.usual_columns import plain
from fer_lightning.errors import DataError
from fer_lightning.transforms.image_file import IMAGE_SUFFIXES

SUFFIXES = (".csv", ".tsv")
"""Endings of tables that are looked for in a folder; a file that is named may have any."""

TRIED = 20
"""Rows of a table in a folder whose images must be there, for it to be taken for the table of these images."""


def is_image_table(path: Path, given: Mapping[str, str]) -> bool:
    """Checks for a table with columns for images and classes, or a folder with one that names most of its images.

    Args:
        path: a file or folder.
        given: the columns that a person named, see `given_columns`.
    """
    return bool(_tables(path, given))


def list_image_table(path: Path, given: Mapping[str, str]) -> ImageList:
    """Lists the images that the rows name. A row that cannot be used, or one of two for an image, is a bad image.

    Raises:
        DataError: a file that is no table, columns that are not there or not clear, far too many rows, several tables
            whose names do not say which part each has.
    """
    tables = [TableRows.read(file, given) for file in _tables(path, given)]
    root = path if path.is_dir() else path.parent
    below = FilesBelow.of(root)
    images, bad = _images(tables, below)
    parts, part_names = _parts(tables, images, bad)
    images = [image._replace(part=part) for image, part in zip(images, parts, strict=True)]
    by_table = tuple(image.class_name for image in images)
    by_folder = folder_opinions([image.path for image in images], by_table)
    stamps: dict[str, Stamp | None] = {
        image.path: stamp((root / image.path).stat()) for place, image in enumerate(images) if place not in bad
    }
    names = some([table.file.name for table in tables])
    unread = below.files - {image.path for image in images}
    return ImageList(
        root=root,
        part_names=part_names,
        images=tuple(images),
        ignored=tuple(sorted(file for file in unread if file.lower().endswith(IMAGE_SUFFIXES))),
        digest=images_identity(root, stamps, repr([(given, table.content) for table in tables]).encode()),
        mode=mode_for_all([*stamps.values(), *(stamp(table.file.stat()) for table in tables)]),
        form=f"table of images {names}: {tables[0].meaning}",
        wanted=f"listed in {names}",
        bad=bad,
        opinions={"folders": by_folder, "table": by_table} if by_folder else {},
    )


def _tables(path: Path, given: Mapping[str, str]) -> list[Path]:
    """Returns the tables of images that a file or folder is; several only where each has a part of its own."""
    if not path.is_dir():
        meant = bool(given) and path.name.lower().endswith(SUFFIXES)  # for a message about these columns
        return [path] if path.is_file() and (meant or has_columns(path, given)) else []
    names = [entry.name for entry in visible_entries(path) if entry.name.lower().endswith(SUFFIXES)]
    files = [path / name for name in names[:MOST_TABLES] if (path / name).is_file()]
    fitting = [file for file in files if has_columns(file, given)]
    if not fitting:
        return []
    below = FilesBelow.of(path)
    images = sum(file.lower().endswith(IMAGE_SUFFIXES) for file in below.files)
    tables = [table for table in (TableRows.read(file, given) for file in fitting) if _are_there(table, below)]
    if sum(len(table.rows) for table in tables) * 2 < images:
        return []
    parts = [part_of(table.file.name) for table in tables]
    if len(tables) > 1 and (not all(parts) or len({*parts}) < len(parts)):
        several = some([table.file.name for table in tables])
        raise DataError(
            f"{path}: holds several tables that could be meant: {several}. Give the one to read as data.path."
        )
    return [table.file for table in tables]


def _are_there(table: TableRows, below: FilesBelow) -> bool:
    try:
        return all(below.called(name) for name in table.fields("image")[:TRIED])
    except ValueError:
        return False


def _images(tables: Sequence[TableRows], below: FilesBelow) -> tuple[list[ListedImage], dict[int, str]]:
    """Returns the image of each row, without its part; and the places of the bad ones with the reasons."""
    images: list[ListedImage] = []
    bad: dict[int, str] = {}
    listed: dict[tuple[str, Box | None], tuple[int, str]] = {}  # place and row of each image, or of each face in one
    for table in tables:
        rows = zip(*(table.fields(key) for key in ("image", "label", "person")), table.boxes, strict=True)
        for number, (name, label, person, box) in enumerate(rows, start=1):
            place, where = len(images), f"{table.file.name}, row {number}"
            class_name = class_of(label)
            images.append(ListedImage(0, class_name or "", name, whole_number(person), box))
            try:
                found = below.called(name) if name else []
            except ValueError:
                bad[place] = f"{where}: found the image {shown(name)}, expected one below {below.folder}"
                continue
            if class_name is None:
                bad[place] = f"{where}: found the label {shown(label)}, expected a class or its whole number"
            elif table.box_columns and box is None:
                bad[place] = f"{where}: {', '.join(table.box_columns)} are no box of a face"
            elif not name or len(found) > 1:
                several = f"is the name of {len(found)} files: {some(found)}" if name else "is empty"
                bad[place] = f"{where}: the image {shown(name)} {several}"
            elif not found:
                bad[place] = f"{where}: there is no image {shown(name)} below {below.folder}"
            else:
                images[place] = images[place]._replace(path=found[0])
                first, first_where = listed.setdefault((found[0], box), (place, where))
                if first != place:
                    if images[first].class_name != class_name:
                        bad[first] = f"{first_where}: {where} gives {shown(found[0])} another class"
                    bad[place] = f"{where}: names {shown(found[0])} again, as {first_where} does"
        if len(bad) > MOST_BAD_ROWS + len(images) - len(bad):
            first_bad = "".join(f"\n- {why}" for why in [*bad.values()][:SHOWN])
            raise DataError(f"{table.file}: {len(bad):,} of its {len(images):,} rows are bad:{first_bad}")
    return images, bad


def _parts(
    tables: Sequence[TableRows], images: Sequence[ListedImage], bad: dict[int, str]
) -> tuple[list[int], tuple[str, ...]]:
    """Returns the part of each image, by a column, the tables' names or the images' folders, and the parts' names.

    Where a column says it for others, an image without a part is bad.
    """
    if any("split" in table.columns for table in tables):
        words = [word for table in tables for word in table.fields("split")]
        for place, word in enumerate(words):
            if not word:
                bad.setdefault(
                    place, f"{images[place].path}: its part is empty, expected one of {some(sorted({*words} - {''}))}"
                )
    elif len(tables) > 1:
        words = [part_of(table.file.name) for table in tables for _ in range(len(table.rows))]
    else:
        words = [_folder_part(image.path) for image in images]
        if not all(word for place, word in enumerate(words) if place not in bad):
            words = ["all"] * len(images)
    names, places = parts_of(words, some([str(table.file) for table in tables]))
    return [places.get(word, 0) for word in words], names or ("all",)


def _folder_part(path: str) -> str:
    return next((part for folder in path.split("/")[:-1] if (part := SPLIT_SPELLINGS.get(plain(folder)))), "")
