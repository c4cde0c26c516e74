"""The page of debug=look shows each class as its source has it."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lightning.commands.look import _counts, write_look
from fer_lightning.data import FERDataModule
from fer_lightning.report.face_charts import FED, OF_EACH, _fed_chart, class_samples
from fer_lightning.report.page import face_address
from fer_lightning.transforms.augment import Augmentation
from tests.browser import in_browser, needs_browser
from tests.data.faces_files import random_images
from tests.data.test_several_sets import pictures
from tests.report.drawn import cells


@pytest.fixture
def data(few_faces: Path) -> FERDataModule:
    module = FERDataModule(few_faces, augmentation=Augmentation(degrees=15))
    module.setup()
    return module


def test_every_class_has_faces_of_its_own_from_every_split(data: FERDataModule) -> None:
    faces = data.faces
    assert faces is not None
    shown = class_samples(data)
    assert [name for name, _ in shown] == list(data.class_names)
    for label, (_, rows) in enumerate(shown):
        for (split, in_split), (caption, samples) in zip(data.rows.items(), rows, strict=True):
            here = in_split[faces.labels[in_split] == label]
            assert caption == f"{split}, {len(here)} faces"
            assert len({sample.where for sample in samples}) == len(samples) == min(OF_EACH, len(here))
            for sample in samples:
                part, _, number = sample.where.partition(", row ")
                (row,) = torch.nonzero(faces.numbers == int(number)).flatten().tolist()
                assert row in here.tolist()
                assert part == faces.part_names[int(faces.parts[row])]
                assert sample.address == face_address(faces.images[row])
            if len(here) > OF_EACH:  # spread over it, and not its beginning
                assert samples[-1].where.endswith(f"row {int(faces.numbers[here[-1]])}")


def test_the_sheet_has_faces_as_they_are_above_augmented_ones(data: FERDataModule) -> None:
    faces = data.faces
    assert faces is not None
    rows = data.rows["train"][torch.linspace(0, len(data.rows["train"]) - 1, FED).long()]
    drawn = cells(_fed_chart(data))
    shown = torch.tensor(np.array([cell.images[0] for cell in drawn])).view(4, FED, 48, 48)
    tops = [cell.place[1] for cell in drawn]
    assert tops == sorted(tops)
    assert torch.equal(shown[0], faces.images[rows][:, 0].float() / 255)
    assert [cell.title for cell in drawn[:FED]] == [data.class_names[label] for label in faces.labels[rows]]
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(shown, 2))


def test_many_classes_are_rows_of_the_counts(data: FERDataModule) -> None:
    faces = data.faces
    assert faces is not None
    table = _counts(data, faces)
    assert table.columns == ["class", "train", "val", "test"]
    cells = {row[0][0]: [key for _, key in row[1:]] for row in table.rows}
    assert list(cells) == [*data.class_names, "all", "also in train"]
    for label, name in enumerate(data.class_names):
        assert cells[name] == [int((faces.labels[rows] == label).sum()) for rows in data.rows.values()]
    assert cells["all"] == [len(rows) for rows in data.rows.values()]
    assert table.caption.endswith("train is Training, val is PublicTest, test is PrivateTest.")


def test_names_that_charts_cannot_draw_are_explained(tmp_path: Path) -> None:
    names = ("happy", "困惑", "deeply and utterly confused")
    images = random_images(30)
    pictures(tmp_path / "faces", images, tuple(f"{names[i % 3]}/{i}.png" for i in range(30)))
    module = FERDataModule(tmp_path / "faces", augmentation=Augmentation())
    module.setup()
    write_look(module, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text("utf-8")
    numbered = [f"{place} is {name}" for place, name in enumerate(module.class_names, 1) if name != "happy"]
    assert f"In the pictures, {', '.join(numbered)}." in page


@needs_browser
def test_the_page_fits_a_phone_and_shows_all_faces(data: FERDataModule, tmp_path: Path) -> None:
    write_look(data, tmp_path / "index.html")
    found, console = in_browser(tmp_path / "index.html", 360)
    assert "CONSOLE" not in console
    assert not found["tooWide"]
    assert found["wide"] == 0
    assert len(found["pictures"]) == 1 + sum(len(samples) for _, rows in class_samples(data) for _, samples in rows)
    assert all(complete and natural for complete, natural, _ in found["pictures"])
