"""The page of debug=look shows each class as its source has it."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lightning.commands.look import write_look
from fer_lightning.data import FERDataModule
from fer_lightning.report.face_charts import FED, OF_EACH, _fed_chart, class_samples
from fer_lightning.report.page import face_address
from fer_lightning.transforms.augment import Augmentation
from tests.browser import in_browser, needs_browser


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
    panels = np.array(_fed_chart(data).axes).reshape(4, FED)
    shown = torch.tensor(np.array([[axes.images[0].get_array() for axes in line] for line in panels]))
    assert torch.equal(shown[0], faces.images[rows][:, 0].float() / 255)
    assert [axes.get_title() for axes in panels[0]] == [data.class_names[label] for label in faces.labels[rows]]
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(shown, 2))


@needs_browser
def test_the_page_fits_a_phone_and_shows_all_faces(data: FERDataModule, tmp_path: Path) -> None:
    write_look(data, tmp_path / "index.html")
    found, console = in_browser(tmp_path / "index.html", 360)
    assert "CONSOLE" not in console
    assert not found["tooWide"]
    assert found["wide"] == 0
    assert len(found["pictures"]) == 1 + sum(len(samples) for _, rows in class_samples(data) for _, samples in rows)
    assert all(complete and natural for complete, natural, _ in found["pictures"])
