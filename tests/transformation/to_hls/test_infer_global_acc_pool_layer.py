"""Sums over the outer dimensions of a frame become GlobalAccPool, others windows and Pool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.to_hls import InferGlobalAccPoolLayer
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph, same_function


def sum_over(shape: tuple[int, ...], axes: list[int], keepdims: int = 1, datatype: str = "INT4") -> ModelWrapper:
    g = IntegerGraph(shape, datatype)
    summed = {axis % len(shape) for axis in axes}
    after = [1 if axis in summed else size for axis, size in enumerate(shape) if keepdims or axis not in summed]
    held = g.constant(np.array(axes))
    return g.model(g.node("ReduceSum", [g.input, held], after, "INT16", keepdims=keepdims))


@pytest.mark.parametrize(
    ("shape", "axes", "vectors", "channels"),
    [
        ((1, 3, 4, 5), [1, 2], 12, 5),
        ((1, 3, 4, 5), [-2, -3], 12, 5),
        ((1, 3, 4, 5), [1], 3, 20),
        ((1, 2, 7, 1), [1], 2, 7),
        ((1, 1, 4, 5), [2], 4, 5),
        ((1, 3, 4, 5), [1, 2, 3], 60, 1),
        ((1, 3, 1, 5), [1], 3, 5),
        ((1, 6), [1], 6, 1),
        ((1, 3, 4, 1), [3], 1, 12),
    ],
)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_sums_over_outer_dimensions(
    shape: tuple[int, ...], axes: list[int], vectors: int, channels: int, keepdims: int
) -> None:
    model = sum_over(shape, axes, keepdims)
    layers = model.transform(InferGlobalAccPoolLayer())
    (node,) = layers.nodes
    assert (node.op_type, attribute(node, "numInputVectors"), attribute(node, "NumChannels")) == (
        *("GlobalAccPool", vectors),
        channels,
    )
    assert same_function(model, layers)


@pytest.mark.parametrize(
    ("shape", "axes", "datatype"),
    [
        ((1, 3, 4, 5), [1, 3], "INT4"),
        ((1, 3, 4, 5), [0, 1], "INT4"),
        ((1, 3, 4, 5), [1, 2], "FLOAT32"),
    ],
)
def test_other_sums_stay(shape: tuple[int, ...], axes: list[int], datatype: str) -> None:
    model = sum_over(shape, axes, datatype=datatype).transform(InferGlobalAccPoolLayer())
    assert op_types(model) == ["ReduceSum"]
    assert len(refusals(model)) == (datatype != "FLOAT32")


@pytest.mark.parametrize(
    ("axes", "kernel", "windows"), [([2], "1,4", "3,1"), ([3], "1,5", "12,1"), ([2, 3], "1,20", "3,1")]
)
def test_sums_over_inner_dimensions_are_windows(axes: list[int], kernel: str, windows: str) -> None:
    layers = inferred(sum_over((1, 3, 4, 5), axes), InferGlobalAccPoolLayer())
    assert op_types(layers) == ["ConvolutionInputGenerator", "Pool"]
    assert [attribute(layers.nodes[1], name) for name in ("KernelSize", "OutImgDims")] == [kernel, windows]


def test_signs_are_converted_first() -> None:
    layers = inferred(sum_over((1, 3, 4, 5), [1, 2], datatype="BIPOLAR"), InferGlobalAccPoolLayer())
    assert op_types(layers) == ["ElementwiseMul", "GlobalAccPool"]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    axes=st.sets(st.integers(1, 3), min_size=1),
    datatype=st.sampled_from(["INT2", "UINT8", "BINARY", "TERNARY"]),
)
def test_a_sum_is_the_same_wherever_it_becomes_a_layer(shape: list[int], axes: set[int], datatype: str) -> None:
    model = sum_over((1, *shape), sorted(axis for axis in axes if axis <= len(shape)) or [1], datatype=datatype)
    assert same_function(model, model.transform(InferGlobalAccPoolLayer()))
