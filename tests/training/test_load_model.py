"""A trained network is loaded from whatever a run leaves, and says of a picture what the run's report says."""

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import METADATA_KEY, save_model
from fer_lightning.training.models import load_model
from fer_lightning.transforms.preprocessing import Preprocessing
from tests.conftest import trainer
from tests.data.faces_files import written_pictures
from tests.runs import run_of
from tests.scripts import REPOSITORY, run_in


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image folder of every mode and several sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    for part in ("train", "val", "test"):
        for emotion in EMOTIONS if part == "train" else ("happy",):
            written_pictures(folder / part / emotion, sizes=1 if part == "train" else 4)
    return folder


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on it, in float32, of a network that sees 64×64."""
    folder = tmp_path_factory.mktemp("run")
    options = (
        "trainer.max_epochs=1",
        "trainer.accelerator=cpu",
        "trainer.precision=32-true",
        "callbacks.pictures=null",
    )
    network = ("model=resnet18", "model.width=8", "data.image_size=64", "optimizer.lr=0.01")
    return run_of(run_in(folder, "train.py", "data=image_folder", f"data.path={pictures}", *options, *network), folder)


def page_lines() -> str:
    """The code of docs/python.md for the emotion in a picture."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "python.md").read_text("utf-8"), re.DOTALL)
    (lines,) = [block for block in blocks if "face.png" in block]
    return str(lines)


def test_the_lines_of_the_page_give_what_predictions_csv_says(
    run: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(run / "report" / "predictions.csv")
    assert len(table) == 48
    lines = page_lines().replace("outputs/train/…", str(run))
    assert table["p_happy"].nunique() > 20
    for row in table.iloc[::5].to_dict("records"):  # of every mode but two, and of each size
        exec(lines.replace("face.png", str(pictures / row["file"])), {})
        printed = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert [name for name, _ in printed] == list(EMOTIONS)
        for name, probability in printed:  # to the last digit, which is rounded here and there
            assert abs(float(probability) - row[f"p_{name}"]) < 1.1e-6, row["file"]


def test_several_pictures_at_once_give_what_each_of_them_gives(run: Path, pictures: Path) -> None:
    model = load_model(run)
    several = [Image.open(path) for path in sorted((pictures / "test" / "happy").iterdir())]
    with torch.inference_mode():
        together = model.log_probabilities(model.preprocessing(*several))
        alone = torch.cat([model.log_probabilities(model.preprocessing(one)) for one in several])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_folder_checkpoint_and_weights_give_the_same_network(run: Path) -> None:
    models = [load_model(run / name) for name in ("", "checkpoints/best.ckpt", "model.safetensors")]
    models.append(load_model(str(run)))
    images = torch.randn(5, 1, 64, 64)
    of_data = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["FERDataModule"]
    for model in models:
        assert model.hparams["network"] == "resnet18"
        assert not model.training
        assert model.class_names == EMOTIONS
        assert model.preprocessing == Preprocessing(64, of_data["mean"], of_data["std"])
        assert torch.equal(model(images), models[0](images))
        for name, value in model.state_dict().items():
            assert torch.equal(value, models[0].state_dict()[name]), name


@pytest.mark.parametrize(
    "make",
    [
        partial(EmotionClassifier, "deep_emotion", ("yes", "no"), {"dropout": 0.25}),
        partial(EmotionClassifier, "resnet18", EMOTIONS, {"stem": "pooled", "width": 4, "dropout": 0.5}, True),
        partial(EmotionClassifier, "torchvision", arguments={"arch": "mnasnet0_5"}),
        partial(EmotionClassifier, "torchvision", ("a", "b", "ünïcode"), {"arch": "squeezenet1_1"}),
    ],
)
def test_a_model_file_rebuilds_its_network(make: Callable[[], Any], tmp_path: Path) -> None:
    model, preprocessing = make().eval(), Preprocessing(48, (0.1 + 0.2,), (1 / 3,))
    model.calibration = Calibration(1 / 3, 0.1 + 0.2)
    save_model(model, preprocessing, tmp_path)
    again = load_model(tmp_path)
    images = torch.randn(3, 1, 48, 48)
    assert type(again.net) is type(model.net)
    assert torch.equal(again(images), model(images))
    assert again.class_names == model.class_names
    assert again.preprocessing == preprocessing
    assert again.calibration == Calibration(1 / 3, 0.1 + 0.2)
    first = (tmp_path / "model.safetensors").read_bytes()
    save_model(again, preprocessing, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == first
    for state in (load_file(tmp_path / "model.safetensors"), torch.load(tmp_path / "model.pth", weights_only=True)):
        model.net.load_state_dict(state)


def test_a_checkpoint_of_the_python_api_is_loaded(few_faces: Path, tmp_path: Path) -> None:
    data = FERDataModule(few_faces, batch_size=64)
    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.Adam, lr=1e-3))
    fitting = trainer(tmp_path, max_steps=1)
    fitting.fit(model, data)
    fitting.save_checkpoint(tmp_path / "mine.ckpt")
    again = load_model(tmp_path / "mine.ckpt")
    assert again.preprocessing == data.preprocessing == Preprocessing(48, data.mean, data.std)
    images = torch.rand(4, 1, 48, 48)
    assert torch.equal(again(images), model.eval()(images))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model.safetensors."""
    save_model(EmotionClassifier("resnet18", arguments={"width": 4}), Preprocessing(48, (0.5,), (0.25,)), tmp_path)
    return tmp_path / "model.safetensors"


def rewritten(file: Path, description: str | None) -> None:
    save_file(load_file(file), file, None if description is None else {METADATA_KEY: description})


def changed(file: Path, **changes: object) -> None:
    with safe_open(file, framework="pt") as opened:
        description = json.loads(opened.metadata()[METADATA_KEY])
    if isinstance(inner := changes.get("hyper_parameters"), dict):
        changes["hyper_parameters"] = description["hyper_parameters"] | inner
    rewritten(file, json.dumps(description | changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"hyper_parameters": {"network": "os.system"}},
            "'os.system' is not the name of a network; there are .*deep_emotion",
        ),
        ({"hyper_parameters": {"_target_": "os.system"}}, r"metadata is wrong at hyper_parameters\._target_"),
        ({"hyper_parameters": {"arguments": {"_target_": "os"}}}, "_target_ is not an argument of ResNet18"),
        ({"hyper_parameters": {"arguments": {"width": 10**9}}}, "width is 1000000000, but no weight in it is as large"),
        ({"hyper_parameters": {"arguments": {"width": 8}}}, "size mismatch"),
        ({"hyper_parameters": {"class_names": [[1]]}}, r"metadata is wrong at hyper_parameters\.class_names"),
        ({"preprocessing": {"image_size": 10**9, "mean": [0.5], "std": [0.25]}}, "metadata is wrong at preprocessing"),
        ({"preprocessing": {"image_size": 48, "mean": [0.5], "std": [0.0]}}, "metadata is wrong at preprocessing"),
        ({"preprocessing": {"image_size": 48, "mean": [float("nan")], "std": [1.0]}}, r"wrong at preprocessing\.mean"),
        ({"preprocessing": {"image_size": 48, "mean": ["0.5"], "std": [1.0]}}, r"wrong at preprocessing\.mean"),
        ({"format_version": 3}, "its format_version is above 2: it was made by a newer version"),
        ({"format_version": 1}, "its format_version is not 2: it was made by an older version"),
        ({"state_dict": {"conv1.weight": [1]}}, "metadata is wrong at state_dict"),
        ({"calibration": {"temperature": -1.0, "unsure_below": 0.5}}, r"wrong at calibration\.temperature"),
        ({"calibration": {"temperature": float("inf"), "unsure_below": 0}}, r"wrong at calibration\.temperature"),
        ({"calibration": {"temperature": 1.0, "unsure_below": "0.5"}}, r"wrong at calibration\.unsure_below"),
    ],
)
def test_metadata_that_train_py_does_not_write_is_refused(changes: dict[str, object], why: str, file: Path) -> None:
    changed(file, **changes)
    with pytest.raises(ValueError, match=rf"model\.safetensors[\s\S]*{why}"):
        load_model(file)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "holds weights alone: it does not say of which network"),
        ("{", "its metadata is wrong at all of it"),
        ("[" * 50_000, "its metadata is wrong at all of it"),
        ("1" * 99_999, "its metadata is wrong at all of it"),
        (" " * 100_001, "its metadata has 100,001 characters"),
    ],
    ids=["none", "cut", "deep", "a long number", "long"],
)
def test_metadata_that_is_no_description_is_refused(text: str | None, why: str, file: Path) -> None:
    rewritten(file, text)
    with pytest.raises(ValueError, match=why) as refused:
        load_model(file)
    assert len(str(refused.value)) < 500


def test_what_holds_no_network_is_refused_with_what_to_give(file: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.pth holds tensors alone: give the model\.safetensors of its run"):
        load_model(tmp_path / "model.pth")
    unfinished = Path(shutil.copytree(run, tmp_path / "unfinished"))
    (unfinished / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has no model\.safetensors, which .* as in .*checkpoints/best\.ckpt$"):
        load_model(unfinished)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged, or no safetensors file"):
        load_model(file)
    with pytest.raises(ValueError, match="is not a file"):
        load_model(tmp_path / "none.safetensors")


@pytest.mark.parametrize(("version", "why"), [(3, "is above 2: it was made by a newer"), (1, "is not 2: .* an older")])
def test_a_checkpoint_of_another_version_says_so(version: int, why: str, run: Path, tmp_path: Path) -> None:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["format_version"] == 2
    torch.save(content | {"format_version": version}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=f"its format_version {why} version"):
        load_model(tmp_path / "other.ckpt")
