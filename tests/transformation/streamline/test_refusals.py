"""What cannot be made exact is refused, or left in floats, with the node, the reason and what to change."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.streamline.integer_graph import REASON_KEY
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.qonnx_models import GraphBuilder

IMAGE = (1, 4, 6, 6)
SCALES = np.array([0.1, 0.23, 0.37, 0.41]).reshape(1, 4, 1, 1)


def imported(builder: GraphBuilder, output: str, shape: Sequence[int] = IMAGE) -> ModelWrapper:
    return import_model(builder.model(output, shape), input_datatype="INT8", input_scale=1)


def weights(builder: GraphBuilder, *shape: int, scale: Any = 0.5) -> str:
    return builder.quant(builder.constant(np.random.default_rng(0).normal(0, 1, shape)), scale, 3)


def unrelated_scales(builder: GraphBuilder) -> str:
    return builder.node("Add", [builder.quant(builder.input, 0.3, 4), builder.quant(builder.input, 0.7123, 4)])


def falling_and_rising(builder: GraphBuilder) -> str:
    return builder.quant(builder.node("Abs", [builder.node("Conv", [builder.input, weights(builder, 4, 4, 1, 1)])]))


def wide_sums(builder: GraphBuilder) -> str:
    return builder.node("Conv", [builder.input, builder.constant(np.full((4, 4, 1, 1), 123456.0))])


def wide_pooling(builder: GraphBuilder) -> str:
    product = builder.node("Conv", [builder.input, builder.constant(np.full((4, 4, 1, 1), 5000.0))])
    return builder.node("GlobalAveragePool", [product])


@pytest.mark.parametrize(
    ("network", "message", "remedy"),
    [
        (unrelated_scales, r"node Add_0 \(Add\).*scales 0\.3\d* and 0\.7123\d* have nothing to do", "one quantiser"),
        (falling_and_rising, r"node Quant_1 \(Quant\).*Abs.*rises and falls in channel 0", "monotone"),
        (wide_sums, r"node Conv_0 \(Conv\).*accumulator ranges from -\d+ to \d+, beyond 24 bits", "fewer bits"),
        (wide_pooling, r"node GlobalAveragePool_0 .*beyond 24 bits", "smaller windows"),
    ],
)
def test_refused(network: Callable[[GraphBuilder], str], message: str, remedy: str) -> None:
    builder = GraphBuilder(IMAGE)
    output = network(builder)
    shape = (1, 4, 1, 1) if network is wide_pooling else IMAGE
    with pytest.raises(ModelError, match=message) as caught:
        imported(builder, output, shape).transform(Streamline())
    assert remedy in caught.value.remedy


def conv(builder: GraphBuilder, x: str, *shape: int, **attributes: Any) -> str:
    return builder.node("Conv", [x, weights(builder, *shape)], **attributes)


def per_channel(builder: GraphBuilder) -> str:
    return builder.quant(builder.input, SCALES, 4)


LEFT_IN_FLOATS: list[tuple[str, Callable[[GraphBuilder], str], Sequence[int], str]] = [
    (
        "Conv",
        lambda b: conv(b, per_channel(b), 3, 4, 1, 1),
        (1, 3, 6, 6),
        r"one scale per channel \(0\.1, 0\.23, 0\.37, …\)",
    ),
    (
        "Reshape",
        lambda b: b.node("Reshape", [per_channel(b), b.constant(np.array([1, 2, 12, 6]))]),
        (1, 2, 12, 6),
        "differs between channels",
    ),
    (
        "Transpose",
        lambda b: b.node("Transpose", [per_channel(b)], perm=[0, 2, 1, 3]),
        (1, 6, 4, 6),
        "channels whose scales differ",
    ),
    (
        "DepthToSpace",
        lambda b: b.node("DepthToSpace", [per_channel(b)], blocksize=2),
        (1, 1, 12, 12),
        "channels whose scales differ",
    ),
    (
        "Conv",
        lambda b: conv(b, b.node("Sigmoid", [conv(b, b.input, 4, 4, 1, 1)]), 4, 4, 1, 1),
        IMAGE,
        "the activation before it needs a quantiser",
    ),
    (
        "Conv",
        lambda b: b.node("Conv", [b.input, b.constant(np.full((4, 4, 1, 1), 0.3))]),
        IMAGE,
        "weights are not quantised",
    ),
    (
        "Conv",
        lambda b: conv(
            b, b.node("Add", [b.node("Mul", [b.input, b.constant(0.3)]), b.constant(0.1)]), 4, 4, 3, 3, pads=[1] * 4
        ),
        IMAGE,
        r"pads with 0\.0, which is no integer of its input: 0\.3 · integer \+ 0\.1",
    ),
    (
        "AveragePool",
        lambda b: b.node("AveragePool", [b.quant(b.input, 0.5, 4)], kernel_shape=[3, 3], pads=[1] * 4),
        IMAGE,
        "count_include_pad",
    ),
    ("Max", lambda b: b.node("Max", [b.quant(b.input, 0.5, 4), b.quant(b.input, 0.25, 3)]), IMAGE, "two branches"),
    (
        "Resize",
        lambda b: b.node(
            "Resize",
            [b.quant(b.input, 0.5, 4), "", b.constant(np.array([1, 1, 2, 2], dtype=np.float32))],
            mode="linear",
        ),
        (1, 4, 12, 12),
        "interpolates",
    ),
    (
        "MatMul",
        lambda b: b.node("MatMul", [b.quant(b.input, 0.5, 4), weights(b, 6, 5, scale=[[0.5, 0.3, 0.2, 0.1, 0.7]])]),
        (1, 4, 6, 5),
        "rank 4",
    ),
]


@pytest.mark.parametrize(("op_type", "network", "shape", "reason"), LEFT_IN_FLOATS)
def test_left_in_floats_with_the_reason(
    op_type: str, network: Callable[[GraphBuilder], str], shape: Sequence[int], reason: str
) -> None:
    builder = GraphBuilder(IMAGE)
    model = imported(builder, network(builder), shape)
    result = model.transform(Streamline())
    found = [node.metadata_props[REASON_KEY] for node in result.get_nodes_by_op_type(op_type) if node.metadata_props]
    assert len(found) == 1
    assert re.search(reason, found[0]), found


def test_weights_that_are_computed_are_refused() -> None:
    builder = GraphBuilder(IMAGE)
    computed = builder.quant(builder.node("Relu", [builder.input]), 0.5, 3)
    with pytest.raises(ModelError, match=r"not constant"):
        imported(builder, builder.node("Conv", [builder.input, computed]), (1, 1, 1, 1))


def test_scale_that_is_computed_is_refused() -> None:
    # As a user's own script may hand it over, without the import, which refuses it earlier.
    builder = GraphBuilder([1, 4])
    product = builder.node("MatMul", [builder.input, builder.constant(np.eye(4))])
    scale = builder.node("ReduceMax", [builder.input], keepdims=0)
    inputs = [product, scale, builder.constant(0.0), builder.constant(3.0)]
    proto: onnx.ModelProto = builder.model(builder.node("Quant", inputs, "qonnx.custom_op.general"), [1, 4])
    model = ModelWrapper(proto)
    model.set_tensor_datatype(builder.input, DataType["INT4"])
    with pytest.raises(ModelError, match="not constant"):
        model.transform(Streamline())
