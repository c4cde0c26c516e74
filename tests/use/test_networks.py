"""A trained network answers the same from its run and from its exported file, and says what it is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper

from fer_lightning.data import EMOTIONS
from fer_lightning.errors import ConfigError
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import save_model
from fer_lightning.transforms.preprocessing import Preprocessing
from fer_lightning.use.card import CARD_KEY
from fer_lightning.use.exporting import export
from fer_lightning.use.known_faces import known_faces, run_data
from fer_lightning.use.network import network
from fer_lightning.use.onnx_network import OnnxNetwork
from fer_lightning.use.run_network import RunNetwork
from tests.scripts import REPOSITORY
from tests.use.brightness_network import write_network

FACES = np.random.default_rng(0).integers(0, 256, (70, 1, 48, 48), np.uint8)


def tempered(probabilities: Any, temperature: float) -> Any:
    """Returns what a temperature makes of probabilities, (N, K)."""
    logits = np.log(probabilities) / temperature
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_run_and_file_give_what_predictions_csv_says(short_run: Path, exported: Path) -> None:
    table = pd.read_csv(short_run / "report" / "predictions.csv")
    said = table[[f"p_{name}" for name in EMOTIONS]].to_numpy()
    assert len(said) == 24
    faces = known_faces(run_data(short_run), "test")
    assert faces.labels is not None
    assert [EMOTIONS[label] for label in faces.labels] == table["label"].tolist()
    for one in (network(short_run), network(exported), network(short_run / "checkpoints" / "best.ckpt")):
        assert np.abs(one.probabilities(faces.images) - tempered(said, one.card.temperature)).max() < 1e-4


def test_the_card_of_an_export_is_that_of_its_run(short_run: Path, exported: Path) -> None:
    card = RunNetwork(short_run).card
    assert OnnxNetwork(exported).card == card
    assert (card.name, card.class_names, card.size, card.channels) == (short_run.name, EMOTIONS, 48, 1)
    assert "data.image_size=64" in card.command
    assert "torch 2" in card.versions
    assert len(card.sha256) == 64
    assert RunNetwork(short_run / "checkpoints" / "last.ckpt").card.name == card.name


def test_flip_averages_over_the_mirror_image(short_run: Path, exported: Path, tmp_path: Path) -> None:
    plain = network(exported)
    by_hand = (plain.probabilities(FACES) + plain.probabilities(FACES[..., ::-1].copy())) / 2
    inside = export(short_run, out=tmp_path / "flip.onnx", tta="flip").file
    for one in (network(exported, "flip"), network(short_run, "flip"), network(inside), network(inside, "flip")):
        assert np.abs(one.probabilities(FACES) - by_hand).max() < 1e-5


def test_networks_of_other_classes_stand_side_by_side(short_run: Path, tmp_path: Path) -> None:
    model = EmotionClassifier("deep_emotion", ("calm", "not calm"), in_channels=3).eval()
    save_model(model, Preprocessing(48, (0.5,) * 3, (0.25,) * 3, size=64, fit="pad"), tmp_path)
    export(tmp_path)
    for two in (network(tmp_path), network(tmp_path / "model.onnx")):
        assert (two.card.class_names, two.card.size, two.card.fit) == (("calm", "not calm"), 64, "pad")
        assert two.probabilities(np.zeros((3, 3, 64, 64), np.uint8)).shape == (3, 2)
    assert network(short_run).probabilities(FACES).shape == (70, 7)


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 70])
def test_any_number_of_faces_is_answered(count: int, exported: Path) -> None:
    one = network(exported)
    probabilities = one.probabilities(FACES[:count])
    assert probabilities.shape == (count, 7)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, one.probabilities(FACES)[:count], atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["run", "file"])
def test_faces_of_another_kind_are_refused(kind: str, short_run: Path, exported: Path) -> None:
    one = network(short_run if kind == "run" else exported)
    for faces in (FACES.astype(np.float32), FACES[:, 0], FACES[..., :47], FACES.repeat(3, 1)):
        with pytest.raises(ValueError, match=r"faces are .*; .* takes uint8 \(N, 1, 48, 48\)"):
            one.probabilities(faces)  # type: ignore[arg-type]


def test_an_exported_file_needs_no_torch(exported: Path) -> None:
    code = f"""
import sys
import numpy as np
from fer_lightning.use.faces import Detection, Frame
from fer_lightning.use.line import answers
from fer_lightning.use.network import network
frames = [Frame("a", 0, None, np.zeros((90, 90, 3), np.uint8))]
(answer,) = answers(frames, lambda frame: [Detection(20, 20, 40, 40)], network({str(exported)!r}))
assert answer.faces[0].label
print([name for name in ("torch", "lightning", "pandas", "matplotlib", "onnx", "hydra") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def rewritten(file: Path, out: Path, **changes: object) -> Path:
    """Writes an exported file with another card."""
    model = onnx.load(file)
    (entry,) = [entry for entry in model.metadata_props if entry.key == CARD_KEY]
    card = {key: value for key, value in (json.loads(entry.value) | changes).items() if value is not ...}
    entry.value = json.dumps(card)
    onnx.save(model, out)
    return out


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format_version": 2}, "its format_version is 2, above 1: a newer version of this program wrote it"),
        ({"format_version": "1"}, "in its metadata, format_version is wrong"),
        ({"class_names": ...}, "in its metadata, class_names is missing"),
        ({"size": "48"}, "in its metadata, size is wrong"),
        ({"temperature": 0}, "in its metadata, temperature is wrong"),
        ({"sha256": "no"}, "in its metadata, sha256 is wrong"),
        ({"class_names": ["a\x1b[31m"]}, "class_names is wrong .letters that can be printed"),
        ({"name": "a\x1b[2J"}, "in its metadata, name is wrong .letters that can be printed"),
        ({"size": 64}, r"it takes \{'faces': .*48, 48\]\)\}, and by its card uint8 \(N, \[1, 64, 64\]\)"),
        ({"class_names": ["a", "b"]}, r"it gives \{'probabilities': .*\[7\]\)\}, and by its card float \(N, 2\)"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(changes: Any, why: str, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"changed\.onnx.*{why}"):
        network(rewritten(exported, tmp_path / "changed.onnx", **changes))


def test_an_onnx_file_of_something_else_is_refused(exported: Path, tmp_path: Path) -> None:
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", [taken], [given])
    other = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), other)
    with pytest.raises(ConfigError, match=r"other\.onnx is no network of fer_lightning: it lacks fer_lightning in its"):
        network(other)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(exported.read_bytes()[:5000])
    (tmp_path / "empty.onnx").touch()
    for file in (cut, tmp_path / "empty.onnx"):
        with pytest.raises(ConfigError, match=rf"{file.name} (cannot be read as an ONNX file|is no network)"):
            network(file)


@pytest.mark.parametrize(
    ("opset", "format", "why"),
    [
        (6, 10, "its operators are not those of its opset, which may be too old for them"),
        (99, 10, r"its opset is newer than onnxruntime .* reads: pip install -U onnxruntime"),
        (18, 99, r"its format is newer than onnxruntime .* reads: pip install -U onnxruntime"),
        (None, 10, "it does not say which opset it is of"),
    ],
)
def test_a_file_of_another_age_is_refused(opset: int | None, format: int, why: str, tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "a.onnx"))
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", opset)] if opset else [])
    model.ir_version = format
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(ConfigError, match=rf"a\.onnx cannot be read as an ONNX file: {why}"):
        network(tmp_path / "a.onnx")


def test_weights_in_another_file_are_refused(exported: Path, tmp_path: Path) -> None:
    options: Any = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save_model(onnx.load(exported), tmp_path / "a.onnx", **options)
    assert (tmp_path / "weights.bin").stat().st_size > 1000
    with pytest.raises(ConfigError, match=r"a\.onnx has weights in another file beside it"):
        network(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("smal", None, "smal is neither a network of the package nor a file or folder. Did you mean small?"),
        ("none.onnx", None, "none.onnx is neither a network of the package nor a file or folder. Give "),
        ("a.ckpt", b"hello", "a.ckpt is not a checkpoint of this program"),
        ("a.pth", b"hello", "a.pth is no network: give the folder of a run, its "),
        ("a.safetensors", b"hello", "a.safetensors is damaged, or no safetensors file"),
        ("folder", ..., "folder has no model.safetensors, which a finished run has"),
    ],
)
def test_what_is_no_network_is_refused(
    name: str, content: Any, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is ...:
        Path(name).mkdir()
    elif content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        network(name)
    assert str(refused.value).startswith(why)


def test_a_device_that_is_not_there_is_refused(short_run: Path, exported: Path) -> None:
    for device in ("cuda:77", "toaster"):
        with pytest.raises(ConfigError, match=f"device is {device}, which this machine does not have"):
            network(short_run, device=device)
    with pytest.raises(ConfigError, match="device is cuda, but an ONNX file is run on the CPU"):
        network(exported, device="cuda")
    with pytest.raises(ConfigError, match="tta is ten_crop; it is one of none, flip"):
        network(exported, tta="ten_crop")  # type: ignore[arg-type]


def test_a_run_computes_in_as_many_threads_as_are_given(short_run: Path) -> None:
    before = torch.get_num_threads()
    try:
        network(short_run, threads=before + 1)
        assert torch.get_num_threads() == before + 1
        network(short_run)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("module", "arguments", "said"), [
    ("export", ["--help"], "usage: "), ("export", ["none", "--format", "foo"], "invalid choice: 'foo'"),
    ("export", ["none"], "error: none: there is no such folder or file of a run"),
    ("pack", ["--help"], "usage: "), ("pack", ["none", "huge"], "invalid choice: 'huge'"),
    ("pack", ["none", "small"], "error: none: there is no such folder or file of a run"),
])  # fmt: skip
def test_a_wrong_command_is_answered_without_torch(module: str, arguments: list[str], said: str) -> None:
    code = f"""
import atexit, sys
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
from fer_lightning.use.{module} import main
main({arguments})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert said in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "False"
    assert (done.returncode == 0) == (arguments == ["--help"])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names of files are text")
def test_a_run_whose_name_is_no_text_is_taken(short_run: Path, tmp_path: Path) -> None:
    odd = Path(shutil.copytree(short_run, tmp_path / os.fsdecode(b"odd\xe4")))
    with pytest.raises(ConfigError, match=r"safetensors opens no path that is not UTF-8: rename .*, or give a ch"):
        network(odd)
    checkpoint = next(odd.glob("checkpoints/*.ckpt"))
    assert network(checkpoint).card.name == r"odd\xe4"
