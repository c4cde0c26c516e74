"""Every network leaves as one file that answers the same; one that answers otherwise is not written."""

import inspect
import io
import json
import logging
import shutil
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.training.calibration import Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import save_model
from fer_lightning.transforms.pixels import resized
from fer_lightning.transforms.preprocessing import Preprocessing
from fer_lightning.use.card import CARD_KEY, Card
from fer_lightning.use.export import main as export_main
from fer_lightning.use.exporting import export
from fer_lightning.use.face_module import FaceModule, resizing_matrix
from fer_lightning.use.gate import COMPACT, SAME, Comparison, compared
from fer_lightning.use.known_faces import READING, KnownFaces, drawn_faces, known_faces, run_data
from fer_lightning.use.onnx_network import OnnxNetwork
from tests.runs import nightly

torchvision_model = partial(EmotionClassifier, "torchvision")

NETWORKS: dict[str, Any] = {
    "deep_emotion": partial(EmotionClassifier, "deep_emotion"),
    "small_resnet": partial(EmotionClassifier, "small_resnet"),
    "resnet18, channels last, colour": partial(
        EmotionClassifier, "resnet18", arguments={"width": 16, "stem": "pooled"}, channels_last=True, in_channels=3
    ),
} | {
    arch: partial(torchvision_model, arguments={"arch": arch})
    for arch in (
        *("resnet50", "vgg11_bn", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "vit_b_32", "inception_v3"),
        *("densenet121", "googlenet", "shufflenet_v2_x0_5", "mnasnet0_5", "swin_t", "regnet_x_400mf", "squeezenet1_1"),
    )
}


def saved(model: EmotionClassifier, folder: Path, image_size: int | None = None) -> Path:
    """Saves a network as a finished run does, with weights of which some face gets each label."""
    channels = int(model.hparams["in_channels"])
    size = image_size or model.image_size or 48
    save_model(model.eval(), Preprocessing(size, (0.508,) * channels, (0.255,) * channels), folder)
    return folder


def card_of(file: Path) -> Any:
    return json.loads({entry.key: entry.value for entry in onnx.load(file).metadata_props}[CARD_KEY])


FIRST, *OTHERS = NETWORKS


@pytest.mark.parametrize("name", [FIRST, *nightly(*OTHERS)])
def test_a_network_exports_and_answers_the_same(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = export(saved(NETWORKS[name](), tmp_path))
    assert made.file == tmp_path / "model.onnx"
    assert made.comparison.same_labels == 1
    assert made.comparison.difference < 1e-4
    assert made.comparison.count == 256
    model = onnx.load(made.file, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 18
    assert [path.name for path in tmp_path.iterdir() if ".onnx" in path.name] == ["model.onnx"]  # no data beside it


def test_a_run_is_compared_on_its_own_val(short_run: Path, tmp_path: Path) -> None:
    made = export(short_run, out=tmp_path / "a.onnx", name="mine")
    val = known_faces(run_data(short_run), "val")
    assert made.comparison.faces == val.what
    assert "PublicTest" in val.what
    assert made.comparison.count == len(val.images) == 24
    right = OnnxNetwork(made.file).probabilities(val.images).argmax(1) == val.labels
    assert made.comparison.accuracy == (float(right.mean()),) * 2
    assert OnnxNetwork(made.file).card.name == "mine"


def test_without_its_data_drawn_faces_are_used_and_it_says_so(
    short_run: Path, tmp_path: Path, caplog: Any, capsys: Any
) -> None:
    run = Path(shutil.copytree(short_run, tmp_path / "run"))
    for file in run.glob("checkpoints/*.ckpt"):
        content = torch.load(file, weights_only=True)
        content["FERDataModule"]["source"] = str(tmp_path / "gone.csv")
        torch.save(content, file)
    export_main([str(run), "--out", str(tmp_path / "a.onnx")])
    assert any(said.startswith("compared on drawn faces, and on no others: the faces of ") for said in caplog.messages)
    printed = capsys.readouterr().out
    assert printed.startswith(
        "compared on 256 faces, drawn by this program, in batches of 1, 2, 64: 100.00% of the lab"
    )
    assert f"wrote {tmp_path / 'a.onnx'}" in printed


def test_data_that_have_changed_are_not_taken_for_the_runs(short_run: Path, few_faces: Path, tmp_path: Path) -> None:
    text = few_faces.read_text("ascii")
    changed = tmp_path / "fer2013.csv"
    changed.write_text(text.replace("PublicTest", "PrivateTest", 1), "ascii")
    with pytest.raises(ConfigError, match=r"the faces of .*fer2013\.csv are no longer those that .* its val split"):
        run_data(short_run, changed)
    changed.write_text(text, "ascii")
    assert len(run_data(short_run, changed).rows["val"]) == 24
    assert logging.getLogger("fer_lightning.data").level == logging.NOTSET


SABOTAGED = """
    import torch
    from torch import nn
    from fer_lightning.nets.registry import register

    class Net(nn.Module):
        def __init__(self, num_classes, wrong):
            super().__init__()
            self.layer = nn.Linear(48 * 48, num_classes)
            self.wrong = wrong
        def forward(self, images):
            logits = self.layer(images.flatten(1))
            if not torch.compiler.is_exporting():
                return logits
            wrongly = {
                "mirrored": lambda: self.layer(images.flip(3).flatten(1)),
                "batch": lambda: logits - 0.5 * logits.mean(0, keepdim=True),
                "slightly": lambda: logits * 1.01,
                "nan": lambda: logits * float("nan"),
                "frozen": lambda: logits.reshape(3, -1),
            }
            return wrongly[self.wrong]()

    @register("sabotaged")
    def make(num_classes: int, wrong: str) -> nn.Module:
        return Net(num_classes, wrong)
"""


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("mirrored", "of the labels agree, and 99.9% must; a probability differs by"),
        ("frozen", "Net cannot be exported as onnx"),
        *nightly(
            ("batch", "a probability differs by"),
            ("slightly", "was not written, since it does not answer as .* a probability differs by"),
            ("nan", "its answers are no probabilities"),
        ),
    ],
)
def test_an_export_that_answers_otherwise_is_refused(
    wrong: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sabotage_of_tests.py").write_text(textwrap.dedent(SABOTAGED), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FER_LIGHTNING_TRUST", "sabotage_of_tests")
    torch.manual_seed(0)
    run = saved(EmotionClassifier("sabotaged", EMOTIONS, {"wrong": wrong}), tmp_path / "run")
    (run / "model.onnx").write_text("the one before")
    before = sorted(run.iterdir())
    with pytest.raises(SystemExit, match=f"error: .*{why}"):
        export_main([str(run)])
    assert sorted(run.iterdir()) == before
    assert (run / "model.onnx").read_text() == "the one before"


def test_the_gate_passes_what_is_within_its_tolerance_alone() -> None:
    def comparison(labels: float, difference: float, after: float) -> Comparison:
        return Comparison("some", 1000, labels, difference, (0.7, after))

    assert comparison(0.999, 1e-4, 0.7).problems(SAME) == []
    assert len(comparison(0.9989, 1.1e-4, 0.7).problems(SAME)) == 2
    assert len(comparison(1, float("nan"), 0.7).problems(SAME)) == 1
    assert comparison(0.99, 0.3, 0.6951).problems(COMPACT) == []
    assert len(comparison(0.989, 0.3, 0.694).problems(COMPACT)) == 2


def test_one_close_call_in_a_small_batch_refuses_nothing() -> None:
    images = np.arange(400, dtype=np.uint8).reshape(-1, 1, 1, 1)
    near = np.full((400, 2), 0.5, np.float32)
    faces = KnownFaces("some", images, None)

    def reference(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return near[: len(batch)] + np.array([[1e-3, -1e-3]], np.float32)

    def export_of(change: float) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        def answer(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            answers = reference(batch) + np.float32(change if len(batch) == 1 else 0)
            answers[batch.reshape(-1) == 0] -= np.array([4e-3, -4e-3], np.float32)
            return answers

        return answer

    kept = compared(reference, export_of(0), faces)
    assert kept.same_labels == 398 / 400
    assert kept.problems(COMPACT) == []
    (problem,) = compared(reference, export_of(0.01), faces).problems(COMPACT)
    assert problem.startswith("a probability differs by 0.01 between batches")


@pytest.mark.nightly  # test_compact.py has the weights themselves
def test_weights_in_fewer_bits_make_a_smaller_file(tmp_path: Path) -> None:
    run, sizes = saved(EmotionClassifier("deep_emotion"), tmp_path), {}
    for weights in ("float32", "float16", "int8"):
        made = export(run, out=tmp_path / f"{weights}.onnx", weights=weights)
        sizes[weights] = made.file.stat().st_size
        assert OnnxNetwork(made.file).card.weights == weights
        assert OnnxNetwork(made.file).card.sha256 == OnnxNetwork(tmp_path / "float32.onnx").card.sha256
    assert sizes["float16"] < 0.55 * sizes["float32"]
    assert sizes["int8"] < 0.8 * sizes["float16"]  # its two large layers have most of the weights


@pytest.mark.parametrize("size", [24, 47, 64, 224])
def test_resizing_by_matrices_is_that_of_training(size: int) -> None:
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    matrix = resizing_matrix(48, size)
    torch.testing.assert_close(matrix @ images @ matrix.T, resized(images, size), atol=1e-5, rtol=0)


def test_temperature_and_threshold_are_in_the_file(exported: Path) -> None:
    model = EmotionClassifier("resnet18", arguments={"width": 4}).eval()
    model.preprocessing = Preprocessing(48, (0.5,), (0.25,))
    faces = torch.from_numpy(drawn_faces(Card("a", EMOTIONS, 48, 1), 5).images)
    cold, warm = (FaceModule(model, temperature)(faces) for temperature in (1.0, 2.5))
    torch.testing.assert_close(warm.log().diff(dim=1), cold.log().diff(dim=1) / 2.5, atol=1e-5, rtol=1e-4)
    assert Calibration() == model.calibration
    assert card_of(exported)["temperature"] == pytest.approx(OnnxNetwork(exported).card.temperature)


def test_a_pt2_file_is_loaded_by_torch_alone(tmp_path: Path) -> None:
    run = saved(EmotionClassifier("deep_emotion"), tmp_path)
    made = export(run, "pt2")
    assert made.file == run / "model.pt2"
    metadata = {CARD_KEY: ""}
    program = torch.export.load(io.BytesIO(made.file.read_bytes()), extra_files=metadata)
    assert json.loads(metadata[CARD_KEY])["class_names"] == list(EMOTIONS)
    assert program.module()(torch.zeros(7, 1, 48, 48, dtype=torch.uint8)).shape == (7, 7)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["none"], "error: none: there is no such folder or file of a run"),
        (["."], "error: . has no model.safetensors, which a finished run has"),
        (["run", "--out", "no/such.onnx"], "error: no/such.onnx is no name for a file"),
        (["run", "--format", "pt2", "--weights", "int8"], "error: weights is int8, which only an ONNX file can"),
        (["run", "--format", "onnx-int8", "--weights", "int8"], "error: weights is int8, but onnx-int8 has weights in"),
        (["run", "--margin", "0"], "error: margin is 0.0; it must be above 0 and at most 10"),
        (["run", "--format", "onnx-int8"], "error: run has no checkpoints: only they know the faces of a run"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(
    arguments: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(EmotionClassifier("deep_emotion"), Path("run"))
    with pytest.raises(SystemExit) as refused:
        export_main(arguments)
    assert str(refused.value.code).startswith(why)
    assert "\n" not in str(refused.value.code)
    with pytest.raises(ConfigError, match="format is tflite; it is one of onnx, onnx-int8, pt2"):
        export("run", "tflite")  # type: ignore[arg-type]


def test_every_key_that_decides_a_runs_faces_is_read_again() -> None:
    of_checkpoint = {"path", "votes", "size", "channels", "fit"}
    of_batches = {"augmentation", "normalize", "mean", "std", "image_size", "progressive_sizes", "batch_size", "seed"}
    assert {*READING} | of_checkpoint | of_batches == {*inspect.signature(FERDataModule).parameters}
