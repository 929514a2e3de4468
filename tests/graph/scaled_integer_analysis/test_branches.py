"""Branches that meet: their integers are made to be worth the same."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from tests.support.qonnx_models import GraphBuilder
from tests.support.streamlining import integer_ops, streamlined

IMAGE = (1, 2, 3, 4)


def factors(model: ModelWrapper) -> list[list[float]]:
    return [
        np.ravel(model.get_initializer(str(node.inputs[1].name))).tolist()  # type: ignore[union-attr, arg-type]
        for node in model.get_nodes_by_op_type("Mul")
        if get_datatype(node.outputs[0]).is_integer()
    ]


@pytest.mark.parametrize(
    ("op_type", "scales", "expected"),
    [
        ("Add", (0.5, 0.5), []),
        ("Add", (0.5, 2.0), [[4]]),
        ("Add", (0.75, 0.5), [[3], [2]]),
        ("Sub", (0.5, 0.5), [[-1]]),
        ("Sub", (0.5, 1.0), [[-2]]),
    ],
)
def test_sum_of_two_branches(op_type: str, scales: tuple[float, float], expected: list[list[float]]) -> None:
    builder = GraphBuilder(IMAGE)
    branches = [builder.quant(builder.input, scale, bits) for scale, bits in zip(scales, (3, 4), strict=True)]
    x = builder.node(op_type, branches)
    result = streamlined(builder, builder.quant(builder.node("Relu", [x]), 0.5, 3, signed=0), IMAGE, "INT5")
    assert factors(result) == expected
    assert integer_ops(result)[-2:] == ["Add", "MultiThreshold"]


def test_scales_per_channel_have_factors_per_channel() -> None:
    builder = GraphBuilder(IMAGE)
    first = builder.quant(builder.input, np.array([0.5, 1.0]).reshape(1, 2, 1, 1), 3)
    second = builder.quant(builder.input, np.array([0.5, 2.0]).reshape(1, 2, 1, 1), 3)
    result = streamlined(builder, builder.quant(builder.node("Add", [first, second]), 1.0, 4), IMAGE, "INT5")
    assert factors(result) == [[1, 2]]


def test_quantiser_with_several_users_is_one_node() -> None:
    builder = GraphBuilder(IMAGE)
    weights = builder.quant(builder.constant(np.array([[1.0, 2], [-1, 1]]).reshape(2, 2, 1, 1)), 1.0, 3)
    shared = builder.quant(builder.node("Relu", [builder.node("Conv", [builder.input, weights])]), 1.0, 3, signed=0)
    branch = builder.quant(builder.node("Conv", [shared, weights]), 1.0, 3)
    x = builder.node("Add", [shared, branch])
    result = streamlined(builder, builder.quant(x, 2.0, 3), IMAGE)
    assert integer_ops(result) == ["Conv", "MultiThreshold", "Conv", "MultiThreshold", "Add", "MultiThreshold"]


def test_relu_without_quantiser_gives_integers_where_its_input_has_few() -> None:
    builder = GraphBuilder(IMAGE)
    signed = builder.quant(builder.input, 0.5, 4)
    positive = builder.node("Relu", [signed])
    weights = builder.quant(builder.constant(np.array([[1.0, 2], [-1, 1]]).reshape(2, 2, 1, 1)), 1.0, 3)
    branch = builder.quant(builder.node("Conv", [positive, weights]), 0.5, 4)
    result = streamlined(builder, builder.quant(builder.node("Add", [positive, branch]), 1.0, 4), IMAGE)
    # The ReLU is the quantiser's only user: one node for both.
    assert integer_ops(result) == ["MultiThreshold", "Conv", "MultiThreshold", "Add", "MultiThreshold"]


def test_channels_that_are_joined_keep_their_scales() -> None:
    builder = GraphBuilder(IMAGE)
    branches = [builder.quant(builder.input, 0.3, 3), builder.quant(builder.input, 0.7, 4, signed=0)]
    x = builder.node("Concat", branches, axis=1)
    result = streamlined(builder, builder.quant(builder.node("Relu", [x]), 0.9, 4), [1, 4, 3, 4])
    assert integer_ops(result) == ["MultiThreshold", "MultiThreshold", "Concat", "MultiThreshold"]
    assert result.get_tensor_datatype("Concat_0_out0").name == "INT5"


def test_rows_that_are_joined_are_worth_the_same() -> None:
    builder = GraphBuilder(IMAGE)
    branches = [builder.quant(builder.input, 0.5, 3), builder.quant(builder.input, 1.0, 3)]
    x = builder.node("Concat", branches, axis=2)
    result = streamlined(builder, builder.quant(x, 0.5, 4), [1, 2, 6, 4])
    assert factors(result) == [[2]]
