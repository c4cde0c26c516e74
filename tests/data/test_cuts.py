"""Nobody is in two splits: where persons are known, faces are cut by them."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from fer_lightning.data.faces import Faces
from fer_lightning.data.persons import UNKNOWN, person_notes
from fer_lightning.data.split_faces import faces_to_test, split_faces
from fer_lightning.data.split_table import split_frame
from fer_lightning.data.splits import SplitOptions, split_rows
from fer_lightning.errors import DataError

CLASSES = ("angry", "happy", "sad", "surprise")


def faces_of(persons: list[int], labels: list[int], parts: list[int] | None = None, names: str = "all") -> Faces:
    """Faces of these persons and labels, each its own picture."""
    images = torch.arange(len(persons)).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Faces(
        images=torch.stack([images[:, 0] // 256, images[:, 0] % 256], 3)
        .flatten(2)[:, None]
        .to(torch.uint8)
        .contiguous(),
        labels=torch.tensor(labels),
        parts=torch.tensor(parts or [0] * len(persons), dtype=torch.uint8),
        numbers=torch.arange(1, len(persons) + 1),
        part_names=tuple(names.split()),
        class_names=CLASSES,
        persons=torch.tensor(persons),
    )


def several_of_each(count: int, faces: int = 8, first: int = 100) -> Faces:
    """`count` persons from `first` on, each with as many faces of every class as another."""
    persons = [first + person for person in range(count) for _ in range(faces)]
    return faces_of(persons, [face % len(CLASSES) for face in range(len(persons))])


def persons_in(faces: Faces, rows: dict[str, Tensor]) -> dict[str, set[int]]:
    assert faces.persons is not None
    return {split: set(faces.persons[r].tolist()) for split, r in rows.items()}


def assert_apart(faces: Faces, rows: dict[str, Tensor]) -> None:
    assert sorted(torch.cat([*rows.values()]).tolist()) == list(range(len(faces)))
    assert all(torch.equal(r, r.sort().values) for r in rows.values())
    persons = persons_in(faces, rows)
    assert sum(map(len, persons.values())) == len(set.union(*persons.values()))


@st.composite
def people(draw: st.DrawFn) -> Faces:
    """Persons with 1 to 30 faces each, in a random order, of classes that are rare or common."""
    sizes = draw(st.lists(st.integers(1, 30), min_size=6, max_size=40))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    persons = generator.permutation(np.repeat(generator.permutation(len(sizes)), sizes))
    weights = generator.dirichlet(np.full(len(CLASSES), draw(st.sampled_from((0.3, 1.0, 10.0)))))
    return faces_of(persons.tolist(), generator.choice(len(CLASSES), len(persons), p=weights).tolist())


@settings(max_examples=60, deadline=None)
@given(people(), st.sampled_from((0.05, 0.1, 0.2)), st.sampled_from((0.05, 0.1, 0.2)), st.integers(0, 2**40))
def test_no_person_is_in_two_splits_whatever_the_persons(faces: Faces, val: float, test: float, seed: int) -> None:
    rows, _ = split_rows(faces, SplitOptions({}, val, test, seed))
    assert_apart(faces, rows)
    assert faces.labels[rows["train"]].unique().tolist() == faces.labels.unique().tolist()  # 6 persons: 4 classes + 2
    assert faces.persons is not None
    largest = int(torch.bincount(faces.persons).max())
    for split, share in (("val", val), ("test", test)):
        assert len(rows[split]) > 0
        assert abs(len(rows[split]) - share * len(faces)) <= max(largest, 0.5 * share * len(faces))


@settings(max_examples=20, deadline=None)
@given(people(), st.integers(2, 6), st.integers(0, 1000))
def test_every_person_is_in_one_fold(faces: Faces, folds: int, seed: int) -> None:
    options = [SplitOptions({}, split_seed=seed, folds=min(folds, 4), fold=fold) for fold in range(min(folds, 4))]
    each = [split_rows(faces, one)[0] for one in options]
    for rows in each:
        assert_apart(faces, rows)
        assert torch.equal(rows["test"], each[0]["test"])
    assert_apart(faces, {str(fold): rows["val"] for fold, rows in enumerate(each)} | {"test": each[0]["test"]})


def test_folds_are_scikit_learns() -> None:
    faces = several_of_each(30)
    assert faces.persons is not None
    options = SplitOptions(split_seed=3, folds=5, fold=2, test_fraction=0)
    rows, _ = split_rows(faces, options, ("train", "val"))
    labels, persons = faces.labels.numpy(), faces.persons.numpy()
    theirs = list(StratifiedGroupKFold(5, shuffle=True, random_state=3).split(labels, labels, persons))[2]
    assert rows["train"].tolist() == theirs[0].tolist()
    assert rows["val"].tolist() == theirs[1].tolist()


def test_many_persons_give_the_shares_that_were_asked_for() -> None:
    faces = several_of_each(100)
    rows, _ = split_rows(faces, SplitOptions({}, 0.15, 0.1))
    assert {split: len(r) for split, r in rows.items()} == {"train": 600, "val": 120, "test": 80}
    for r in rows.values():
        assert len(torch.bincount(faces.labels[r]).unique()) == 1


def test_who_is_cut_out_is_a_function_of_split_seed() -> None:
    faces = several_of_each(10)
    drawn = [persons_in(faces, split_rows(faces, SplitOptions(split_seed=seed))[0]) for seed in range(40)]
    again = persons_in(faces, split_rows(faces, SplitOptions(split_seed=7))[0])
    assert again == drawn[7]
    assert {person for persons in drawn for person in persons["test"]} == set(range(100, 110))
    assert {person for persons in drawn for person in persons["val"]} == set(range(100, 110))


def test_who_alone_has_a_class_stays_in_train() -> None:
    faces = several_of_each(10)
    faces.labels[faces.labels == 3] = 0
    faces.labels[17] = 3  # of person 102
    for seed in range(20):
        assert 102 in persons_in(faces, split_rows(faces, SplitOptions(split_seed=seed))[0])["train"]


def test_the_share_that_came_out_is_told() -> None:
    faces = several_of_each(8)
    rows, origins = split_rows(faces, SplitOptions())
    assert origins == {
        "train": "75% of all (6 of 8 persons)",
        "val": "12% of all (1 of 8 persons)",
        "test": "12% of all (1 of 8 persons)",
    }
    assert split_frame(faces, rows, origins, {})["persons"].tolist() == [6, 1, 1]


def test_three_persons_are_one_in_each_split() -> None:
    faces = several_of_each(3)
    assert [len(persons) for persons in persons_in(faces, split_rows(faces, SplitOptions())[0]).values()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (2, SplitOptions(), r"of 2 persons, and each of test, val, train needs its own: .* data\.splits\.test=…"),
        (1, SplitOptions(), "of one person, and"),
        (
            4,
            SplitOptions(folds=5, fold=0),
            r"folds is 5, .* of 3 persons, .* give data\.folds=3 or less, or",
        ),
        (4, SplitOptions(folds="persons", fold=3), r"data\.fold is 3, but .* of 3 persons: fold is one of 0 to 2"),
        (
            2,
            SplitOptions(folds="persons", fold=0),
            r"data\.fold is 0, .* of one person: there is none to leave out",
        ),
    ],
)
def test_too_few_persons_are_refused_with_a_way_out(count: int, options: SplitOptions, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_rows(several_of_each(count), options)


def test_a_fold_is_one_person_where_folds_are_persons() -> None:
    faces = several_of_each(9)
    each = [split_rows(faces, SplitOptions(folds="persons", fold=fold)) for fold in range(8)]
    left_out = [persons_in(faces, rows)["val"] for rows, _ in each]
    test = persons_in(faces, each[0][0])["test"]
    assert all(len(persons) == 1 for persons in left_out)
    assert set.union(test, *left_out) == set(range(100, 109))
    assert each[3][1]["val"] == "person 3 of 0…7 of 89% of all (8 of 9 persons)"
    assert each[3][1]["train"] == "all persons but 3 of 0…7 of 89% of all (8 of 9 persons)"


def test_folds_of_persons_need_persons() -> None:
    faces = several_of_each(9)
    unknown = Faces(faces.images, faces.labels, faces.parts, faces.numbers, faces.part_names, CLASSES)
    with pytest.raises(DataError, match=r"data\.folds is persons, but this source does not say whose faces they are"):
        split_rows(unknown, SplitOptions(folds="persons", fold=0))


def three_parts() -> Faces:
    """Persons 1 to 4 in train, 5 in val, 4 to 7 in test: four faces each, of the fourth three in train."""
    persons = [1] * 4 + [2] * 4 + [3] * 4 + [4] * 3 + [5] * 4 + [4] + [6] * 4 + [7] * 4
    labels = [face % 4 for face in range(12)] + [0, 1, 2] + [face % 4 for face in range(4)] + [3] + [0, 1, 2, 3] * 2
    return faces_of(persons, labels, [0] * 15 + [1] * 4 + [2] * 9, "train val test")


def test_given_parts_that_share_a_person_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    shared = (
        "test shares 1 of its 3 persons with train, and so 1 of its 9 faces: the figure says less about persons who "
        "are new"
    )
    split = split_faces(three_parts(), SplitOptions(), drop_copies=False)
    assert split.notes == (shared,)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [shared]
    later = faces_to_test(three_parts(), SplitOptions(), split.trained_on, split.chosen_on)
    assert later.notes == (shared,)


def test_persons_that_are_apart_or_unknown_are_not_warned_of() -> None:
    faces = several_of_each(10)
    assert split_faces(faces, SplitOptions(), drop_copies=False).notes == ()
    rows = torch.arange(40)
    unknown = Faces(faces.images, faces.labels, faces.parts, faces.numbers, faces.part_names, CLASSES)
    assert person_notes(unknown, {"test": rows}, rows) == ()


def test_a_set_that_lost_its_persons_says_so(caplog: pytest.LogCaptureFixture) -> None:
    faces = several_of_each(10)
    lost = Faces(
        faces.images, faces.labels, faces.parts, faces.numbers, faces.part_names, CLASSES, several_of_each=True
    )
    assert split_faces(lost, SplitOptions(), drop_copies=False).notes == (UNKNOWN,)
    assert UNKNOWN in caplog.text
    assert split_faces(lost, SplitOptions(), drop_copies=False).rows["test"].tolist() == (
        split_rows(lost, SplitOptions())[0]["test"].tolist()
    )
