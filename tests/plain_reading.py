"""What is in the files that are mutated, and a pixel CSV read by Python alone."""

import csv
from pathlib import Path

from fer_lightning.data.faces import Faces
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import LABELS, USAGES, all_images, csv_bytes, fer2013_rows, random_images

Row = tuple[int, str, bytes]  # label, part, pixels


IMAGES = random_images()[:3]


CSV = csv_bytes("emotion,pixels,Usage", fer2013_rows(random_images())[:3])


ROWS: dict[int, Row] = {n + 1: (LABELS[n], USAGES[n], IMAGES[n].tobytes()) for n in range(3)}


def rows_of(faces: Faces) -> dict[int, Row]:
    parts = [faces.part_names[part] for part in faces.parts.tolist()]
    pixels = [image.numpy().tobytes() for image in all_images(faces)]
    return dict(zip(faces.numbers.tolist(), zip(faces.labels.tolist(), parts, pixels, strict=True), strict=True))


def plainly_read(content: bytes) -> dict[int, Row]:
    """The right rows of a pixel CSV, by Python's split, csv module and int() alone."""
    first, *lines = content.split(b"\n")
    columns = [name.strip().lower() for name in next(csv.reader([first.decode("utf-8-sig")]))]
    rows: dict[int, Row] = {}
    for number, line in enumerate((line for line in lines if line.strip()), start=1):
        try:
            text = line.strip(b"\r").decode()
            # Neither strict nor particular about blanks around quotes: nor is the reader.
            quoted = csv.reader([text.replace("\t", " ")], skipinitialspace=True)
            texts = next(quoted) if '"' in text else text.split(",")
            fields = [field.encode().strip() for field in texts]
        except (UnicodeDecodeError, csv.Error):
            continue
        if len(fields) != len(columns):
            continue
        row = dict(zip(columns, fields, strict=True))
        usage = row.get("usage", b"all").decode()
        numbers = row["pixels"].split()
        if row["emotion"] not in (b"0", b"1", b"2", b"3", b"4", b"5", b"6") or usage not in (*USAGES, "all"):
            continue
        if len(numbers) == 2304 and all(n.isdigit() and len(n) < 4000 and int(n) < 256 for n in numbers):
            rows[number] = (int(row["emotion"]), usage, bytes(map(int, numbers)))
    return rows


def read(path: Path) -> dict[int, Row] | None:
    """The rows of a file; None if it was refused, as it should be."""
    try:
        return rows_of(read_faces(path, "drop"))
    except DataError:
        return None


def assert_rows_of_csv(content: bytes, found: dict[int, Row] | None) -> None:
    if found is not None:
        expected = plainly_read(content)
        assert [number for number, row in found.items() if expected.get(number) != row] == []
        assert [number for number in expected.keys() - found.keys() if b'"' not in content] == []
