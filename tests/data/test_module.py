"""FERDataModule feeds each face once an epoch, normalised, and augments only what is trained on."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from fer_lightning.data import DataError, FERDataModule
from fer_lightning.transforms.augment import Augmentation
from tests.data.faces_files import csv_bytes, pixel_text, random_images


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    images = random_images(60)
    usages = ["Training"] * 40 + ["PublicTest"] * 12 + ["PrivateTest"] * 8
    rows = [f"{i % 7},{pixel_text(image)},{usage}" for i, (image, usage) in enumerate(zip(images, usages, strict=True))]
    path = tmp_path / "fer2013.csv"
    path.write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    return path


def ready(path: Path, **arguments: object) -> FERDataModule:
    datamodule = FERDataModule(path, **arguments)  # type: ignore[arg-type]
    datamodule.setup()
    return datamodule


def epoch(datamodule: FERDataModule, number: int) -> list[tuple[Tensor, Tensor]]:
    loader = datamodule.train_dataloader()
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    return list(loader)


def test_an_epoch_has_every_training_face_once_with_its_label(csv: Path) -> None:
    datamodule = ready(csv, batch_size=16)
    batches = epoch(datamodule, 0)
    assert [len(labels) for _, labels in batches] == [16, 16, 8]
    known = {image.numpy().tobytes(): i for i, image in enumerate(torch.from_numpy(random_images(60)))}
    rows = [known[image.numpy().tobytes()] for images, _ in batches for image in images]
    assert sorted(rows) == list(range(40))
    assert torch.cat([labels for _, labels in batches]).tolist() == [row % 7 for row in rows]


def test_the_order_is_a_function_of_seed_and_epoch(csv: Path) -> None:
    def labels(seed: int, number: int) -> list[int]:
        return torch.cat([labels for _, labels in epoch(ready(csv, seed=seed), number)]).tolist()

    assert labels(0, 1) == labels(0, 1)
    assert labels(0, 1) != labels(0, 2)
    assert labels(0, 1) != labels(1, 0)


def test_normalisation_by_own_pixels_gives_mean_0_deviation_1(csv: Path) -> None:
    datamodule = ready(csv, batch_size=40)
    images, _ = datamodule.on_after_batch_transfer(next(iter(datamodule.train_dataloader())), 0)
    assert images.shape == (40, 1, 48, 48)
    assert abs(float(images.mean())) < 1e-4
    assert abs(float(images.std()) - 1) < 1e-4
    pixels = torch.from_numpy(random_images(60)[:40]).double() / 255
    assert datamodule.mean == pytest.approx((float(pixels.mean()),), abs=1e-9)
    assert datamodule.std == pytest.approx((float(pixels.std(correction=0)),), abs=1e-9)


def test_fixed_normalisation_uses_the_numbers_it_is_given(csv: Path) -> None:
    datamodule = ready(csv, normalize="fixed", mean=0.25, std=0.5)
    images, _ = datamodule.on_after_batch_transfer(
        (torch.full((2, 1, 48, 48), 255, dtype=torch.uint8), torch.zeros(2)), 0
    )
    assert torch.equal(images, torch.full((2, 1, 48, 48), 1.5))


def test_images_are_resized_to_what_a_network_wants(csv: Path) -> None:
    datamodule = ready(csv, image_size=96, normalize="fixed", mean=0.0, std=1.0)
    images, _ = datamodule.on_after_batch_transfer(
        (torch.full((2, 1, 48, 48), 51, dtype=torch.uint8), torch.zeros(2)), 0
    )
    torch.testing.assert_close(images, torch.full((2, 1, 96, 96), 0.2))


def test_nothing_is_augmented_outside_of_training(csv: Path) -> None:
    datamodule = ready(csv, augmentation=Augmentation(degrees=45), normalize="fixed", mean=0.0, std=1.0)
    pixels, labels = next(iter(datamodule.val_dataloader()))
    images, _ = datamodule.on_after_batch_transfer((pixels, labels), 0)
    assert torch.equal(images, pixels / 255)


def with_a_copy(csv: Path) -> Path:
    """Makes the third training face a copy of a val face."""
    text = csv.read_text().splitlines()
    text[3] = text[3].split(",")[0] + "," + text[45].split(",")[1] + ",Training"
    csv.write_text("\n".join(text) + "\n")
    return csv


def also_in_train(log: str, split: str) -> str:
    return next(line for line in log.splitlines() if line.startswith(split)).split()[-1]


def test_copies_are_counted_in_the_log(csv: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        ready(with_a_copy(csv))
    assert also_in_train(caplog.text, "val") == "1"
    assert also_in_train(caplog.text, "test") == "0"


def test_other_data_is_compared_with_the_training_faces(
    csv: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = ready(csv)
    renamed = tmp_path / "renamed.csv"
    renamed.write_text(csv.read_text().replace("Training", "PrivateTest"))
    other = FERDataModule(renamed)
    other.load_state_dict(trained.state_dict())
    with caplog.at_level("INFO"):
        other.setup("test")
    assert len(other.rows["test"]) == 48
    assert also_in_train(caplog.text, "test") == "40"
    assert (other.mean, other.std) == (trained.mean, trained.std)


@pytest.mark.parametrize(
    ("splits", "warns"),
    [
        ({"test": "PublicTest"}, ["12 of the 12 faces of test are those that it may have been chosen on"]),
        (
            {"train": "PublicTest", "val": "PrivateTest", "test": "Training"},
            ["40 of the 40 faces of test are those that the network learns from"],
        ),
        ({"test": "PrivateTest"}, []),
    ],
)
def test_a_test_on_faces_that_the_network_knows_is_warned_of(
    csv: Path, splits: dict[str, str], warns: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    other = FERDataModule(csv, splits=splits)
    other.load_state_dict(ready(csv).state_dict())
    other.setup("test")
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [message.startswith(start) for message, start in zip(warned, warns, strict=True)] == [True] * len(warns)


def test_choosing_on_the_faces_that_are_reported_is_warned_of(csv: Path, caplog: pytest.LogCaptureFixture) -> None:
    ready(csv, splits={"val": "PublicTest", "test": "PublicTest"})
    assert "12 of the 12 faces of test are those that it may have been chosen on" in caplog.text


def test_copies_can_be_taken_out_of_training(csv: Path) -> None:
    with_a_copy(csv)
    assert len(ready(csv).rows["train"]) == 40
    kept = ready(csv, drop_copies=True)
    assert kept.rows["train"].tolist() == [row for row in range(40) if row != 2]
    assert kept.class_counts.sum() == 39
    assert len(kept.rows["val"]) == 12


def test_each_fold_is_val_once(csv: Path) -> None:
    folds = [ready(csv, folds=4, fold=fold) for fold in range(4)]
    assert sorted(torch.cat([data.rows["val"] for data in folds]).tolist()) == list(range(40))
    assert [len(data.rows["train"]) for data in folds] == [30] * 4
    assert all(data.rows["test"].tolist() == list(range(52, 60)) for data in folds)


def test_a_run_on_a_fold_can_be_tested_on_other_data(csv: Path) -> None:
    datamodule = FERDataModule(csv, folds=50, fold=3, splits={"train": "auto", "val": "PublicTest"})
    datamodule.setup("test")
    assert len(datamodule.rows["test"]) == 8


def test_a_source_with_nothing_to_train_on_can_be_tested_on(tmp_path: Path) -> None:
    images = random_images(3)
    rows = [f"{i},{pixel_text(image)},PrivateTest" for i, image in enumerate(images)]
    (tmp_path / "test_only.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    datamodule = FERDataModule(tmp_path / "test_only.csv")
    datamodule.setup("test")
    assert len(next(iter(datamodule.test_dataloader()))[1]) == 3
    with pytest.raises(DataError, match="the train split is empty"):
        FERDataModule(tmp_path / "test_only.csv").setup("fit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val_fraction": 1.5}, r"val_fraction is 1\.5; it must be at least 0 and below 1"),
        ({"test_fraction": -0.1}, r"test_fraction is -0\.1"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, r"is 1\.0: that leaves nothing to train on"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"image_size": 0}, "image_size is 0; it must be at least 1 and at most 2048, or 'auto'"),
        ({"std": 0.0}, r"std is 0\.0"),
        ({"split_seed": -1}, "split_seed is -1"),
        ({"folds": 5}, "folds is 5 and fold is None; give both"),
        ({"fold": 1}, "folds is None and fold is 1; give both"),
        ({"folds": 1, "fold": 0}, "folds is 1; it must be at least 2"),
        ({"folds": 5, "fold": 5}, "fold is 5; of 5 folds, it is one of 0 to 4"),
        ({"folds": 5, "fold": -1}, "fold is -1; it must be at least 0"),
        ({"normalize": "datset"}, "normalize is 'datset': it should be 'dataset' or 'fixed'"),
        ({"on_bad_rows": "skip"}, "on_bad_rows is 'skip': it should be 'error' or 'drop'"),
    ],
)
def test_an_argument_outside_its_range_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FERDataModule(**arguments)  # type: ignore[arg-type]
