"""Tensors have the datatype that their layer gives before there are layers, whichever step comes first."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.transformation.base import Transformation
from finnmake.transformation.to_hls import (
    InferConcatLayer,
    InferElementwiseBinaryOperation,
    InferFMPadding,
    InferGlobalAccPoolLayer,
    InferQuantizedMatrixVectorActivation,
    InferStreamDataTypes,
)
from tests.support.integer_graphs import IntegerGraph, same_function


def narrow_network() -> ModelWrapper:
    """A product, padding, joins and sums, all of them annotated with what occurs: less than INT4 inputs allow."""
    g = IntegerGraph((1, 2, 2, 4))
    x = g.node("Mul", [g.input, g.constant(np.array([1, 2, -1, 3], dtype=np.float32), "INT3")], (1, 2, 2, 4), "INT5")
    joined = g.node("Concat", [x, g.input], (1, 2, 2, 8), "INT5", axis=3)
    held = g.constant(np.array([0, 1, 0, 0, 0, 1, 0, 0])), g.constant(np.float32(0))
    padded = g.node("Pad", [joined, *held], (1, 4, 2, 8), "INT5")
    total = g.node("ReduceSum", [padded, g.constant(np.array([1, 2]))], (1, 1, 1, 8), "INT6", keepdims=1)
    return g.model(g.node("Add", [total, total], (1, 1, 1, 8), "INT6"))


STEPS: list[Transformation] = [
    InferGlobalAccPoolLayer(),
    InferConcatLayer(),
    InferFMPadding(),
    InferElementwiseBinaryOperation(),
]


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_steps_is_of_no_matter(seed: int) -> None:
    model = narrow_network()
    layers = model.transform(InferStreamDataTypes())
    for index in np.random.default_rng(seed).permutation(len(STEPS)):
        layers = layers.transform(STEPS[index])
    for node in layers.nodes:
        assert is_hardware(node)
        layer = layer_from_node(node)
        for value, stream in zip(node.inputs, layer.input_streams(), strict=False):
            assert value is not None
            assert get_datatype(value) == stream.datatype
    assert same_function(model, layers)


def test_sums_of_a_product_hold_what_its_input_allows() -> None:
    g = IntegerGraph((1, 4))
    x = g.node("MatMul", [g.input, g.constant(np.full((4, 2), 3.0, dtype=np.float32), "INT3")], (1, 2), "INT4")
    layers = g.model(x).transform(InferStreamDataTypes())
    assert get_datatype(layers.graph.outputs[0]).name == "INT8"
    made = layers.transform(InferQuantizedMatrixVectorActivation())
    assert get_datatype(made.graph.outputs[0]).name == "INT8"
