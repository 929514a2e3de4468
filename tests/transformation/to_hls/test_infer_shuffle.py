"""A Transpose between layers becomes a Shuffle; what the host does, and what moves nothing, stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.dataflow.set_folding import SetFolding
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.to_hls import (
    CreateDataflowPartition,
    InferQuantizedMatrixVectorActivation,
    InferShuffle,
)
from tests.support.integer_graphs import IntegerGraph, same_function


def between_products(shape: tuple[int, ...], perm: tuple[int, ...], datatype: str = "INT4") -> ModelWrapper:
    g = IntegerGraph(shape, datatype)
    x = g.matmul(g.input, 3)
    narrow = g.node("Clip", [x, g.constant(-8.0), g.constant(7.0)], g.shape(x), "INT4")
    x = g.node("Transpose", [narrow], [g.shape(x)[axis] for axis in perm], "INT4", perm=perm)
    return g.model(g.matmul(x, 2))


def layers_of(model: ModelWrapper) -> ModelWrapper:
    return model.transform(InferQuantizedMatrixVectorActivation()).transform(InferShuffle())


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    order=st.permutations([1, 2, 3, 4]),
)
def test_a_transpose_between_layers(sizes: list[int], order: list[int]) -> None:
    shape = (1, *sizes, 4)
    perm = (0, *(axis for axis in order if axis < len(shape)))
    model = between_products(shape, perm)
    layers = layers_of(model)
    assert same_function(model, layers)
    large = [axis for axis in perm if (*shape[:-1], 3)[axis] > 1]
    shuffles = layers.get_nodes_by_op_type("Shuffle")
    assert bool(shuffles) == (large != sorted(large))
    for folding in (SetFolding(10**6), SetFolding(resources={"LUT": 10**9, "BRAM": 10**9, "DSP": 10**9})):
        assert same_function(model, layers.transform(folding))


def test_what_the_host_turns_stays() -> None:
    g = IntegerGraph((1, 3, 4, 2))
    x = g.node("Transpose", [g.input], (1, 4, 2, 3), "INT4", perm=(0, 2, 3, 1))
    x = g.matmul(x, 5)
    model = g.model(g.node("Transpose", [x], (1, 5, 4, 2), "INT20", perm=(0, 3, 1, 2)))
    layers = layers_of(model)
    assert [node.op_type for node in layers.nodes] == ["Transpose", "MatrixVectorActivation", "Transpose"]
    assert same_function(model, layers.transform(CreateDataflowPartition()))


@pytest.mark.parametrize("datatype", ["FLOAT32"])
def test_floats_stay(datatype: str) -> None:
    model = between_products((1, 2, 3, 4), (0, 2, 1, 3), datatype)
    assert "Shuffle" not in {node.op_type for node in model.transform(InferShuffle()).nodes}


@pytest.mark.parametrize(
    ("first", "second", "shuffles"),
    [((0, 2, 3, 1), (0, 1, 3, 2), ["1,0,2"]), ((0, 1, 3, 2), (0, 1, 3, 2), [])],
)
def test_transposes_one_behind_the_other_are_one(
    first: tuple[int, ...], second: tuple[int, ...], shuffles: list[str]
) -> None:
    g = IntegerGraph((1, 2, 3, 4))
    x = g.node("Clip", [g.matmul(g.input, 3), g.constant(-8.0), g.constant(7.0)], (1, 2, 3, 3), "INT4")
    for perm in (first, second):
        x = g.node("Transpose", [x], [g.shape(x)[axis] for axis in perm], "INT4", perm=perm)
    model = g.model(g.matmul(x, 2))
    layers = layers_of(model)
    assert [attribute(node, "perm") for node in layers.get_nodes_by_op_type("Shuffle")] == shuffles
    assert same_function(model, layers)
