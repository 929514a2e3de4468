"""Moves of integers, and MaxPool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from finnmake.frontend import import_model
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.qonnx_models import GraphBuilder
from tests.support.streamlining import integer_ops, streamlined

IMAGE = (1, 4, 4, 6)
SCALES = np.array([0.25, 1.0, 0.5, 2.0]).reshape(1, 4, 1, 1)
BIASES = np.array([0.5, 0.0, -0.25, 1.0]).reshape(1, 4, 1, 1)

Network = Callable[[GraphBuilder, str], str]


def index(builder: GraphBuilder, *numbers: int) -> str:
    return builder.constant(np.array(numbers, dtype=np.int64))


MOVES: list[tuple[str, Network, Sequence[int], bool]] = [
    ("Reshape", lambda b, x: b.node("Reshape", [x, index(b, 1, 96)]), (1, 96), True),
    ("Reshape", lambda b, x: b.node("Reshape", [x, index(b, 1, 2, 12, 4)]), (1, 2, 12, 4), False),
    ("Transpose", lambda b, x: b.node("Transpose", [x], perm=[0, 1, 3, 2]), (1, 4, 6, 4), True),
    ("Transpose", lambda b, x: b.node("Transpose", [x], perm=[0, 3, 1, 2]), (1, 6, 4, 4), False),
    (
        "Slice",
        lambda b, x: b.node("Slice", [x, index(b, 1), index(b, 4), index(b, 1), index(b, 2)]),
        (1, 2, 4, 6),
        True,
    ),
    (
        "Slice",
        lambda b, x: b.node("Slice", [x, index(b, 3), index(b, -9), index(b, 1), index(b, -1)]),
        (1, 4, 4, 6),
        True,
    ),
    ("DepthToSpace", lambda b, x: b.node("DepthToSpace", [x], blocksize=2, mode="DCR"), (1, 1, 8, 12), False),
    ("SpaceToDepth", lambda b, x: b.node("SpaceToDepth", [x], blocksize=2), (1, 16, 2, 3), False),
    (
        "Resize",
        lambda b, x: b.node("Resize", [x, "", b.constant(np.array([1, 1, 2, 3], dtype=np.float32))], mode="nearest"),
        (1, 4, 8, 18),
        True,
    ),
    ("Pad", lambda b, x: b.node("Pad", [x, index(b, 0, 0, 1, 0, 0, 0, 0, 2)], mode="reflect"), (1, 4, 5, 8), True),
    ("Pad", lambda b, x: b.node("Pad", [x, index(b, 0, 0, 1, 0, 0, 0, 0, 2), b.constant(4.5)]), (1, 4, 5, 8), False),
    ("MaxPool", lambda b, x: b.node("MaxPool", [x], kernel_shape=[3, 2], pads=[1, 0, 1, 0]), (1, 4, 4, 5), True),
    ("GlobalMaxPool", lambda b, x: b.node("GlobalMaxPool", [x]), (1, 4, 1, 1), True),
]


@pytest.mark.parametrize(
    ("op_type", "move", "shape", "per_channel"),
    [(*move[:3], flag) for move in MOVES for flag in ((False, True) if move[3] else (False,))],
)
def test_integers_are_moved(op_type: str, move: Network, shape: Sequence[int], per_channel: bool) -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.quant(builder.input, SCALES if per_channel else 0.5, 3)
    x = builder.node("Relu", [builder.node("Add", [x, builder.constant(BIASES if per_channel else 0.5)])])
    result = streamlined(builder, builder.quant(move(builder, x), 0.5, 3), shape)
    assert integer_ops(result) == ["MultiThreshold", op_type, "MultiThreshold"]


def test_parts_of_a_split() -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.quant(builder.input, SCALES, 3)
    x = builder.node("Split", [x, index(builder, 1, 3)], axis=1)
    first = f"{x}_first"
    proto = builder.model(x, [1, 3, 4, 6])
    split = next(node for node in proto.graph.node if node.op_type == "Split")
    split.output[:] = [first, x]
    model = import_model(proto, input_datatype="INT4", input_scale=1)
    result = model.transform(Streamline())
    assert integer_ops(result) == ["MultiThreshold", "Split"]
    values = np.random.default_rng(0).integers(-8, 8, (3, *IMAGE[1:]))
    expected = execute_onnx(model, {"global_in": values})["global_out"]
    assert np.array_equal(execute_onnx(result, {"global_in": values})["global_out"], expected)


def test_max_pool_of_sums_whose_function_falls_in_some_channels() -> None:
    builder = GraphBuilder(IMAGE)
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 1, (3, 4, 1, 1))), 0.5, 3)
    x = builder.node("Conv", [builder.input, weights])
    x = builder.batch_norm(x, [1.5, -0.7, 0.4], [0.1, 0.2, 0.3], [0.0, 1.0, 2.0], [1.0, 2.0, 0.5])
    x = builder.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    result = streamlined(builder, builder.quant(builder.node("Relu", [x]), 0.5, 3, signed=0), [1, 3, 2, 3])
    assert integer_ops(result) == ["Conv", "Mul", "MaxPool", "MultiThreshold"]


def test_shapes_there_and_back_leave_nothing() -> None:
    builder = GraphBuilder([1, 4])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 1, (4, 3))), 0.5, 3)
    x = builder.node("Unsqueeze", [builder.node("MatMul", [builder.input, weights]), index(builder, 2)])
    x = builder.batch_norm(x, [1.5, -0.7, 0.4], [0.1, 0.2, 0.3], [0.0, 1.0, 2.0], [1.0, 2.0, 0.5])
    x = builder.node("Squeeze", [x, index(builder, 2)])
    assert integer_ops(streamlined(builder, builder.quant(x, 0.5, 4), [1, 3])) == ["MatMul", "MultiThreshold"]
