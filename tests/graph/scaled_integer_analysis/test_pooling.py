"""Averages are sums of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finnmake.graph.custom_op import attribute
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder
from tests.support.streamlining import integer_ops, streamlined

IMAGE = (1, 3, 4, 8)


@pytest.mark.parametrize(
    ("op_type", "attributes", "shape"),
    [
        ("GlobalAveragePool", {}, [1, 3, 1, 1]),
        ("AveragePool", {"kernel_shape": [4, 8]}, [1, 3, 1, 1]),
        ("ReduceMean", {"axes": [2, 3], "keepdims": 1}, [1, 3, 1, 1]),
        ("ReduceMean", {"axes": [-2], "keepdims": 0}, [1, 3, 8]),
    ],
)
def test_whole_axes(op_type: str, attributes: dict[str, Any], shape: list[int]) -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.quant(builder.input, np.array([0.5, 1.0, 2.0]).reshape(1, 3, 1, 1), 3)
    x = builder.node(op_type, [x], **attributes)
    result = streamlined(builder, builder.quant(x, 0.25, 4), shape)
    assert integer_ops(result) == ["MultiThreshold", "ReduceSum", "MultiThreshold"]


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_windows_are_a_depthwise_convolution_of_ones(pads: list[int]) -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.quant(builder.input, 0.5, 3, signed=0)
    x = builder.node("AveragePool", [x], kernel_shape=[2, 2], strides=[1, 2], pads=pads, count_include_pad=1)
    shape = [1, 3, 5, 5] if any(pads) else [1, 3, 3, 4]
    result = streamlined(builder, builder.quant(x, 0.25, 4), shape)
    assert integer_ops(result) == ["MultiThreshold", "Conv", "MultiThreshold"]
    weights = result.nodes[1].inputs[1]
    assert weights is not None
    assert (attribute(result.nodes[1], "group"), result.get_tensor_datatype(weights).name) == (3, "BINARY")


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
def test_trunc_of_six_inputs(mode: str) -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.quant(builder.input, 0.5, 4, signed=0)
    x = builder.node("AveragePool", [x], kernel_shape=[4, 4], strides=[4, 4])
    parameters = [builder.constant(np.float32(number)) for number in (0.5 / 16, 0.0, 8.0, 0.5 / 4, 6.0)]
    x = builder.node("Trunc", [x, *parameters], QONNX_DOMAIN, rounding_mode=mode, signed=0, narrow=0)
    result = streamlined(builder, x, [1, 3, 1, 2], "UINT4")
    assert integer_ops(result) == ["MultiThreshold", "Conv", "MultiThreshold"]
    assert result.get_tensor_datatype("MultiThreshold_1_out0").name == "UINT6"


def test_trunc_of_five_inputs_has_the_range_of_its_input() -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.quant(builder.input, 0.5, 4, signed=0)
    x = builder.node("Mul", [builder.node("GlobalAveragePool", [x]), builder.constant(32.0)])
    parameters = [builder.constant(np.float32(number)) for number in (0.5, 0.0, 9.0, 4.0)]
    x = builder.node("Trunc", [x, *parameters], QONNX_DOMAIN, rounding_mode="FLOOR")
    result = streamlined(builder, x, [1, 3, 1, 1], "UINT4")
    assert integer_ops(result) == ["MultiThreshold", "ReduceSum", "MultiThreshold"]
    assert result.get_tensor_datatype("MultiThreshold_1_out0").name == "UINT4"  # 15 · 32 / 2^5
