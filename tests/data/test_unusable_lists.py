"""A list of sets that cannot be one table is refused, by the set that is wrong."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fer_lightning.data import DataError, FERDataModule
from fer_lightning.data.readers.ferplus import VotesOptions
from tests.data.drawn_sets import draw
from tests.data.faces_files import fer2013_csv
from tests.data.test_several_sets import faces_of, ready


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ([], "path is an empty list: name at least one"),
        (["raf", {"numbering": "rafdb"}], r"path\[1\] has no path: say where the set is"),
        (["raf", 3], r"path\[1\] is 3: it should be a path or a mapping"),
        (["raf", {"path": "ck", "numberin": "rafdb"}], r"path\[1\]: numberin is not a key of a set; did you mean numb"),
        (["raf", {"path": "ck", "numbering": "raf"}], r"path\[1\]: numbering is 'raf'"),
        (["raf", {"path": "ck", "votes": {"rul": "majority"}}], r"path\[1\]: votes\.rul is not an argument of Votes"),
        (["raf", {"path": "ck", "val_fraction": 1.5}], r"path\[1\]: val_fraction is 1\.5"),
        (["raf", {"path": "ck", "columns": {"lable": "x"}}], r"path\[1\]: columns names lable"),
        (["raf", {"path": "ck", "angles": []}], r"path\[1\]: angles is empty"),
        (["raf", "./raf"], r"path\[1\] is \./raf, as path\[0\] is: name each set once"),
        ({"path": "raf"}, r"it should be a path, or a list of paths or mappings"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(path: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FERDataModule(path)


@pytest.mark.parametrize("given", [{"votes": VotesOptions()}, {"columns": {"label": "x"}}])
def test_what_is_for_one_set_is_refused_for_several(given: Any) -> None:
    (name,) = given
    with pytest.raises(ValueError, match=rf"{name} is given for 2 sets, but belongs to one: give it in the entry"):
        FERDataModule(["a", "b"], **given)


def test_sets_without_a_common_class_are_refused(tmp_path: Path) -> None:
    for name, classes in (("a", ("happy", "sad")), ("b", ("joyful", "blue"))):
        for number, label in enumerate(classes * 6):
            draw(tmp_path / name / label / f"{name}{number}.png")
    with pytest.raises(DataError, match=r"^a has the classes happy, sad, and .* have blue, joyful: none in common"):
        ready(tmp_path / "a", tmp_path / "b")
    same = {"happy": ["happy", "joyful"], "sad": ["sad", "blue"]}
    data = ready(tmp_path / "a", tmp_path / "b", classes=same)
    assert torch.bincount(faces_of(data).labels).tolist() == [12, 12]


def test_a_folder_and_the_file_in_it_are_the_same_set(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    with pytest.raises(DataError, match=r"data\.path: .* and fer2013\.csv are the same, .*: name each set once"):
        ready(tmp_path, tmp_path / "fer2013.csv")
