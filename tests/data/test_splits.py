"""Every face is in the split that convention, or its user, gives it."""

import logging

import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassF1Score, MulticlassPrecision, MulticlassRecall

from fer_lightning.data.faces import Faces
from fer_lightning.data.split_table import split_table
from fer_lightning.data.splits import SplitOptions, split_rows, warn_of_absent_classes
from fer_lightning.errors import DataError

USAGES = ("Training", "PublicTest", "PrivateTest")


def faces_of(part_names: tuple[str, ...], sizes: tuple[int, ...]) -> Faces:
    """Faces with classes in proportion 5:1:4, each its own picture."""
    parts = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    labels = torch.tensor([0, 0, 0, 0, 0, 1, 2, 2, 2, 2]).repeat(len(parts) // 10 + 1)[: len(parts)]
    images = torch.arange(len(parts)).view(-1, 1, 1).expand(-1, 48, 48).to(torch.uint8).contiguous()
    numbers = torch.arange(1, len(parts) + 1)
    return Faces(images, labels, parts.to(torch.uint8), numbers, part_names, ("a", "b", "c"))


def split(
    faces: Faces, parts: dict[str, str | list[str]] | None = None, val: float = 0.1, test: float = 0.1, seed: int = 0
) -> dict[str, Tensor]:
    rows, _ = split_rows(faces, SplitOptions(parts or {}, val, test, seed))
    return rows


@pytest.mark.parametrize("names", [USAGES, ("train", "val", "test")])
def test_parts_with_conventional_names_are_taken_as_they_are(names: tuple[str, ...]) -> None:
    rows = split(faces_of(names, (50, 20, 30)))
    assert {name: r.tolist() for name, r in rows.items()} == {
        "train": list(range(50)),
        "val": list(range(50, 70)),
        "test": list(range(70, 100)),
    }


def test_without_parts_val_and_test_are_stratified() -> None:
    faces = faces_of(("all",), (200,))
    rows = split(faces, val=0.2, test=0.1)
    assert sorted(torch.cat(list(rows.values())).tolist()) == list(range(200))
    assert torch.bincount(faces.labels[rows["val"]]).tolist() == [20, 4, 16]
    assert torch.bincount(faces.labels[rows["test"]]).tolist() == [10, 2, 8]


def test_only_what_is_missing_is_cut_out_of_the_training_part() -> None:
    rows = split(faces_of(("train", "test"), (100, 40)))
    assert rows["test"].tolist() == list(range(100, 140))
    assert len(rows["val"]) == 10
    assert set(rows["train"].tolist()) | set(rows["val"].tolist()) == set(range(100))


def test_the_cut_is_a_function_of_split_seed() -> None:
    faces = faces_of(("all",), (200,))
    first, again, other = split(faces, seed=1), split(faces, seed=1), split(faces, seed=2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["val"], other["val"])


def test_a_part_given_to_test_is_not_also_val() -> None:
    rows = split(faces_of(USAGES, (100, 40, 40)), {"test": "PublicTest"})
    assert rows["test"].tolist() == list(range(100, 140))
    assert len(rows["val"]) == 10
    assert rows["val"].max() < 100


def test_several_parts_can_make_one_split() -> None:
    rows = split(faces_of(USAGES, (100, 40, 40)), {"test": ["PublicTest", "PrivateTest"]})
    assert rows["test"].tolist() == list(range(100, 180))


MACRO = " Macro averages leave it out, or count it 0 once another face is taken for it"


@pytest.mark.parametrize(
    ("train", "val", "test", "warned"),
    [
        ("abc", "abc", "abc", []),
        (
            "ab",
            "ab",
            "ab",
            ["train, val and test have no face of c: a network neither learns it nor is measured on it." + MACRO],
        ),
        (
            "a",
            "abc",
            "aabbc",
            [
                "train has no face of b, c: a network that is not taught a class gets its faces wrong, 3 of the 5 in "
                "test, and the class counts 0 in the macro precision, recall and F1 of val and test"
            ],
        ),
        (
            "abc",
            "b",
            "bbc",
            [
                "val and test have no face of a: no figure of val and test says how well a network knows it." + MACRO,
                "val has no face of c: no figure of val says how well a network knows it." + MACRO,
            ],
        ),
        (None, None, "bc", ["test has no face of a: no figure of test says how well a network knows it." + MACRO]),
    ],
)
def test_a_class_that_a_split_lacks_is_warned_of(
    train: str | None, val: str | None, test: str, warned: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    splits = {name: split for name, split in (("train", train), ("val", val), ("test", test)) if split}
    labels = torch.tensor(["abc".index(letter) for letter in "".join(splits.values())])
    rows = torch.arange(len(labels)).split([len(split) for split in splits.values()])
    warn_of_absent_classes(labels, dict(zip(splits, rows, strict=True)), ("a", "b", "c"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", w) for w in warned]


def test_macro_averages_are_what_that_warning_says() -> None:
    labels = torch.tensor([0, 0, 1, 1])

    def macro(predicted: list[int]) -> list[float]:
        metrics = (MulticlassPrecision, MulticlassRecall, MulticlassF1Score)
        return [float(metric(3, average="macro")(torch.tensor(predicted), labels)) for metric in metrics]

    assert macro([0, 0, 1, 1]) == [1, 1, 1]  # left out
    assert macro([0, 0, 1, 2]) == pytest.approx([2 / 3, 1.5 / 3, (1 + 2 / 3) / 3])  # counted 0


def test_a_test_part_that_is_val_too_says_so_everywhere() -> None:
    faces = faces_of(USAGES, (100, 40, 40))
    _, origins = split_rows(faces, SplitOptions({"val": "PublicTest", "test": "PublicTest"}))
    assert origins["test"] == "PublicTest, which is val too"
    _, origins = split_rows(faces, SplitOptions({"val": "PrivateTest", "test": "PublicTest"}))
    assert origins["test"] == "PublicTest"


@pytest.mark.parametrize(
    ("parts", "val", "test", "message"),
    [
        (
            {"test": "Public"},
            0.1,
            0.1,
            r"data\.splits\.test names Public, .* it has Training \(100 faces\), PublicTest",
        ),
        ({"test": "Training"}, 0.1, 0.1, "the train split is empty; .* data.splits.train"),
        ({"train": "Training", "val": "Training"}, 0.1, 0.1, "Training to train and to val"),
        ({"test": []}, 0.1, 0.1, r"data\.splits\.test is empty"),
        ({"tset": "PublicTest"}, 0.1, 0.1, "data.splits names tset; its keys are train, val and test"),
        ({"test": "PublicTest"}, 0.0, 0.1, r"the val split is empty; .* data\.val_fraction=0\.1"),
        ({"test": "PublicTest"}, 0.001, 0.1, "the val split is empty"),
        ({}, 0.1, 0.0, r"the test split is empty; .* data\.test_fraction=0\.1, or name a part"),
    ],
)
def test_splits_that_cannot_be_are_refused_with_a_way_out(
    parts: dict[str, str | list[str]], val: float, test: float, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        split(faces_of(("Training", "PublicTest"), (100, 40)), parts, val, test)


def test_the_table_names_splits_and_counts_emotions_and_copies() -> None:
    faces = faces_of(("Training", "PublicTest"), (100, 20))
    rows, origins = split_rows(faces, SplitOptions())
    assert origins == {"train": "90% of Training", "val": "PublicTest", "test": "10% of Training"}
    lines = [line.split() for line in split_table(faces, rows, origins, {"val": 2, "test": 0}).splitlines()]
    assert lines[0] == ["is", "a", "b", "c", "all", "also", "in", "train"]
    assert lines[1:] == [
        ["train", "90%", "of", "Training", "45", "9", "36", "90"],
        ["val", "PublicTest", "10", "2", "8", "20", "2"],
        ["test", "10%", "of", "Training", "5", "1", "4", "10", "0"],
    ]


def fold_of(faces: Faces, fold: int, folds: int = 5, seed: int = 0, **parts: str) -> dict[str, Tensor]:
    return split_rows(faces, SplitOptions(parts, split_seed=seed, folds=folds, fold=fold))[0]


def test_folds_are_disjoint_and_together_the_training_part() -> None:
    faces = faces_of(USAGES, (103, 40, 40))
    folds = [fold_of(faces, fold) for fold in range(5)]
    assert sorted(torch.cat([rows["val"] for rows in folds]).tolist()) == list(range(103))
    for rows in folds:
        assert sorted(torch.cat([rows["train"], rows["val"]]).tolist()) == list(range(103))
        assert rows["test"].tolist() == list(range(143, 183))
        assert rows["val"].tolist() == sorted(rows["val"].tolist())


def test_every_fold_has_the_same_share_of_every_class() -> None:
    faces = faces_of(USAGES, (103, 40, 40))
    counts = torch.stack([torch.bincount(faces.labels[fold_of(faces, fold)["val"]], minlength=3) for fold in range(5)])
    assert (counts.max(0).values - counts.min(0).values).max() <= 1
    assert sorted(counts.sum(1).tolist()) == [20, 20, 21, 21, 21]


def test_folds_are_a_function_of_split_seed() -> None:
    faces = faces_of(USAGES, (100, 40, 40))
    assert torch.equal(fold_of(faces, 1, seed=3)["val"], fold_of(faces, 1, seed=3)["val"])
    assert not torch.equal(fold_of(faces, 1, seed=3)["val"], fold_of(faces, 1, seed=4)["val"])


def test_a_test_split_is_the_same_for_every_fold_and_in_none() -> None:
    faces = faces_of(("all",), (200,))
    folds = [fold_of(faces, fold) for fold in range(5)]
    test = folds[0]["test"].tolist()
    assert len(test) == 20
    assert all(rows["test"].tolist() == test for rows in folds)
    assert sorted(test + torch.cat([rows["val"] for rows in folds]).tolist()) == list(range(200))


def test_log_and_table_say_which_fold_it_is_and_what_is_unused(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _, origins = split_rows(faces_of(USAGES, (100, 40, 30)), SplitOptions(folds=5, fold=1))
    assert origins == {
        "train": "all folds but 1 of 0…4 of Training",
        "val": "fold 1 of 0…4 of Training",
        "test": "PrivateTest",
    }
    assert "not used: PublicTest (40)" in caplog.text
    _, origins = split_rows(faces_of(("all",), (100,)), SplitOptions(folds=5, fold=0))
    assert origins["val"] == "fold 0 of 0…4 of 90% of all"


def test_folds_that_cannot_be_are_refused() -> None:
    faces = faces_of(USAGES, (30, 40, 40))
    with pytest.raises(DataError, match=r"data\.splits\.val is PublicTest, but with data\.folds=5 val is a fold"):
        fold_of(faces, 0, val="PublicTest")
    with pytest.raises(DataError, match=r"data\.folds is 31, but there are only 30 faces to train on"):
        fold_of(faces, 0, folds=31)
