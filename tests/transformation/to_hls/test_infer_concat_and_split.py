"""Streams are joined and split along any dimension but the batch, whatever their datatypes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.to_hls import InferConcatLayer, InferCrop, InferSplitLayer, InferThresholdingLayer
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph


def quantised(g: IntegerGraph, x: str, bits: int) -> str:
    """A threshold for each channel of the innermost dimension, or one for all."""
    thresholds = np.sort(g.random.integers(-8, 8, (1, (1 << bits) - 1)), axis=1).astype(np.float32)
    name = f"UINT{bits}"
    return g.node(
        "MultiThreshold",
        [x, g.constant(thresholds, "INT4")],
        g.shape(x),
        name,
        "qonnx.custom_op.general",
        out_dtype=name,
    )


def split(g: IntegerGraph, x: str, sizes: list[int], axis: int, used: list[bool]) -> ModelWrapper:
    names = g.nodes(
        "Split", [x, g.constant(np.array(sizes))], [size_at(g, x, axis, n) for n in sizes], "INT4", axis=axis
    )
    return g.model(*(name for name, wanted in zip(names, used, strict=True) if wanted))


def size_at(g: IntegerGraph, x: str, axis: int, size: int) -> list[int]:
    return [size if place == axis else other for place, other in enumerate(g.shape(x))]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    bits=st.lists(st.integers(1, 3), min_size=2, max_size=4),
    axis=st.integers(1, 3),
)
def test_joined_along_any_dimension(shape: list[int], bits: list[int], axis: int) -> None:
    axis = min(axis, len(shape))
    g = IntegerGraph((1, *shape))
    parts = [quantised(g, g.input, wide) for wide in bits]
    model = g.model(g.concat([*parts, parts[0]], axis=axis))
    layers = inferred(model, InferConcatLayer(), InferThresholdingLayer())
    join = layers.get_nodes_by_op_type("StreamingConcat")[0]
    assert DataType[attribute(join, "inputDataType")].bitwidth() == max(bits)
    narrow = [wide for wide in [*bits, bits[0]] if wide < max(bits)]
    assert op_types(layers).count("ElementwiseMul") == len(narrow)


def test_signed_and_unsigned_streams_are_joined_in_a_type_that_holds_both() -> None:
    g = IntegerGraph((1, 2, 3), "INT4")
    layers = inferred(g.model(g.concat([g.input, quantised(g, g.input, 4)], axis=2)), InferConcatLayer())
    assert attribute(layers.get_nodes_by_op_type("StreamingConcat")[0], "inputDataType") == "INT5"


def test_joins_that_are_refused() -> None:
    g = IntegerGraph((1, 2, 3))
    fixed = g.constant(np.zeros((1, 2, 3), dtype=np.float32), "INT4")
    joined = g.node("Concat", [g.input, fixed], (1, 2, 6), "INT4", axis=2)
    layers = g.model(joined).transform(InferConcatLayer())
    assert refusals(layers) == ["joins a stream and a constant"]
    assert op_types(layers) == ["Concat"]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 3), min_size=2, max_size=3),
    axis=st.integers(1, 3),
    data=st.data(),
)
def test_split_along_any_dimension(shape: list[int], sizes: list[int], axis: int, data: st.DataObject) -> None:
    axis = min(axis, len(shape))
    shape[axis - 1] = sum(sizes)
    g = IntegerGraph((1, *shape))
    used = data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)).filter(any))
    layers = inferred(split(g, g.input, sizes, axis, used), InferSplitLayer())
    assert op_types(layers) == (["StreamingSplit"] if all(used) else ["Crop"] * sum(used))


def test_a_split_of_the_batch_is_refused() -> None:
    g = IntegerGraph((1, 4))
    layers = split(g, g.input, [1], 0, [True]).transform(InferSplitLayer())
    assert refusals(layers) == ["splits the batch"]


def slice_of(g: IntegerGraph, limits: list[tuple[int, int, int, int]], shape: tuple[int, ...]) -> ModelWrapper:
    held = [g.constant(np.array(numbers)) for numbers in zip(*limits, strict=True)]
    return g.model(g.node("Slice", [g.input, *held], shape, "INT4"))


@settings(max_examples=40, deadline=None)
@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=3), data=st.data())
def test_sliced_along_any_dimension(shape: list[int], data: st.DataObject) -> None:
    limits, after = [], [1, *shape]
    for axis, size in enumerate(shape, 1):
        if not data.draw(st.booleans()):
            continue
        start = data.draw(st.integers(-size, size - 1))
        stop = data.draw(st.integers(start % size + 1, size + 2))
        step = data.draw(st.integers(1, 3)) if len(shape) == 3 and axis < 3 else 1
        limits.append((start, stop, axis, step))
        after[axis] = len(range(size)[start:stop:step])
    if limits:
        g = IntegerGraph((1, *shape))
        layers = inferred(slice_of(g, limits, tuple(after)), InferCrop())
        assert set(op_types(layers)) <= {"Crop", "ConvolutionInputGenerator"} or tuple(after) == (1, *shape)
        assert len(layers.nodes) <= len(limits) + 1


def test_rows_and_columns_are_cropped_together() -> None:
    g = IntegerGraph((1, 5, 6, 2))
    layers = inferred(slice_of(g, [(1, 4, 1, 1), (2, 9, 2, 1)], (1, 3, 4, 2)), InferCrop())
    (node,) = layers.nodes
    assert [attribute(node, f"Crop{side}") for side in ("North", "East", "South", "West")] == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("limits", "shape", "reason"),
    [
        ([(3, -9, 1, -1)], (1, 4, 2, 4), "in an order of their own"),
        ([(0, 4, 3, 2)], (1, 4, 2, 2), "one of 2 elements of dimension 3"),
    ],
)
def test_slices_that_are_refused(limits: list[tuple[int, int, int, int]], shape: tuple[int, ...], reason: str) -> None:
    g = IntegerGraph((1, 4, 2, 4))
    layers = slice_of(g, limits, shape).transform(InferCrop())
    assert op_types(layers) == ["Slice"]
    assert reason in refusals(layers)[0]


@pytest.mark.parametrize(("indices", "shape"), [(np.array(2), (1, 2, 3)), (np.array([1, 2]), (1, 2, 2, 3))])
def test_neighbours_are_gathered(indices: NDArray[np.int64], shape: tuple[int, ...]) -> None:
    g = IntegerGraph((1, 2, 4, 3))
    model = g.model(g.node("Gather", [g.input, g.constant(indices)], shape, "INT4", axis=2))
    assert op_types(inferred(model, InferCrop())) == ["Crop"]
