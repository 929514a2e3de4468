"""Every convolution lowered by itself: same function, qonnx' attributes and order of the matrix."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.annotations import get_annotation
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation import LowerConvsToMatMul
from tests.support.integer_graphs import IntegerGraph, same_function
from tests.support.windows import Geometry, geometries


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.nodes]


@settings(max_examples=40, deadline=None)
@given(geometry=geometries(), kind=st.sampled_from(["dense", "depthwise", "grouped", "wide"]))
def test_any_convolution(geometry: Geometry, kind: str) -> None:
    channels = 2 * geometry.channels if kind == "grouped" else geometry.channels
    g = IntegerGraph((1, channels, geometry.height, geometry.width))
    group = {"dense": 1, "depthwise": channels, "grouped": 2, "wide": channels}[kind]
    filters = {"dense": 3, "depthwise": channels, "grouped": 4, "wide": 3 * channels}[kind]
    x = g.conv(
        g.input,
        filters,
        geometry.kernel,
        group,
        strides=list(geometry.strides),
        pads=list(geometry.pads),
        dilations=list(geometry.dilations),
    )
    model = g.model(x)
    result = model.transform(LowerConvsToMatMul())
    assert "Conv" not in op_types(result)
    assert same_function(model, result)


def test_the_nodes_of_a_depthwise_convolution() -> None:
    g = IntegerGraph((1, 3, 6, 5))
    result = g.model(g.conv(g.input, 3, (3, 2), 3, pads=[1, 0, 0, 1])).transform(LowerConvsToMatMul())
    assert op_types(result) == ["Transpose", "Im2Col", "MatMul", "Transpose"]
    node = result.nodes[1]
    assert list(attribute(node, "pad_amount")) == [1, 0, 0, 1]
    assert (attribute(node, "depthwise"), attribute(node, "input_shape")) == (1, "(1,6,5,3)")
    assert get_annotation(result.value("MatMul_0_param0"), "tensor_sparsity") == "{'dw': {'kernel_shape': [3, 2]}}"
    assert result.get_tensor_shape("MatMul_0_param0") == [18, 3]


def test_pointwise_needs_no_windows_and_a_bias_becomes_an_add() -> None:
    g = IntegerGraph((1, 3, 6, 5))
    weights, bias = g.constant(g.integers((4, 3, 1, 1)), "INT3"), g.constant(g.integers((4,)), "INT3")
    model = g.model(g.node("Conv", [g.input, weights, bias], (1, 4, 6, 5), "INT16"))
    result = model.transform(LowerConvsToMatMul())
    assert op_types(result) == ["Transpose", "MatMul", "Transpose", "Add"]
    assert same_function(model, result)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_automatic_padding(auto_pad: str) -> None:
    g = IntegerGraph((1, 2, 7, 6))
    held = g.constant(g.integers((4, 2, 3, 2)), "INT3")
    shape = (1, 4, 3, 3) if auto_pad == "VALID" else (1, 4, 4, 3)
    model = g.model(g.node("Conv", [g.input, held], shape, "INT16", auto_pad=auto_pad, strides=[2, 2]))
    assert same_function(model, model.transform(LowerConvsToMatMul()))


def test_what_is_no_image_stays() -> None:
    g = IntegerGraph((1, 2, 7))
    model = g.model(g.conv(g.input, 3, (3,)))
    assert op_types(model.transform(LowerConvsToMatMul())) == ["Conv"]
    h = IntegerGraph((1, 2, 7, 7))
    weights = h.node("Neg", [h.constant(h.integers((4, 2, 3, 3)), "INT3")], (4, 2, 3, 3), "INT4")
    model = h.model(h.node("Conv", [h.input, weights], (1, 4, 5, 5), "INT16"))
    assert op_types(model.transform(LowerConvsToMatMul())) == ["Neg", "Conv"]
