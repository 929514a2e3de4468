"""Layouts of every tensor, from op types, attributes and operands."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.graph.data_layout import NC, NCHW, NCW, NHWC, NWC, UNKNOWN, Layout
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation import InferDataLayouts, LowerConvsToMatMul, LowerToChannelsLast
from tests.support.integer_graphs import IntegerGraph, same_function


def layouts(model: ModelWrapper) -> list[Layout | None]:
    return [model.get_tensor_layout(node.outputs[0]) for node in model.nodes]


def network() -> ModelWrapper:
    g = IntegerGraph((1, 3, 8, 8))
    x = g.threshold(g.conv(g.threshold(g.input), 4, (3, 3)))
    x = g.concat([g.max_pool(x), g.max_pool(x)])
    return g.model(g.matmul(g.sum(x, keepdims=0), 3))


def test_channels_first() -> None:
    model = network()
    result = model.transform(InferDataLayouts())
    assert result.get_tensor_layout("global_in") == NCHW
    assert layouts(result) == [NCHW] * 6 + [NC] * 2
    assert same_function(model, result)


def test_lowered_networks() -> None:
    single = network().transform(LowerConvsToMatMul()).transform(InferDataLayouts())
    assert layouts(single)[1:5] == [NHWC, NHWC, NHWC, NCHW]
    at_once = network().transform(LowerToChannelsLast())
    before = layouts(at_once)
    after = layouts(at_once.transform(InferDataLayouts()))
    assert after[:-2] == before[:-2] == [NHWC] * (len(after) - 2)
    assert after[-2:] == [NC, NC]


@pytest.mark.parametrize(("shape", "layout"), [((1, 4), NC), ((1, 4, 5), NWC), ((1, 4, 5, 6), NCHW), ((1,), UNKNOWN)])
def test_inputs(shape: tuple[int, ...], layout: Layout) -> None:
    g = IntegerGraph(shape)
    result = g.model(g.node("Relu", [g.input], shape, "UINT3")).transform(InferDataLayouts())
    assert result.get_tensor_layout("global_in") == layout
    assert layouts(result) == [layout]


def test_an_annotated_input_keeps_its_layout_and_reductions_drop_dimensions() -> None:
    g = IntegerGraph((1, 4, 5, 6))
    model = g.model(g.node("ReduceSum", [g.input, g.constant(np.array([1]))], (1, 5, 6), "INT8", keepdims=0))
    assert layouts(model.transform(InferDataLayouts())) == [("N", "H", "W")]
    model.set_tensor_layout("global_in", NHWC)
    assert layouts(model.transform(InferDataLayouts())) == [NWC]


def test_sequences() -> None:
    g = IntegerGraph((1, 4, 9))
    result = g.model(g.threshold(g.conv(g.input, 4, (3,)))).transform(InferDataLayouts())
    assert [result.get_tensor_layout("global_in"), *layouts(result)] == [NCW] * 3
