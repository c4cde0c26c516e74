"""Classes are picked, merged and matched by name; what is left out is counted."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from fer_lightning.data.classes import ClassOptions, matched
from fer_lightning.data.emotions import EMOTIONS, FERPLUS_EMOTIONS, NUMBERINGS, folder_class, in_order
from fer_lightning.data.faces import Faces
from fer_lightning.errors import DataError


def faces_of(labels: list[int], class_names: tuple[str, ...] = EMOTIONS) -> Faces:
    """Faces of these labels; each image is filled with its row."""
    count = len(labels)
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(count, 1, 2, 2)
    parts = torch.zeros(count, dtype=torch.uint8)
    return Faces(images, torch.tensor(labels), parts, torch.arange(1, count + 1), ("all",), class_names)


def names_of(faces: Faces) -> list[str]:
    return [faces.class_names[label] for label in faces.labels]


def test_a_list_picks_classes_and_orders_them(caplog: pytest.LogCaptureFixture) -> None:
    chosen = ClassOptions(classes=["Sadness", "happy"]).chosen(faces_of([0, 3, 4, 3, 6]), "some.csv")
    assert chosen.class_names == ("sad", "happy")
    assert names_of(chosen) == ["happy", "sad", "happy"]
    assert chosen.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert chosen.numbers.tolist() == [2, 3, 4]
    assert "some.csv: data.classes leaves out the faces of angry (1), neutral (1)" in caplog.text


def test_a_mapping_merges_classes(caplog: pytest.LogCaptureFixture) -> None:
    merged = {"positive": ["happy", "surprise"], "negative": ["anger", "fear"], "calm": "neutral"}
    chosen = ClassOptions(classes=merged).chosen(faces_of([0, 2, 3, 4, 5, 6]), "some.csv")
    assert chosen.class_names == ("positive", "negative", "calm")
    assert names_of(chosen) == ["negative", "negative", "positive", "positive", "calm"]
    assert "leaves out the faces of sad (1)" in caplog.text


def test_soft_labels_are_merged_and_shared_out_anew() -> None:
    soft = torch.tensor([[0.5, 0.3, 0.2, 0, 0, 0, 0], [0, 0.25, 0, 0.75, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]])
    faces = replace(faces_of([0, 3, 4]), soft_labels=soft)
    chosen = ClassOptions(classes={"bad": ["disgust", "fear"], "angry": "angry", "happy": "happy"}).chosen(faces, "x")
    assert chosen.soft_labels is not None
    torch.testing.assert_close(chosen.soft_labels, torch.tensor([[0.5, 0.5, 0], [0.25, 0, 0.75]]))
    assert names_of(chosen) == ["bad", "happy"]


def test_a_class_that_the_source_has_not_is_refused() -> None:
    with pytest.raises(DataError, match=r"data\.classes names contempt, which x does not have: it has angry, disgust"):
        ClassOptions(classes=["happy", "contempt"]).chosen(faces_of([3]), "x")
    assert ClassOptions(classes=["happy", "contempt"]).chosen(faces_of([3]), "x", may_lack=True).labels.tolist() == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": []}, "classes is empty"),
        ({"classes": "happy"}, "classes is 'happy'; it must be a list"),
        ({"classes": ["happy", "Happiness"]}, "classes names happy twice"),
        ({"classes": {"a": ["happy"], "b": ["sad", "happy"]}}, "classes names happy twice"),
        ({"numbering": "raf"}, "numbering is 'raf'; it must be one of fer2013, ferplus, rafdb"),
        ({"numbering": ["happy", "sad", "happy"]}, "numbering names happy twice"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassOptions(**options)


def test_faces_are_matched_with_a_network_by_name(caplog: pytest.LogCaptureFixture) -> None:
    rafdb = tuple(NUMBERINGS["rafdb"].values())
    faces = matched(faces_of([0, 3, 6], rafdb), FERPLUS_EMOTIONS, "rafdb")
    assert names_of(faces) == ["surprise", "happy", "neutral"]
    assert faces.class_names == FERPLUS_EMOTIONS
    assert matched(faces_of([3, 7], FERPLUS_EMOTIONS), EMOTIONS, "x").labels.tolist() == [4]
    assert "x: the network leaves out the faces of contempt (1)" in caplog.text


def test_a_network_of_other_classes_is_refused() -> None:
    with pytest.raises(DataError, match="has the classes bored, engaged, and the network knows happy, sad: none in"):
        matched(faces_of([0, 1], ("bored", "engaged")), ("happy", "sad"), "x")


def test_numbers_that_stand_for_no_emotion_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    numbers = tuple(str(number) for number in range(11))
    faces = ClassOptions("affectnet").named(faces_of([1, 8, 10, 7], numbers), "x")
    assert names_of(faces) == ["happy", "contempt"]
    assert "left out 1 faces of class 8 (none)" in caplog.text


def test_a_list_of_names_that_may_begin_at_0_or_1_is_refused() -> None:
    with pytest.raises(DataError, match=r"has the numbers 1, 2, and data\.numbering names 3 classes"):
        ClassOptions(["a", "b", "c"]).named(faces_of([0, 1], ("1", "2")), "x")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("Anger", "angry"), ("03_HAPPY", "happy"), ("2. fear", "fear"), ("7", "7"), ("Bored", "Bored"), ("怒り", "怒り")],
)
def test_a_folder_s_name_is_its_class(folder: str, expected: str) -> None:
    assert folder_class(folder) == expected


def test_emotions_come_in_fer2013_s_order_and_others_by_alphabet() -> None:
    assert in_order(["bored", "contempt", "sad", "angry", "awake"]) == ("angry", "sad", "contempt", "awake", "bored")
    assert in_order(["10", "9", "1"]) == ("1", "9", "10")
