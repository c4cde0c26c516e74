"""torchvision's v2 transforms, and augmentations of somebody's own: drawn for each face, and again after a resume."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms import v2

from fer_lightning.config.build import build
from fer_lightning.errors import ConfigError
from fer_lightning.transforms.per_face import PerFace
from tests.conftest import Compose
from tests.stopped_runs import BASE, Killed, KilledAt, assert_same, fitted, left_behind, resuming, run_folder


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


FACE = torch.rand(1, 1, 48, 48, generator=seeded())


def test_each_face_of_a_batch_is_turned_by_an_angle_of_its_own() -> None:
    alike = FACE.expand(8, -1, -1, -1)
    turned = PerFace(v2.RandomRotation(30))(alike, seeded())
    assert len({face.numpy().tobytes() for face in turned}) == 8
    # By v2 alone, all of them would be turned alike.
    assert len({face.numpy().tobytes() for face in v2.RandomRotation(30)(alike)}) == 1


def shared_states() -> tuple[Tensor, Any, Any]:
    """Of the generators that are everybody's."""
    of_numpy = np.random.get_state()
    assert isinstance(of_numpy, tuple)
    return torch.random.get_rng_state(), random.getstate(), of_numpy[1].tolist()


def test_what_is_drawn_depends_on_the_generator_alone() -> None:
    def noisy(face: Tensor) -> Tensor:
        return face * random.random() * float(np.random.rand()) * torch.rand(1)

    batch = FACE.expand(4, -1, -1, -1)
    for transform in (v2.RandomResizedCrop(48), noisy):
        augmented = PerFace(transform)
        once = augmented(batch, seeded())
        before = shared_states()
        assert torch.equal(augmented(batch, seeded()), once)
        after = shared_states()
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]
        assert not torch.equal(augmented(batch, seeded(1)), once)


def test_faces_of_other_sizes_come_back_in_the_size_of_the_batch() -> None:
    cropped = PerFace(v2.RandomCrop(40))(FACE.expand(3, -1, -1, -1), seeded())
    assert cropped.shape == (3, 1, 48, 48)
    assert 0 <= cropped.min() < cropped.max() <= 1


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        (v2.Normalize([0.5], [0.25]), "^Normalize gives pixels from -2.* to 2.*: to normalise them is left to data"),
        (v2.ToDtype(torch.uint8, scale=True), r"^ToDtype gives torch\.uint8"),
        (v2.Grayscale(3), r"^Grayscale gives torch\.float32 \(1, 3, 48, 48\)"),
        (v2.FiveCrop(40), "^FiveCrop gives a tuple"),
        (v2.MixUp(num_classes=7), r"^MixUp does not take a face, float \(1, 1, H, W\) in 0…1 \("),
        (lambda face: face.squeeze(0), "^<lambda> gives torch.float32 \\(1, 48, 48\\)"),
        (lambda face: face / 0, "^<lambda> gives pixels from"),
    ],
)
def test_what_gives_no_face_is_refused(transform: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        PerFace(transform)


TRANSFORMS = [
    {"_target_": "torchvision.transforms.v2.RandomRotation", "degrees": 15},
    {"_target_": "torchvision.transforms.v2.RandomErasing", "p": 0.5, "value": "random"},
]


def composing(composed: Compose, folder: Path, transforms: list[dict[str, object]]) -> str:
    """The override that chooses a yaml of v2 transforms, in a folder of its user."""
    (folder / "augmentation").mkdir(parents=True)
    lines = ["_target_: torchvision.transforms.v2.Compose", f"transforms: {transforms}"]
    (folder / "augmentation" / "mine.yaml").write_text("\n".join(lines))
    return f"hydra.searchpath=[file://{folder}]"


def test_a_run_with_v2_transforms_is_resumed_exactly(composed: Compose, tmp_path: Path, few_faces: Path) -> None:
    where = composing(composed, tmp_path / "mine", TRANSFORMS)
    options = (*BASE, where, "augmentation=mine", f"data.path={few_faces}", "trainer.max_epochs=2")
    fitted(run_folder(composed, tmp_path, "whole", *options))
    cfg = run_folder(composed, tmp_path, "killed", *options)
    with pytest.raises(Killed):
        fitted(cfg, KilledAt("on_train_epoch_end", 1))
    fitted(resuming(cfg, tmp_path / "killed"))
    assert_same(left_behind(tmp_path / "killed"), left_behind(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        ({"_target_": "os.system", "command": "ls"}, r"^augmentation\.transforms\.0\._target_ is os\.system; "),
        (
            {"_target_": "torchvision.transforms.v2.Lambda", "lambd": "print"},
            "^augmentation: Compose .*'str' object is not callable",
        ),
        ({"_target_": "torchvision.transforms.v2.RandomErasing", "q": 1}, r"^augmentation\.transforms\.0\.q is not an"),
        (
            {"_target_": "torchvision.transforms.v2.RandomErasing", "p": 2},
            r"^augmentation\.transforms.*: `p` should be",
        ),
    ],
)
def test_a_wrong_transform_is_refused_by_its_key(
    transform: dict[str, object], why: str, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    where = composing(composed, tmp_path / "mine", [transform])
    with pytest.raises(ConfigError, match=why):
        build(composed(where, "augmentation=mine", "model=deep_emotion", f"data.path={few_faces}"))
