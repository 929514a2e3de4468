"""Sums, differences and products of streams, and of streams and constants, whatever is broadcast."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.host import OUTPUT_KEY
from finnmake.transformation.to_hls import (
    CreateDataflowPartition,
    InferAddStreamsLayer,
    InferElementwiseBinaryOperation,
    InferGlobalAccPoolLayer,
    InferStreamingEltwise,
)
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph

OPERATIONS = ("Add", "Sub", "Mul")


def with_constant(op_type: str, shape: tuple[int, ...], array: Any, first: bool, datatype: str) -> ModelWrapper:
    g = IntegerGraph(shape, datatype)
    held = g.constant(np.asarray(array, dtype=np.float32), "INT4")
    result = np.broadcast_shapes(shape, np.shape(array))
    return g.model(g.node(op_type, [held, g.input] if first else [g.input, held], result, "INT16"))


@settings(max_examples=40, deadline=None)
@given(
    op_type=st.sampled_from(OPERATIONS),
    sizes=st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), min_size=1, max_size=3),
    skipped=st.integers(0, 3),
    first=st.booleans(),
    datatype=st.sampled_from(["INT4", "UINT3", "BIPOLAR", "TERNARY"]),
)
def test_a_constant_is_broadcast(
    op_type: str, sizes: list[tuple[int, bool, bool]], skipped: int, first: bool, datatype: str
) -> None:
    shape = (1, *(1 if small else size for size, small, _ in sizes))
    held = (1, *(1 if small else size for size, _, small in sizes))[min(skipped, len(sizes)) :]
    array = np.random.default_rng(len(held)).integers(-8, 8, held)
    layers = inferred(with_constant(op_type, shape, array, first, datatype), InferElementwiseBinaryOperation())
    assert set(op_types(layers)) <= {f"Elementwise{name}" for name in OPERATIONS} | {"UpsampleNearestNeighbour"}
    wanted = ["ElementwiseMul", "ElementwiseAdd"] if first and op_type == "Sub" else [f"Elementwise{op_type}"]
    assert [name for name in op_types(layers) if name != "UpsampleNearestNeighbour"] == wanted


def test_a_constant_for_each_channel_is_held_once() -> None:
    model = with_constant("Mul", (1, 4, 5, 3), [1, 2, 3], False, "INT4")
    (node,) = inferred(model, InferElementwiseBinaryOperation()).nodes
    assert (attribute(node, "NumChannels"), attribute(node, "numInputVectors")) == (3, 20)


def of_streams(op_type: str, shape: tuple[int, ...], keep: tuple[bool, ...], swapped: bool) -> ModelWrapper:
    """A frame, and one of which the dimensions that are not kept are the first element only."""
    g = IntegerGraph(shape)
    small = tuple(size if kept else 1 for size, kept in zip(shape, (True, *keep), strict=True))
    axes = np.arange(1, len(shape))
    limits = [g.constant(axes * 0), g.constant(np.array(small[1:])), g.constant(axes)]
    part = g.node("Slice", [g.input, *limits], small, "INT4")
    return g.model(g.node(op_type, [part, g.input] if swapped else [g.input, part], shape, "INT9"))


@settings(max_examples=30, deadline=None)
@given(
    op_type=st.sampled_from(OPERATIONS),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    keep=st.lists(st.booleans(), min_size=3, max_size=3),
    swapped=st.booleans(),
)
def test_a_stream_is_broadcast(op_type: str, shape: list[int], keep: list[bool], swapped: bool) -> None:
    model = of_streams(op_type, (1, *shape), tuple(keep[: len(shape)]), swapped)
    layers = inferred(model, InferElementwiseBinaryOperation())
    larger = any(size > 1 and not kept for size, kept in zip(shape, keep, strict=False))
    repeats = ["UpsampleNearestNeighbour"] if larger else []
    assert [name for name in op_types(layers) if name != "Slice"] == [*repeats, f"Elementwise{op_type}"]


def test_squeeze_and_excite_is_layers_only() -> None:
    g = IntegerGraph((1, 3, 3, 4), "UINT2")
    total = g.node("ReduceSum", [g.input, g.constant(np.array([1, 2]))], (1, 1, 1, 4), "UINT8", keepdims=1)
    model = g.model(g.node("Mul", [g.input, total], (1, 3, 3, 4), "UINT8"))
    layers = inferred(model, InferGlobalAccPoolLayer(), InferElementwiseBinaryOperation(), CreateDataflowPartition())
    assert op_types(layers) == ["DuplicateStreams", "GlobalAccPool", "UpsampleNearestNeighbour", "ElementwiseMul"]


def test_finns_other_names() -> None:
    model = of_streams("Sub", (1, 4), (True,), swapped=False)
    assert "ElementwiseSub" in op_types(inferred(model, InferAddStreamsLayer(), InferStreamingEltwise()))
    model = with_constant("Sub", (1, 4), 3, False, "INT4")
    assert op_types(inferred(model, InferStreamingEltwise())) == ["Sub"]


def test_the_scale_behind_the_last_layer_stays_for_the_host() -> None:
    g = IntegerGraph((1, 4))
    doubled = g.node("Mul", [g.input, g.constant(2.0, "UINT2")], (1, 4), "INT6")
    model = g.model(g.node("Mul", [doubled, g.constant(4.0)], (1, 4), "FLOAT32"))
    layers = inferred(model, InferElementwiseBinaryOperation())
    assert op_types(layers) == ["ElementwiseMul", "Mul"]
    assert json.loads(layers.transform(CreateDataflowPartition()).get_metadata_prop(OUTPUT_KEY) or "")["scale"] == 4.0


@pytest.mark.parametrize(
    ("datatype", "number", "reason"),
    [
        ("INT4", 0.5, "its constant is not whole numbers"),
        ("INT32", 2, "its input is INT32"),
        ("INT31", 2.0**40, "too wide"),
    ],
)
def test_refusals_say_why(datatype: str, number: float, reason: str) -> None:
    layers = with_constant("Mul", (1, 4), number, False, datatype).transform(InferElementwiseBinaryOperation())
    assert op_types(layers) == ["Mul"]
    assert reason in refusals(layers)[0]
