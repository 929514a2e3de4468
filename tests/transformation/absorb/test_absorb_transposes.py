"""Transposes that disappear in a neighbour: same function, no Transpose."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation import (
    AbsorbConsecutiveTransposes,
    AbsorbTransposeIntoFlatten,
    AbsorbTransposeIntoMultiThreshold,
    AbsorbTransposeIntoResize,
)
from tests.support.integer_graphs import IntegerGraph, same_function

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.nodes]


def turn(g: IntegerGraph, x: str, perm: list[int]) -> str:
    return g.node("Transpose", [x], [g.shape(x)[axis] for axis in perm], "INT4", perm=perm)


@pytest.mark.parametrize("back", [False, True])
def test_into_thresholds(back: bool) -> None:
    g = IntegerGraph((1, 4, 5, 3))
    x = g.threshold(g.threshold(turn(g, g.input, FIRST)))
    model = g.model(turn(g, x, LAST) if back else x)
    result = model.transform(AbsorbTransposeIntoMultiThreshold())
    assert op_types(result) == ["MultiThreshold", "MultiThreshold"] + ([] if back else ["Transpose"])
    assert attribute(result.nodes[1], "data_layout") == "NHWC"
    assert same_function(model, result)


@pytest.mark.parametrize("shared", [False, True])
def test_other_transposes_go_past_shared_thresholds_only(shared: bool) -> None:
    g = IntegerGraph((1, 4, 5, 3))
    model = g.model(g.threshold(turn(g, g.input, [0, 2, 1, 3]), shared=shared))
    result = model.transform(AbsorbTransposeIntoMultiThreshold())
    assert (op_types(result) == ["MultiThreshold", "Transpose"]) == shared
    assert same_function(model, result)


def test_into_each_other() -> None:
    g = IntegerGraph((1, 4, 5, 3))
    first = turn(g, g.input, FIRST)
    again = turn(g, turn(g, first, FIRST), FIRST)
    model = g.model(g.node("Relu", [again], g.shape(again), "UINT3"), turn(g, first, FIRST))
    result = model.transform(AbsorbConsecutiveTransposes())
    assert sorted(op_types(result)) == ["Relu", "Transpose"]
    assert same_function(model, result)


def test_a_model_that_does_nothing_keeps_its_transposes() -> None:
    g = IntegerGraph((1, 4, 5, 3))
    model = g.model(turn(g, turn(g, g.input, FIRST), LAST))
    assert op_types(model.transform(AbsorbConsecutiveTransposes())) == ["Transpose", "Transpose"]


@pytest.mark.parametrize("spatial", [(1, 1), (4, 5)])
@pytest.mark.parametrize("op_type", ["Reshape", "Flatten"])
@pytest.mark.parametrize("multiplied", [False, True])
def test_into_flatten(spatial: tuple[int, int], op_type: str, multiplied: bool) -> None:
    g = IntegerGraph((1, *spatial, 3))
    x = turn(g, g.input, FIRST)
    x = g.flatten(x) if op_type == "Reshape" else g.node("Flatten", [x], (1, 3 * spatial[0] * spatial[1]), "INT4")
    x = g.matmul(x, 4) if multiplied else g.threshold(x)
    model = g.model(x)
    result = model.transform(AbsorbTransposeIntoFlatten())
    gone = multiplied or spatial == (1, 1)
    assert op_types(result) == ([] if gone else ["Transpose"]) + [
        "Reshape" if gone else op_type,
        "MatMul" if multiplied else "MultiThreshold",
    ]
    assert same_function(model, result)


def test_into_resize_with_sizes() -> None:
    g = IntegerGraph((1, 4, 5, 3))
    x = turn(g, g.input, FIRST)
    none, sizes = g.constant(np.zeros(0, np.float32)), g.constant(np.array([1, 3, 8, 15]))
    x = g.node("Resize", [x, none, none, sizes], (1, 3, 8, 15), "INT4", mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    model = g.model(g.threshold(turn(g, x, LAST), shared=True))
    result = model.transform(AbsorbTransposeIntoResize())
    assert op_types(result) == ["Resize", "MultiThreshold"]
    assert same_function(model, result)
