"""Parquet files as Hugging Face's datasets writes them give exactly these faces."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.errors import DataError
from tests.data.faces_files import messages
from tests.data.readers.test_image_table import CLASSES, PARTS, PERSONS, assert_true, faces_by_shade, shade

NAMES = ("sad", "Happiness", "engaged", "bored")
LABELS = (1, 3, 0, 1, 2, 0)


def encoded(image: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((48, 48), shade(image), np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_parquet(
    file: Path, images: Sequence[int], names: Sequence[str] | None = NAMES, plain: bool = False, **columns: Any
) -> None:
    """Writes images and their labels; the names of these go into the schema as Hugging Face has them."""
    pictures = [encoded(image) if plain else {"bytes": encoded(image), "path": f"{image}.png"} for image in images]
    table = pa.table({"image": pictures, "label": [LABELS[image] for image in images]} | columns)
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": [*names], "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=2)


def of_part(*parts: str) -> list[int]:
    return [image for image in range(6) if PARTS[image] in parts]


def write_shards(folder: Path, between: str = "-", plain: bool = False) -> None:
    train = of_part("train")
    write_parquet(folder / f"train{between}00000-of-00002.parquet", train[:2], plain=plain)
    write_parquet(folder / f"train{between}00001-of-00002.parquet", train[2:], plain=plain)
    write_parquet(folder / f"validation{between}00000-of-00001.parquet", of_part("val"), plain=plain)
    write_parquet(folder / f"test{between}00000-of-00001.parquet", of_part("test"), plain=plain)


@pytest.mark.parametrize("form", ["shards", "data folder", "folders", "plain bytes"])
def test_parquet_files_give_these_faces(form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if form == "folders":
        for part in ("train", "val", "test"):
            write_parquet(tmp_path / "default" / part / "0000.parquet", of_part(part))
    elif form == "data folder":
        write_shards(tmp_path / "data")
        (tmp_path / "README.md").write_text("about")
    else:
        write_shards(tmp_path, plain=form == "plain bytes")
    for came_from in ("parsed", "from the cache"):
        faces, log = messages(caplog, tmp_path)
        assert_true(faces, person=False)
        assert f"parquet: image, label (train, val, test), {came_from}" in log
        assert "classes: happy (2), sad (2), bored (1), engaged (1)" in log


def test_persons_and_parts_come_from_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "faces.parquet", range(6), subject_id=[*PERSONS], split=[*PARTS])
    assert_true(read_faces(tmp_path / "faces.parquet"))
    assert_true(read_faces(tmp_path))


def test_columns_can_be_named(tmp_path: Path) -> None:
    other = [{"bytes": b"x", "path": ""}] * 6
    write_parquet(tmp_path / "a.parquet", range(6), None, mood=[*CLASSES], fold=[*PARTS], who=[*PERSONS], mask=other)
    with pytest.raises(DataError, match=r"expected one column with the bytes of images, found 2: it has image \("):
        read_faces(tmp_path)
    assert_true(read_faces(tmp_path, columns={"image": "image", "label": "mood", "split": "fold", "person": "who"}))


def test_numbers_without_names_need_a_numbering(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", range(6), None)
    with pytest.raises(DataError, match="its classes are numbers, and a number does not say which emotion it is"):
        read_faces(tmp_path)
    faces = faces_by_shade(read_faces(tmp_path, classes=ClassOptions(["sad", "happy", "engaged", "bored"])))
    assert [faces[image][0] for image in range(6)] == [*CLASSES[:4], "engaged", "sad"]


def test_a_row_without_label_or_image_is_bad(tmp_path: Path) -> None:
    write_parquet(tmp_path / "good.parquet", range(6))
    table = pq.read_table(tmp_path / "good.parquet")
    (tmp_path / "good.parquet").unlink()
    extra = {"image": [{"bytes": encoded(0), "path": ""}, {"bytes": None, "path": "x"}], "label": [-1, 1]}
    both = pa.concat_tables([table, pa.table(extra).cast(table.schema)])
    pq.write_table(both, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="2 of 8 images are bad") as caught:
        read_faces(tmp_path)
    assert "- a.parquet, row 7: found the label '-1', expected a class" in str(caught.value)
    assert "- a.parquet/8: found an unreadable image (the row has no bytes of an image)" in str(caught.value)
    assert_true(read_faces(tmp_path, "drop"), part=False, person=False)


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path)
    (tmp_path / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match=r"train-00001-of-00002 is not there"):
        read_faces(tmp_path)
    assert len(read_faces(tmp_path / "train-00000-of-00002.parquet")) == 2


def test_files_some_of_which_do_not_say_their_part(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", of_part("train"))
    write_parquet(tmp_path / "more.parquet", of_part("test"))
    with pytest.raises(DataError, match=r"more\.parquet: its name does not say which part it is, as the others do"):
        read_faces(tmp_path)


@pytest.mark.parametrize("content", [b"PAR1" + b"\0" * 60 + b"PAR1", b"", b"PAR1", b"image,label\n"])
def test_what_is_no_parquet_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: is no parquet file that can be read"):
        read_faces(tmp_path)


def test_without_pyarrow_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "a.parquet", range(6))
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"takes pyarrow, which is not installed\. Install it with `pip install py"):
        read_faces(tmp_path)
