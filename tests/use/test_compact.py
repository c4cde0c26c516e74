"""Weights in fewer bits: a smaller file of the same network, nearly."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fer_lightning.use.card import Weights
from fer_lightning.use.compact import compact, rounded

RNG = np.random.default_rng(0)
KERNELS = RNG.normal(size=(64, 32, 3, 3)).astype(np.float32)
COLUMNS = RNG.normal(size=(64, 300)).astype(np.float32)  # (in, out)
ROWS = (RNG.normal(size=(70, 300)) * np.logspace(-3, 3, 70)[:, None]).astype(np.float32)  # (out, in)


def three_layers() -> onnx.ModelProto:
    """A convolution, a product with columns and one with rows, whose outputs differ in size by a million."""
    nodes = [
        helper.make_node("Conv", ["x", "kernels"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "columns"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "rows"], ["y"], transB=1),
    ]
    weights = {"kernels": KERNELS, "columns": COLUMNS, "rows": ROWS}
    graph = helper.make_graph(
        nodes,
        "three layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 32, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 70])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answer(model: onnx.ModelProto) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(1).normal(size=(64, 32, 8, 8)).astype(np.float32)
    return np.asarray(session.run(None, {"x": images})[0])


@pytest.mark.parametrize(
    ("weights", "share", "error"), [("float32", 1, 0), ("float16", 0.51, 1e-3), ("int8", 0.27, 3e-2)]
)
def test_a_smaller_file_answers_nearly_the_same(weights: Weights, share: float, error: float) -> None:
    model = three_layers()
    compact(model, weights)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.SerializeToString()) <= share * len(three_layers().SerializeToString())
    exact = answer(three_layers())  # each output counts, whether it is small or large
    wrong = np.linalg.norm(answer(model) - exact, axis=0) / np.linalg.norm(exact, axis=0)
    assert wrong.max() <= error


def test_small_layers_keep_sixteen_bits() -> None:
    model = three_layers()
    small = numpy_helper.from_array(RNG.normal(size=(7, 300)).astype(np.float32), "rows")
    (old,) = [initializer for initializer in model.graph.initializer if initializer.name == "rows"]
    old.CopyFrom(small)
    compact(model, "int8")
    kinds = {initializer.name: initializer.data_type for initializer in model.graph.initializer}
    assert kinds["rows.half"] == TensorProto.FLOAT16
    assert kinds["kernels.whole"] == kinds["columns.whole"] == TensorProto.INT8


def test_int8_weights_are_within_half_a_step_of_what_they_were() -> None:
    values = KERNELS.copy()
    values[4] = 0
    for axis in (0, -1):
        whole, scale = rounded(values, axis)
        assert (np.abs(whole * scale - values) <= scale * 0.5001).all()
        assert scale.size == values.shape[axis]
