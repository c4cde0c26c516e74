"""An ONNX file as an exported network is one, whose answer is known: the brighter a face is, the happier."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fer_lightning.use.card import Card
from tests.use.answers import CLASSES


def write_network(file: Path, names: tuple[str, ...] = CLASSES, size: int = 24, unsure_below: float = 0.0) -> Path:
    """Writes a network of 8 · mean/255 for "happy", 4 for "sad", and 0 for all others, through a softmax."""
    card = Card("brightness", names, size, 1, unsure_below=unsure_below, sha256="ab" * 32)
    weights = np.array([[8.0 / 255 if name == "happy" else 0 for name in names]], np.float32)
    bias = np.array([4.0 if name == "sad" else 0 for name in names], np.float32)
    nodes = [
        helper.make_node("Cast", ["faces"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = {"axes": np.array([2, 3]), "weights": weights, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 1, size, size])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(names)])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, card.metadata())
    onnx.save(model, file)
    return file


def write_endless_network(file: Path) -> Path:
    """Writes a network whose loop has no end, as somebody may who tampers with one."""
    names, size = CLASSES, 24
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["again"]), helper.make_node("Identity", ["logits"], ["same"])],
        "turn",
        [value("turn", TensorProto.INT64, []), value("go_on", TensorProto.BOOL, []), value("logits", 1, None)],
        [value("again", TensorProto.BOOL, []), value("same", 1, None)],
    )
    nodes = [
        helper.make_node("Cast", ["faces"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Loop", ["", "true", "logits"], ["never"], body=body),
        helper.make_node("Softmax", ["never"], ["probabilities"], axis=1),
    ]
    constants = {
        "axes": np.array([2, 3]),
        "weights": np.zeros((1, len(names)), np.float32),
        "true": np.array(True),
    }
    graph = helper.make_graph(
        nodes,
        "endless",
        [value("faces", TensorProto.UINT8, ["N", 1, size, size])],
        [value("probabilities", TensorProto.FLOAT, ["N", len(names)])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, Card("endless", names, size, 1, sha256="cd" * 32).metadata())
    onnx.save(model, file)
    return file
