"""int8: a network that computes in whole numbers, calibrated on its training faces, and held to its accuracy."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from fer_lightning.errors import ConfigError
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import save_model
from fer_lightning.transforms.preprocessing import Preprocessing
from fer_lightning.use.export import main as export_main
from fer_lightning.use.exporting import export
from fer_lightning.use.gate import INT8, Comparison, Tolerance
from fer_lightning.use.known_faces import KnownFaces, drawn_faces, known_faces, run_data
from fer_lightning.use.network import network
from fer_lightning.use.onnx_network import OnnxNetwork
from fer_lightning.use.quantized import drawn_by_class, quantized
from fer_lightning.use.speed import in_turns, int8_instructions


@pytest.fixture(scope="module")
def train(short_run: Path) -> KnownFaces:
    return known_faces(run_data(short_run), "train")


def layers(model: onnx.ModelProto) -> list[tuple[str, bool]]:
    """Returns the layers of a file: their kind, and whether their weights are int8."""
    restored = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    kinds = ("Conv", "Gemm", "MatMul")
    return [(node.op_type, node.input[1] in restored) for node in model.graph.node if node.op_type in kinds]


def test_layers_compute_in_int8_per_channel(exported: Path, train: KnownFaces) -> None:
    model = onnx.load_from_string(quantized(exported.read_bytes(), train))
    onnx.checker.check_model(model, full_check=True)
    kinds = layers(model)
    of_float = layers(onnx.load(exported))
    assert [kind for kind, _ in kinds] == [kind for kind, _ in of_float]
    assert kinds[:2] == [("MatMul", False)] * 2  # which resize
    assert all(in_int8 for _, in_int8 in kinds[3:-1])
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    kernels = [value for value in values.values() if value.dtype == np.int8 and value.ndim == 4]
    assert kernels
    assert all(np.abs(kernel).max() <= 64 for kernel in kernels)  # 7 bits: sums of two products fit 16
    scales = [value.size for name, value in values.items() if name.endswith("_scale") and "weight" in name]
    assert max(scales) > 1
    (softmax,) = [node for node in model.graph.node if node.op_type == "Softmax"]
    restored = [name for node in model.graph.node if "Linear" in node.op_type for name in node.output]
    assert softmax.input[0] not in restored


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["deep_emotion", "resnet18", "mobilenet_v3_small", "vit_b_32"])
def test_networks_of_each_kind_can_compute_in_int8(name: str, tmp_path: Path) -> None:
    built_in = name in ("deep_emotion", "resnet18")
    model = EmotionClassifier(name if built_in else "torchvision", arguments={} if built_in else {"arch": name})
    torch.manual_seed(0)
    save_model(model.eval(), Preprocessing(model.image_size or 48, (0.5,), (0.25,)), tmp_path)
    file = export(tmp_path).file
    drawn = drawn_faces(network(file).card)
    faces = KnownFaces("drawn", drawn.images, network(file).probabilities(drawn.images).argmax(1))
    (tmp_path / "int8.onnx").write_bytes(quantized(file.read_bytes(), faces))
    assert any(in_int8 for _, in_int8 in layers(onnx.load(tmp_path / "int8.onnx")))
    difference = network(tmp_path / "int8.onnx").probabilities(drawn.images) - network(file).probabilities(drawn.images)
    assert np.abs(difference).max() < 0.2


def test_a_last_layer_stays_in_float_where_that_is_better(exported: Path, train: KnownFaces) -> None:
    model = onnx.load(exported)
    (last,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    (weights,) = [one for one in model.graph.initializer if one.name == last.input[1]]
    values = onnx.numpy_helper.to_array(weights).copy()
    values[:, 0] = 1000 * np.abs(values).max()  # in each class, which changes no answer; but its int8 has nothing else
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    assert layers(onnx.load_from_string(quantized(model.SerializeToString(), train)))[-1] == ("Gemm", False)


def test_faces_are_drawn_by_their_class() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    faces = KnownFaces("some", np.arange(1000, dtype=np.uint8).reshape(-1, 1, 1, 1), labels)
    first, second = drawn_by_class(faces, 100, 200)
    for one, parts in ((first, [60, 30, 10]), (second, [120, 60, 20])):
        assert one.labels is not None
        assert np.abs(np.bincount(one.labels) - parts).max() <= 1
    few, none = drawn_by_class(faces, 1000, 5)
    assert (len(few.images), len(none.images)) == (1000, 1000)
    again, _ = drawn_by_class(faces, 100, 200)
    np.testing.assert_array_equal(again.images, first.images)


@pytest.mark.nightly  # the network itself is above, and what may be lost below
def test_the_command_writes_it_and_says_if_it_is_faster(
    short_run: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_lightning.use.exporting.INT8", Tolerance(0.5, 1, 0.2))  # of 24 faces, one is 4 points
    out = tmp_path / "a.int8.onnx"
    export_main([str(short_run), "--format", "onnx-int8", "--out", str(out)])
    printed = capsys.readouterr().out
    assert "here as float32: " in printed
    assert f"this processor has {int8_instructions()}" in printed
    card = network(out).card
    assert (card.weights, card.arithmetic) == ("int8", "int8")
    assert OnnxNetwork(out).probabilities(np.zeros((3, 1, 48, 48), np.uint8)).shape == (3, 7)


def test_int8_may_lose_half_a_point_and_its_interval_is_shown() -> None:
    lost = Comparison("some", 1000, 0.97, 0.2, (0.7, 0.694), (-0.006, -0.013, 0.001))
    assert lost.problems(INT8) == [
        "accuracy falls from 70.00% to 69.40%, and may fall by 0.5 points (a change of -0.60 points, 95% interval "
        "-1.30 to +0.10)"
    ]
    kept = Comparison("some", 1000, 0.97, 0.2, (0.7, 0.6951), (-0.0049, -0.012, 0.002))
    assert kept.problems(INT8) == []
    assert "(a change of -0.49 points, 95% interval -1.20 to +0.20)" in str(kept)


def test_without_the_runs_faces_there_is_no_int8(short_run: Path, few_faces: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the faces of .* cannot be read"):
        export(short_run, "onnx-int8", tmp_path / "a.onnx", data=tmp_path / "none.csv")
    assert not list(tmp_path.iterdir())


def test_instructions_are_read_from_the_processors_flags(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    for flags, words in (
        ("flags\t\t: fpu avx2 avx512_vnni avx_vnni\n", "AVX-512 VNNI and AVX VNNI"),
        ("flags\t\t: fpu avx2\n", "no int8 dot products (VNNI)"),
        ("Features\t: fp asimd asimddp\n", "dot products (NEON)"),
    ):
        info.write_text(f"model name\t: some\n{flags}", "utf-8")
        assert int8_instructions(info) == words
    assert "not known" in int8_instructions(tmp_path / "none")


def test_calls_are_timed_in_turns() -> None:
    order: list[str] = []
    times = in_turns({name: partial(order.append, name) for name in "ab"}, seconds=0)
    assert order == list("ababab")
    assert [len(each) for each in times.values()] == [2, 2]
