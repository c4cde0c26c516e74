"""Several sets become one table: every face keeps its label by name, its part and its person."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fer_lightning.data import DataError, FERDataModule
from fer_lightning.data.faces import EMOTIONS, Faces
from fer_lightning.data.readers import several as several_module
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.set_options import set_names
from tests.data.drawn_sets import SETS, Truth, ck48, draw, rafdb
from tests.data.faces_files import csv_bytes, fer2013_csv, pixel_text, random_images, write_image


def ready(*path: Any, stage: str = "fit", **arguments: Any) -> FERDataModule:
    data = FERDataModule(list(path), **{"size": 12, **arguments})
    data.setup(stage)
    return data


def faces_of(data: FERDataModule) -> Faces:
    assert data.faces is not None
    return data.faces


def set_of(data: FERDataModule, row: int) -> str:
    faces = faces_of(data)
    assert faces.sets is not None
    return faces.set_names[int(faces.sets[row])]


def found(data: FERDataModule) -> dict[str, set[tuple[str, str, str]]]:
    """Of each set, the file, the part and the class of each of its faces."""
    faces = faces_of(data)
    by_set: dict[str, set[tuple[str, str, str]]] = {name: set() for name in faces.set_names}
    for row in range(len(faces)):
        part, label = faces.part_names[int(faces.parts[row])], faces.class_names[int(faces.labels[row])]
        by_set[set_of(data, row)].add((faces.files[row], part, label))
    return by_set


def true(truths: list[Truth]) -> set[tuple[str, str, str]]:
    return {(truth.file, truth.part, truth.emotion) for truth in truths}


def numbered(root: Path, order: tuple[str, ...], each: int = 3) -> list[Truth]:
    """Folders 0, 1, … in train and test whose names are their order's."""
    truths = [
        Truth(f"{part}/{number}/{root.name}{part}{number}{which}.png", part, emotion)
        for part in ("train", "test")
        for number, emotion in enumerate(order)
        for which in range(each)
    ]
    for truth in truths:
        draw(root / truth.file)
    return truths


@pytest.mark.parametrize("reverse", [False, True])
def test_every_face_of_both_sets_has_its_true_class(reverse: bool, tmp_path: Path) -> None:
    """RAF-DB's numbers and CK+48's folders have different orders, and different classes."""
    truths = {"raf": rafdb(tmp_path / "raf"), "ck": ck48(tmp_path / "ck")}
    paths = [tmp_path / name for name in truths]
    data = ready(*(reversed(paths) if reverse else paths))
    assert found(data) == {name: true(of_set) for name, of_set in truths.items()}
    assert faces_of(data).class_names == (*EMOTIONS, "contempt")


def test_each_set_is_read_by_its_own_order_of_numbers(tmp_path: Path) -> None:
    orders = {"one": ("neutral", "happy", "sad"), "two": ("angry", "disgust", "fear", "happy")}
    truths = {name: numbered(tmp_path / name, order) for name, order in orders.items()}
    one, two = tmp_path / "one", tmp_path / "two"
    entries = [{"path": one, "numbering": "affectnet"}, {"path": two, "numbering": "fer2013"}]
    data = ready(*entries, val_fraction=0.3)
    assert found(data) == {name: true(of_set) for name, of_set in truths.items()}
    assert found(ready(entries[0], two, numbering="fer2013", val_fraction=0.3)) == found(data)
    with pytest.raises(DataError, match=r"two: its classes are numbers"):
        ready(entries[0], two)


def test_a_numbering_for_all_leaves_a_form_its_own_order(tmp_path: Path) -> None:
    """In RAF-DB's order, fer2013.csv would have other emotions, without a word."""
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    truths = numbered(tmp_path / "faces", ("angry", "happy", "sad"))
    data = ready(tmp_path / "fer2013.csv", tmp_path / "faces", numbering=["angry", "happy", "sad"])
    faces = faces_of(data)
    alone = faces_of(ready(tmp_path / "fer2013.csv"))
    assert faces.class_names == EMOTIONS
    assert faces.labels[: len(alone)].tolist() == alone.labels.tolist()
    assert found(data)["faces"] == true(truths)


def test_a_list_of_one_is_the_path_itself(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    one, alone = FERDataModule([tmp_path / "fer2013.csv"]), FERDataModule(tmp_path / "fer2013.csv")
    for data in (one, alone):
        data.setup()
    assert faces_of(one).sets is None
    assert type(faces_of(one).images) is torch.Tensor
    states = one.state_dict(), alone.state_dict()
    assert states[0].keys() == states[1].keys()
    assert states[0]["source"] == states[1]["source"] == str(tmp_path / "fer2013.csv")
    assert all(torch.equal(states[0]["labelled"][split], states[1]["labelled"][split]) for split in one.rows)
    truths = numbered(tmp_path / "numbers", ("neutral", "happy", "sad"))
    mapped = ready({"path": tmp_path / "numbers", "numbering": "affectnet"}, val_fraction=0.3)
    labels = [faces_of(mapped).class_names[label] for label in faces_of(mapped).labels.tolist()]
    assert dict(zip(faces_of(mapped).files, labels, strict=True)) == {truth.file: truth.emotion for truth in truths}


def test_each_set_keeps_its_parts_or_is_cut_by_convention(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    rafdb(tmp_path / "raf")
    ck48(tmp_path / "ck")
    data = ready(*(tmp_path / name for name in ("fer2013.csv", "raf", "ck")), val_fraction=0.34)
    alone = {name: ready(tmp_path / name, val_fraction=0.34) for name in ("fer2013.csv", "raf", "ck")}
    for split in ("train", "val", "test"):
        sizes = {name: len(one.rows[split]) for name, one in alone.items()}
        assert len(data.rows[split]) == sum(sizes.values()), split
        assert [set_of(data, row) for row in data.rows[split]].count("ck") == sizes["ck"]
    assert data.origins["test"].startswith("PrivateTest of fer2013.csv + test of raf + ")
    assert sorted(torch.cat([*data.rows.values()]).tolist()) == list(range(len(faces_of(data))))


def test_parts_named_for_all_are_taken_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    rafdb(tmp_path / "raf")
    paths = tmp_path / "fer2013.csv", tmp_path / "raf"
    data = ready(*paths, splits={"test": "PublicTest"}, val_fraction=0.34)
    assert data.origins["test"] == "PublicTest of fer2013.csv + test of raf"
    own = ready(paths[0], {"path": paths[1], "splits": {"train": "test"}, "val_fraction": 0, "test_fraction": 0})
    assert {set_of(own, row) for row in own.rows["test"]} == {"fer2013.csv"}
    assert [set_of(own, row) for row in own.rows["train"]].count("raf") == 14
    with pytest.raises(DataError, match=r"splits\.test names elsewhere, which no set has: fer2013\.csv has Training"):
        ready(*paths, splits={"test": "elsewhere"})
    with pytest.raises(DataError, match=r"^raf: data\.splits\.test names PublicTest, which the source does not have"):
        ready(paths[0], {"path": paths[1], "splits": {"test": "PublicTest"}})


def pictures(root: Path, images: NDArray[np.uint8], names: tuple[str, ...]) -> None:
    """Writes images as files of these names, as in train/happy/0.png."""
    for image, name in zip(images, names, strict=True):
        write_image(root / name, image)


def test_copies_of_any_test_face_leave_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = random_images(14)
    parts = ("train/happy/0.png", "train/happy/1.png", "train/sad/2.png", "val/sad/3.png", "test/happy/4.png")
    pictures(tmp_path / "a", images[[0, 1, 2, 3, 4]], parts)  # its own copies are none
    pictures(tmp_path / "b", images[[4, 3, 5, 6, 0]], parts)  # trains on a's test and a's val, tests on a's train
    pictures(tmp_path / "c", images[[7, 8, 9, 10, 8]], parts)  # tests on its own train
    with caplog.at_level("INFO"):
        data = ready(tmp_path / "a", tmp_path / "b", tmp_path / "c", size=48)
    files = [(set_of(data, row), faces_of(data).files[row]) for row in data.rows["train"]]
    assert files == [("a", parts[1]), ("a", parts[2]), ("b", parts[2]), ("c", parts[0]), ("c", parts[2])]
    assert "as copies of faces of val or test: 4 faces" in caplog.text
    pairs = [line for line in caplog.messages if line.startswith("- ")]
    assert pairs == [
        "- 2 of b, which are in val or test of a",
        "- 1 of a, which are in val or test of b",
        "- 1 of c, which are in val or test of c",
    ]
    assert not data.also_in_train["test"].any()
    assert len(FERDataModule(tmp_path / "c").source_faces()) == 5
    alone = ready(tmp_path / "c", size=48)
    assert len(alone.rows["train"]) == 3


def test_one_set_in_two_forms_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    images = random_images(16)
    for name, parts in (("a", ("train", "test")), ("b", ("test", "train"))):
        emotions = ("happy", "sad") * 4
        files = tuple(f"{part}/{emotion}/{i}.png" for part in parts for i, emotion in enumerate(emotions))
        pictures(tmp_path / name, images, files)
    with pytest.raises(DataError, match=r"all 8 faces to train on are copies of faces of val or test"):
        ready(tmp_path / "a", tmp_path / "b", size=48, val_fraction=0.5)


def test_pixels_are_of_the_largest_own_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    for number, emotion in enumerate(("happy", "sad") * 4):
        draw(tmp_path / "large" / emotion / f"{number}.png", 60)
    with caplog.at_level("INFO"):
        data = ready(tmp_path / "fer2013.csv", tmp_path / "large", size="auto", channels=3)
    assert tuple(faces_of(data).images.shape) == (16, 3, 60, 60)
    assert "60, the largest of the sets' own sizes (fer2013.csv 48×48, large 60×60)" in caplog.text


def test_sets_are_encoded_by_their_pixels_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "fer2013.csv").write_bytes(fer2013_csv())
    rafdb(tmp_path / "a"), ck48(tmp_path / "b")
    paths = tmp_path / "fer2013.csv", tmp_path / "a", tmp_path / "b"
    kept = faces_of(ready(*paths))
    monkeypatch.setattr(several_module, "MOST_BYTES", 160 * 12**2)  # more than each has, less than both have
    with caplog.at_level("INFO"):
        data = ready(*paths)
    assert caplog.text.count("are kept as their files' bytes") == 2
    rows = torch.arange(len(kept))
    assert torch.equal(faces_of(data).images[rows], kept.images[rows])


def test_classes_are_picked_and_merged_after_joining(tmp_path: Path) -> None:
    raf, ck = rafdb(tmp_path / "raf"), ck48(tmp_path / "ck")
    good = ("happy", "surprise")
    data = ready(tmp_path / "raf", tmp_path / "ck", classes={"good": list(good), "bad": ["angry", "contempt"]})
    assert faces_of(data).class_names == ("good", "bad")
    expected = {
        (name, truth.file): "good" if truth.emotion in good else "bad"
        for name, truths in (("raf", raf), ("ck", ck))
        for truth in truths
        if truth.emotion in (*good, "angry", "contempt")
    }
    assert {(name, file): label for name, files in found(data).items() for file, _, label in files} == expected
    with pytest.raises(DataError, match=r"^raf: no face is of one of the classes contempt\."):
        ready(tmp_path / "raf", tmp_path / "ck", classes=["contempt"])


def test_a_set_that_lacks_classes_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rafdb(tmp_path / "raf"), ck48(tmp_path / "ck")
    with caplog.at_level("INFO"):
        ready(tmp_path / "raf", tmp_path / "ck")
    assert "raf has no face of contempt" in caplog.text
    assert "ck has no face of neutral" in caplog.text


def test_soft_labels_of_one_set_are_joined_with_hard_ones(few_faces: Path, tmp_path: Path) -> None:
    rafdb(tmp_path / "raf")
    voted = {"path": few_faces, "votes": {"rule": "probability"}}
    data = ready(voted, tmp_path / "raf")
    faces = faces_of(data)
    assert faces.soft_labels is not None
    assert torch.allclose(faces.soft_labels.sum(1), torch.ones(len(faces)))
    alone = FERDataModule(few_faces, votes=VotesOptions(rule="probability"), size=12)
    alone.setup()
    own = faces_of(alone)
    assert own.soft_labels is not None
    order = [own.class_names.index(name) for name in faces.class_names]
    assert torch.equal(faces.soft_labels[: len(own)], own.soft_labels[:, order])
    assert faces.soft_labels[len(own) :].argmax(1).tolist() == faces.labels[len(own) :].tolist()
    assert found(data)["raf"] == true(rafdb(tmp_path / "raf"))


def test_choices_for_all_sets_are_made_where_they_are(tmp_path: Path) -> None:
    SETS["KDEF"](tmp_path / "kdef"), SETS["image folder"](tmp_path / "folders")
    rafdb(tmp_path / "raf")
    data = ready(tmp_path / "kdef", tmp_path / "raf", angles=["HL"])
    assert {name[-6:] for name, _, _ in found(data)["kdef"]} == {"HL.JPG"}
    with pytest.raises(DataError, match=r"data\.angles is \['HL'\], which is a choice in none of the sets"):
        ready(tmp_path / "raf", tmp_path / "folders", angles=["HL"])
    with pytest.raises(DataError, match=r"raf: data\.angles is for KDEF"):
        ready(tmp_path / "kdef", {"path": tmp_path / "raf", "angles": ["HL"]})


def test_names_of_sets_are_as_short_as_they_can_be() -> None:
    paths = [Path(path) for path in ("/x/a/faces", "/x/b/faces", "/x/fer2013.csv", "/y/a/faces")]
    assert set_names(paths) == ("x/a/faces", "b/faces", "fer2013.csv", "y/a/faces")


def test_a_network_is_tested_on_several_other_sets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Faces that it was trained on are counted, by the network's classes, whatever set they come from."""
    images = random_images(6)
    rows = [f"{i % 2 + 3},{pixel_text(image)},Training" for i, image in enumerate(images)]
    (tmp_path / "fer2013.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    trained = FERDataModule(tmp_path / "fer2013.csv", val_fraction=0.34, test_fraction=0.34)
    trained.setup()
    pictures(tmp_path / "a", images[:2], ("test/happy/0.png", "test/sad/1.png"))
    pictures(tmp_path / "b", images[2:], tuple(f"test/{name}/{name}.png" for name in ("sad", "happy", "calm", "angry")))
    other = FERDataModule([tmp_path / "a", tmp_path / "b"])
    other.load_state_dict(trained.state_dict())
    other.known_classes = trained.class_names
    other.setup("test")
    assert faces_of(other).class_names == trained.class_names
    assert "the network leaves out the faces of calm (1)" in caplog.text
    known = torch.isin(torch.arange(6), trained.rows["train"])
    assert int(other.also_in_train["test"].sum()) == int(known[[0, 1, 2, 3, 5]].sum())
