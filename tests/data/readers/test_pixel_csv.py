import io
import re

import numpy as np
import pandas as pd
import pytest

from fer_lightning.data.faces import Reading
from fer_lightning.data.readers.pixel_csv import parse_pixel_csv
from fer_lightning.errors import DataError
from tests.data.faces_files import (
    FLAT,
    LABELS,
    USAGES,
    all_images,
    csv_bytes,
    fer2013_csv,
    fer2013_rows,
    pixel_text,
    random_images,
)

IMAGES = random_images()


def parsed(content: bytes) -> Reading:
    return parse_pixel_csv(io.BytesIO(content), "some.csv")


def assert_has_the_faces(reading: Reading, parts: bool = True) -> None:
    faces = reading.faces
    assert reading.bad_rows == 0
    assert np.array_equal(faces.images[:, 0].numpy(), IMAGES)
    assert [int(faces.class_names[label]) for label in faces.labels] == list(LABELS)
    if parts:
        assert faces.part_names == ("Training", "PublicTest", "PrivateTest")
        assert [faces.part_names[part] for part in faces.parts] == list(USAGES)
    else:
        assert faces.part_names == ("all",)
        assert faces.parts.tolist() == [0] * len(LABELS)


def test_fer2013_csv_is_read_to_the_pixel() -> None:
    assert_has_the_faces(parsed(fer2013_csv(IMAGES)))


def test_columns_are_found_by_name_in_any_order_with_any_spaces() -> None:
    rows = [f"{label},{usage},{pixel_text(i)}" for i, label, usage in zip(IMAGES, LABELS, USAGES, strict=True)]
    assert_has_the_faces(parsed(csv_bytes("emotion, Usage, pixels", rows)))


def test_without_usage_there_is_one_part_called_all() -> None:
    rows = [f"{label},{pixel_text(i)}" for i, label in zip(IMAGES, LABELS, strict=True)]
    assert_has_the_faces(parsed(csv_bytes("emotion,pixels", rows)), parts=False)


@pytest.mark.parametrize("end", ["\r\n", "\n\n", "\n\r\n"])
def test_line_ends_and_blank_lines_do_not_matter(end: str) -> None:
    assert_has_the_faces(parsed(csv_bytes("emotion,pixels,Usage", fer2013_rows(IMAGES), end) + b"\n\n \r\n"))


def test_byte_order_mark_and_missing_last_line_end_do_not_matter() -> None:
    assert_has_the_faces(parsed(b"\xef\xbb\xbf" + fer2013_csv(IMAGES).removesuffix(b"\n")))


@pytest.mark.parametrize("quoting", range(4), ids=["minimal", "all", "nonnumeric", "none"])
def test_whatever_pandas_writes_is_read(quoting: int) -> None:
    table = pd.DataFrame({"emotion": LABELS, "pixels": [pixel_text(image) for image in IMAGES], "Usage": USAGES})
    table["name"] = "é.jpg" if quoting == 3 else 'Ann, "the face" é'
    assert_has_the_faces(parsed(table.to_csv(quoting=quoting).encode()))  # type: ignore[call-overload]


def test_odd_spacing_and_leading_zeros_are_read() -> None:
    rows = fer2013_rows(IMAGES)
    rows[2] = rows[2].replace(" ", "  \t")
    rows[4] = re.sub(r"(?<= )\d+", lambda number: f"{number[0]:>03}", rows[4])
    rows[5] = re.sub(r"(?<= )\d+", lambda number: f"{number[0]:>09}", rows[5])
    rows[6] = rows[6].replace(",", " , ")
    assert_has_the_faces(parsed(csv_bytes("emotion,pixels,Usage", rows)))


def test_fast_parser_agrees_with_plain_python_on_random_images() -> None:
    images = random_images(300, seed=1)
    images[:3, 0, :3] = [[0, 0, 0], [9, 255, 10], [100, 99, 5]]
    texts = [pixel_text(image) for image in images]
    expected = [[int(number) for number in text.split()] for text in texts]
    reading = parsed(csv_bytes("emotion,pixels", [f"{i % 7},{text}" for i, text in enumerate(texts)]))
    assert all_images(reading.faces).view(-1, 2304).tolist() == expected
    assert reading.faces.labels.tolist() == [i % 7 for i in range(300)]


def with_pixel(place: int, value: str) -> str:
    return " ".join(["7"] * (place - 1) + [value] + ["7"] * (2304 - place))


BAD_ROWS = {
    f"3,{FLAT[2:]},Training": "column pixels: found 2,303 pixels, expected 2,304 (48x48)",
    f"3,{FLAT} 7,Training": "column pixels: found 2,305 pixels, expected 2,304 (48x48)",
    "3,,Training": "column pixels: found 0 pixels, expected 2,304 (48x48)",
    f"3,{with_pixel(1, '256')},Training": "column pixels: pixel 1 is '256', expected a whole number from 0 to 255",
    f"3,{with_pixel(2304, '999')},Training": "column pixels: pixel 2304 is '999', expected a whole number",
    f"3,{with_pixel(20, '-1')},Training": "column pixels: pixel 20 is '-1', expected a whole number from 0 to 255",
    f"3,{with_pixel(20, '+1')},Training": "column pixels: pixel 20 is '+1'",
    f"3,{with_pixel(20, '1.5')},Training": "column pixels: pixel 20 is '1.5'",
    f"3,{with_pixel(20, 'nan')},Training": "column pixels: pixel 20 is 'nan'",
    f"3,{with_pixel(20, 'grey')},Training": "column pixels: pixel 20 is 'grey'",
    f"3,{with_pixel(20, '٣')},Training": "column pixels: pixel 20 is '٣'",
    f"3,{with_pixel(20, '9' * 5000)},Training": f"column pixels: pixel 20 is '{'9' * 40}…'",
    f"100,{FLAT},Training": "column emotion: found '100', expected a whole number from 0 to 99 or an emotion",
    f"-1,{FLAT},Training": "column emotion: found '-1', expected a whole number from 0 to 99",
    f"3.0,{FLAT},Training": "column emotion: found '3.0'",
    f"hungry,{FLAT},Training": "column emotion: found 'hungry'",
    f",{FLAT},Training": "column emotion: found ''",
    f"3,{FLAT},Test": "column Usage: found 'Test', expected one of Training, PublicTest, PrivateTest",
    f"3,{FLAT},": "column Usage: found ''",
    f"3,{FLAT}": "all columns: found 2 fields, expected 3 (emotion,pixels,Usage)",
    f"3,{FLAT},Training,0": "all columns: found 4 fields, expected 3 (emotion,pixels,Usage)",
    "emotion,pixels,Usage": "column emotion: found 'emotion'",
    f'3,{FLAT},"Training': "all columns: found broken quotes",
}


@pytest.mark.parametrize("row", BAD_ROWS, ids=[re.sub(r"(7 )+7?", "… ", row)[:40] for row in BAD_ROWS])
def test_a_bad_row_is_left_out_and_described_with_its_place(row: str) -> None:
    rows = fer2013_rows(IMAGES)
    reading = parsed(csv_bytes("emotion,pixels,Usage", ["", *rows[:4], row, *rows[4:]]))
    assert reading.bad_rows == 1
    assert reading.first_bad[0].startswith(f"row 5 (line 7), {BAD_ROWS[row]}")
    assert np.array_equal(reading.faces.images[:, 0].numpy(), IMAGES)
    assert [int(reading.faces.class_names[label]) for label in reading.faces.labels] == list(LABELS)


def test_numbers_that_only_add_up_over_two_rows_are_refused() -> None:
    rows = [f"3,{FLAT[2:]},Training", f"3,{FLAT} 7,Training"]
    assert parsed(csv_bytes("emotion,pixels,Usage", rows)).bad_rows == 2


def test_all_bad_rows_are_counted_and_the_first_five_shown() -> None:
    rows = [f"{3 if number % 2 else 'x'},{FLAT},Training" for number in range(1, 401)]
    reading = parsed(csv_bytes("emotion,pixels,Usage", rows))
    assert reading.bad_rows == 200
    assert len(reading.faces) == 200
    assert reading.faces.numbers.tolist() == list(range(1, 401, 2))
    assert [message.split(",")[0] for message in reading.first_bad] == [
        "row 2 (line 3)", "row 4 (line 5)", "row 6 (line 7)", "row 8 (line 9)", "row 10 (line 11)"
    ]  # fmt: skip


def test_a_row_that_is_not_utf_8_is_bad_wherever_the_byte_stands() -> None:
    content = csv_bytes("emotion,pixels,name", [f"3,{FLAT},Ann", f"3,{FLAT},Ren?"]).replace(b"?", b"\xe9")
    reading = parsed(content)
    assert reading.first_bad == (
        "row 2 (line 3), all columns: found byte 0xe9 at place 4614 of the line, expected UTF-8",
    )


BAD_FILES = {
    b"": "some.csv: the file is empty; expected a header such as emotion,pixels,Usage",
    b"emotion,pixels,Usage\n\n": "some.csv: the file ends after its header; expected one row per face",
    b"emotion,Usage\n3,Training\n": "no column 'pixels': found the columns 'emotion,Usage', expected emotion,pixels",
    b"emotion;pixels;Usage\n": "no column 'emotion': found the columns 'emotion;pixels;Usage'",
    fer2013_csv()[21:]: "no column 'emotion': found the columns '3,",
    b"pixels\n7 7 7\n": "no column 'emotion': found the columns 'pixels'. Kaggle's test.csv has pixels but no labels",
    b"emotion,pixels,pixels\n": "line 1 names the column 'pixels' twice",
    b"emotion,Emotion ,pixels\n": "line 1 names the column 'emotion' twice",
    b"emotion,pixels,Usage,usage\n": "line 1 names the column 'usage' twice",
    fer2013_csv().decode().encode("utf-16"): "line 1 is not UTF-8 text (it looks like UTF-16",
    fer2013_csv().decode().encode("utf-16-le"): "line 1 is not UTF-8 text (it looks like UTF-16",
    "emotion,pixels,café\n".encode("latin-1"): "line 1 is not a CSV header in UTF-8",
    b"emotion,pixels\n3," + b"7 " * 600_000: "line 2 is longer than 1,048,576 bytes",
}


@pytest.mark.parametrize("content", BAD_FILES, ids=[why[:50] for why in BAD_FILES.values()])
def test_a_csv_unlike_fer2013_is_refused_with_what_was_found(content: bytes) -> None:
    with pytest.raises(DataError, match=re.escape(BAD_FILES[content])) as caught:
        parsed(content)
    assert str(caught.value).startswith("some.csv: ")
