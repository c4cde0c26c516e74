"""A table can be opened in a spreadsheet: no text in it is a formula, and it reads back as it was."""

import csv
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.tables import texts_as_they_were, write_table
from fer_lightning.data.write_images import export
from fer_lightning.files import plain_text, safe_text
from fer_lightning.report.compare import runs_in
from fer_lightning.report.predictions import Predictions
from fer_lightning.report.results import Results
from tests.data.faces_files import all_images

FORMULA = "=cmd|' /C calc'!A0"

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def fields_of(file: Path) -> list[str]:
    with file.open(newline="", encoding="utf-8") as stream:
        return [field for row in csv.reader(stream) for field in row]


@given(st.text("'=+-@ \t\r\n1e.＝x", max_size=6))
def test_every_text_comes_back_and_none_is_a_formula(text: str) -> None:
    safe = safe_text(text)
    assert plain_text(safe) == text
    if safe.startswith(BEGINNINGS):
        float(safe)


@pytest.mark.parametrize("text", ["-1", "+0.5", "-1e-4", "-.5", "'tis", "happy", "", "a=b", "0"])
def test_numbers_and_other_texts_stay_as_they_are(text: str) -> None:
    assert safe_text(text) == text


def test_a_table_with_formulas_everywhere_reads_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"=name": ["@x", "'=y", "z"], "-1+1": [1.5, -2.0, 3.0], "n": [-1, 2, 3]}, ["+a", "b", "-c"])
    write_table(table, tmp_path / "table.csv", "index")
    assert not [
        one for one in fields_of(tmp_path / "table.csv") if one.startswith(BEGINNINGS) and one not in ("-1", "-2.0")
    ]
    read = texts_as_they_were(pd.read_csv(tmp_path / "table.csv", index_col=["index"]))
    pd.testing.assert_frame_equal(read, table.rename_axis("index"))
    write_table(table.iloc[:0], tmp_path / "empty.csv")
    assert list(texts_as_they_were(pd.read_csv(tmp_path / "empty.csv"))) == list(table)


def predictions() -> Predictions:
    names = (FORMULA, "-1+1")
    labels, probabilities = torch.tensor([0, 1]), torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    images, numbers = torch.zeros(2, 48, 48, dtype=torch.uint8), torch.tensor([1, 2])
    return Predictions(images, labels, probabilities, numbers, ("@test", "@test"), names, (f"{FORMULA}.png", "+2.png"))


def test_tables_hold_no_formula_and_are_compared_as_before(tmp_path: Path) -> None:
    measured = predictions()
    results = Results({}, torch.tensor([[1, 0], [1, 0]]), measured.class_names, measured)
    for name in ("one", "other"):
        results.write_tables(tmp_path / name / "report")
        (tmp_path / name / "report" / "metrics.json").write_text('{"test/accuracy": 0.5, "test_split": "@test"}')
    for table in ("predictions", "per_class", "confusion"):
        written = fields_of(tmp_path / "one" / "report" / f"{table}.csv")
        assert any(FORMULA in field for field in written)
        assert not [field for field in written if field.startswith(BEGINNINGS)]
    old = measured.table().set_index(["split", "row"])  # as an earlier version wrote it
    old.to_csv(tmp_path / "other" / "report" / "predictions.csv")
    for run in runs_in([tmp_path / "one", tmp_path / "other"]):
        assert run.classes == list(measured.class_names)
        assert run.predictions["label"].tolist() == list(measured.class_names)
        assert run.predictions["file"].tolist() == list(measured.files)
        assert run.right.tolist() == [True, False]


def test_exported_labels_read_back(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name, grey in (("angry", 10), ("happy", 200)):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for number in range(3):
                Image.new("L", (48, 48), grey + number).save(folder / f"={number}.png")
    export(tmp_path / "images", tmp_path / "out")
    faces, again = read_faces(tmp_path / "images"), read_faces(tmp_path / "out")
    assert torch.equal(all_images(faces), all_images(again))
    assert [faces.class_names[label] for label in faces.labels] == [again.class_names[label] for label in again.labels]
    assert not [field for field in fields_of(tmp_path / "out" / "labels.csv") if field.startswith(BEGINNINGS)]
    labels = (tmp_path / "out" / "labels.csv").read_text()
    renamed = labels.replace("train/angry/", "=train/angry/")
    (tmp_path / "out" / "train").rename(tmp_path / "out" / "=train")
    renamed = renamed.replace("train/happy/", "=train/happy/")
    safe = "\n".join(safe_text(line) for line in renamed.splitlines()) + "\n"
    (tmp_path / "out" / "labels.csv").write_text(safe)
    assert torch.equal(all_images(read_faces(tmp_path / "out")), all_images(faces))
