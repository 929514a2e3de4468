"""Convolutions and matrix products of scaled integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder
from tests.support.streamlining import integer_ops, streamlined

IMAGE = (1, 4, 6, 5)
RANDOM = np.random.default_rng(0)


def weights(builder: GraphBuilder, *shape: int, scale: Any = 0.5, bits: int = 3) -> str:
    return builder.quant(builder.constant(RANDOM.normal(0, 1, shape)), scale, bits)


def datatype(model: ModelWrapper, op_type: str, index: int) -> str:
    value = model.get_nodes_by_op_type(op_type)[0].inputs[index]
    assert value is not None
    return model.get_tensor_datatype(value).name


def test_bias_and_scale_per_output_go_into_the_thresholds() -> None:
    builder = GraphBuilder(IMAGE)
    scale = np.array([0.5, 0.25, 1.0]).reshape(3, 1, 1, 1)
    bias = builder.quant(builder.constant(np.array([0.3, -0.7, 1.2])), 0.25, 8)
    x = builder.node("Conv", [builder.input, weights(builder, 3, 4, 3, 3, scale=scale), bias], pads=[1, 0, 1, 2])
    result = streamlined(builder, builder.quant(builder.node("Relu", [x]), 2.0, 3, signed=0), [1, 3, 6, 5])
    conv, thresholds = result.nodes[:2]
    assert (conv.op_type, len(conv.inputs), list(attribute(conv, "pads"))) == ("Conv", 2, [1, 0, 1, 2])
    assert result.get_tensor_shape(thresholds.inputs[1]) == [3, 7]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_padding_is_written_out(mode: str) -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.node("Conv", [builder.input, weights(builder, 2, 4, 2, 3)], auto_pad=mode, strides=[2, 1])
    shape = [1, 2, 3, 3] if mode == "VALID" else [1, 2, 3, 5]
    conv = streamlined(builder, builder.quant(x, 1.0, 4), shape).nodes[0]
    assert attribute(conv, "auto_pad") is None
    assert list(attribute(conv, "pads")) == {"SAME_UPPER": [0, 1, 0, 1], "SAME_LOWER": [0, 1, 0, 1]}.get(mode, [0] * 4)


def test_shifted_input_is_padded_with_the_integer_that_stands_for_zero() -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.node("Mul", [builder.node("Sub", [builder.input, builder.constant(20.0)]), builder.constant(0.5)])
    x = builder.node("Conv", [x, weights(builder, 2, 4, 3, 3)], pads=[1, 1, 1, 1])
    result = streamlined(builder, builder.quant(x, 8.0, 5), [1, 2, 6, 5], "UINT4")
    assert integer_ops(result) == ["Pad", "Conv", "MultiThreshold"]
    assert result.get_initializer(str(result.nodes[0].inputs[2].name)) == 20  # type: ignore[union-attr]
    assert datatype(result, "Conv", 0) == "UINT5"


def test_bipolar_input_is_padded_with_a_type_that_has_zero() -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.node("BipolarQuant", [builder.input, builder.constant(0.5)], QONNX_DOMAIN)
    x = builder.node("Conv", [x, weights(builder, 2, 4, 3, 3)], pads=[1, 1, 1, 1])
    result = streamlined(builder, builder.quant(x, 0.5, 4), [1, 2, 6, 5])
    assert integer_ops(result) == ["MultiThreshold", "Pad", "Conv", "MultiThreshold"]
    assert datatype(result, "Conv", 0) == "INT2"


def test_depthwise_convolution_keeps_scales_per_channel_apart() -> None:
    builder = GraphBuilder(IMAGE)
    scales = np.array([0.25, 1.0, 0.5, 2.0]).reshape(1, 4, 1, 1)
    x = builder.quant(builder.input, scales, 3)
    x = builder.node("Conv", [x, weights(builder, 8, 1, 2, 2)], group=4)
    result = streamlined(builder, builder.quant(x, 0.5, 4), [1, 8, 5, 4])
    assert integer_ops(result) == ["MultiThreshold", "Conv", "MultiThreshold"]
    assert attribute(result.nodes[1], "group") == 4


def test_other_groups_become_a_dense_convolution() -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.node("Conv", [builder.input, weights(builder, 6, 2, 2, 2)], group=2)
    result = streamlined(builder, builder.quant(x, 1.0, 4), [1, 6, 5, 4])
    dense = result.get_initializer(str(result.nodes[0].inputs[1].name))  # type: ignore[union-attr]
    assert dense is not None
    assert dense.shape == (6, 4, 2, 2)
    assert not dense[:3, 2:].any()
    assert not dense[3:, :2].any()
    assert attribute(result.nodes[0], "group") == 1


def test_scales_that_are_multiples_of_each_other_go_into_the_weights() -> None:
    builder = GraphBuilder(IMAGE)
    scales = np.array([0.5, 1.0, 0.25, 0.75]).reshape(1, 4, 1, 1)
    x = builder.quant(builder.input, scales, 3)
    x = builder.node("Conv", [x, weights(builder, 2, 4, 1, 1, bits=2)])
    result = streamlined(builder, builder.quant(x, 0.5, 5), [1, 2, 6, 5])
    assert datatype(result, "Conv", 1) == "INT4"  # INT2 times up to 4


def test_range_of_the_weights_counts_where_that_of_the_datatypes_is_too_wide() -> None:
    builder = GraphBuilder([1, 300])
    narrow, wide = np.zeros((300, 2)), np.zeros((300, 2))
    narrow[:, 0], wide[:4, 1] = 1, [-30000, 5, 7, 20000]
    for values, expected in ((narrow, "INT17"), (narrow + wide, "INT24")):
        builder = GraphBuilder([1, 300])
        x = builder.node("MatMul", [builder.input, builder.quant(builder.constant(values), 1.0, 16)])
        result = streamlined(builder, builder.quant(builder.node("Neg", [x]), 1024.0, 6), [1, 2], "INT8")
        assert result.get_tensor_datatype(result.nodes[0].outputs[0]).name == expected


def test_matrix_product_of_more_dimensions() -> None:
    builder = GraphBuilder([1, 3, 5, 4])
    x = builder.node("MatMul", [builder.input, weights(builder, 4, 6)])
    result = streamlined(builder, builder.quant(x, 1.0, 4), [1, 3, 5, 6])
    assert integer_ops(result) == ["MatMul", "MultiThreshold"]


def test_sequence_of_one_dimension() -> None:
    builder = GraphBuilder([1, 3, 9])
    x = builder.node("Conv", [builder.input, weights(builder, 2, 3, 3)], pads=[1, 1], strides=[2])
    assert integer_ops(streamlined(builder, builder.quant(x, 1.0, 4), [1, 2, 5])) == ["Conv", "MultiThreshold"]
