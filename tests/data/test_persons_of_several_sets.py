"""Persons of several sets are different persons, in splits and in folds."""

from pathlib import Path

import pytest

from fer_lightning.data import DataError
from tests.data.drawn_sets import ck48, csv_text, draw, jaffe, rafdb, write
from tests.data.test_several_sets import faces_of, ready, set_of


def test_persons_of_different_sets_are_different(tmp_path: Path) -> None:
    truths = {
        (name, truth.file): truth.person
        for name, drawn in (("ck", ck48), ("ja", jaffe))
        for truth in drawn(tmp_path / name)
    }
    data = ready(tmp_path / "ck", tmp_path / "ja", val_fraction=0.3, test_fraction=0.3)
    faces = faces_of(data)
    assert faces.persons is not None
    rows = zip((set_of(data, row) for row in range(len(faces))), faces.files, faces.persons.tolist(), strict=True)
    numbers = {(name, truths[name, file]): number for name, file, number in rows}
    assert len(numbers) == len(set(numbers.values())) == 9
    whose = {split: set(faces.persons[rows].tolist()) for split, rows in data.rows.items()}
    assert sum(map(len, whose.values())) == len(set.union(*whose.values())) == 9
    assert all({set_of(data, row) for row in rows} == {"ck", "ja"} for rows in data.rows.values())


def test_each_person_of_all_sets_is_left_out_once(tmp_path: Path) -> None:
    ck48(tmp_path / "ck"), jaffe(tmp_path / "ja"), rafdb(tmp_path / "raf")
    left_out = []
    sets = [{"path": tmp_path / name, "test_fraction": 0} for name in ("ck", "ja")]  # raf has a test part
    for fold in range(9):
        data = ready(sets[0], tmp_path / "raf", sets[1], folds="persons", fold=fold)
        persons = faces_of(data).persons
        assert persons is not None
        (person,) = persons[data.rows["val"]].unique().tolist()
        left_out.append(person)
        assert person not in persons[data.rows["train"]].tolist()
        assert "raf" in {set_of(data, row) for row in data.rows["train"]}
    assert sorted(left_out) == list(range(9))
    with pytest.raises(DataError, match=r"data\.fold is 9, but the faces to train on are of 9 persons"):
        ready(sets[0], tmp_path / "raf", sets[1], folds="persons", fold=9)


def test_folds_are_by_person_in_each_set(tmp_path: Path) -> None:
    ck48(tmp_path / "ck"), jaffe(tmp_path / "ja")
    folds = [ready(tmp_path / "ck", tmp_path / "ja", folds=2, fold=fold) for fold in range(2)]
    persons = faces_of(folds[0]).persons
    assert persons is not None
    whose = [set(persons[data.rows["val"]].tolist()) for data in folds]
    assert sorted(map(len, whose)) == [3, 4]  # of 5 and 2, one of each set being tested on
    assert not whose[0] & whose[1]
    for data, own in zip(folds, whose, strict=True):
        assert not own & set(persons[data.rows["train"]].tolist())
        assert {set_of(data, row) for row in data.rows["val"]} == {"ck", "ja"}
    with pytest.raises(DataError, match=r"^ja: data\.folds is 4, but the faces to train on are of 2 persons"):
        ready(tmp_path / "ck", tmp_path / "ja", folds=4, fold=0)


def test_faces_of_unknown_persons_are_each_their_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ck48(tmp_path / "ck"), rafdb(tmp_path / "raf")
    with caplog.at_level("INFO"):
        data = ready(tmp_path / "raf", tmp_path / "ck", val_fraction=0.3, test_fraction=0.3)
    faces = faces_of(data)
    assert faces.persons is not None
    assert len(faces.persons[:35].unique()) == 35
    assert (faces.persons[:35] < 0).all()
    assert faces.persons[35:].unique().tolist() == list(range(6))
    line = next(line for line in caplog.text.splitlines() if line.startswith("train: ck"))
    assert line.split()[-1] == "2"
    assert data.notes == ()


def test_notes_on_persons_say_of_which_set(tmp_path: Path) -> None:
    for person, part in (("a", "train"), ("b", "train"), ("a", "test")):
        for emotion in ("happy", "sad"):
            draw(tmp_path / "own" / "images" / f"{person}{part}{emotion}.png")
    rows = [
        [f"images/{person}{part}{emotion}.png", emotion, part, person]
        for person, part in (("a", "train"), ("b", "train"), ("a", "test"))
        for emotion in ("happy", "sad")
    ]
    write(tmp_path / "own" / "faces.csv", csv_text([["image", "label", "split", "person"], *rows]))
    rafdb(tmp_path / "raf")
    data = ready(tmp_path / "raf", tmp_path / "own", val_fraction=0.5)
    assert [note.partition(" persons")[0] for note in data.notes] == ["own: test shares 1 of its 1"]
