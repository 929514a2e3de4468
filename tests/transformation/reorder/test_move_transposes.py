"""Transposes that change places with a neighbour: same function, the Transpose where it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.transformation import (
    MakeMaxPoolNHWC,
    MakeScaleResizeNHWC,
    MoveMaxPoolPastMultiThreshold,
    MoveTransposePastEltwise,
    MoveTransposePastFork,
    MoveTransposePastJoinAdd,
    MoveTransposePastJoinConcat,
    MoveTransposePastScalarMul,
    MoveTransposePastSplit,
    Transformation,
    absorb,
    general,
    reorder,
)
from tests.support.integer_graphs import IntegerGraph, same_function

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.nodes]


def turn(g: IntegerGraph, x: str, perm: list[int]) -> str:
    return g.node("Transpose", [x], [g.shape(x)[axis] for axis in perm], "INT4", perm=perm)


def moved(model: ModelWrapper, *steps: Transformation) -> list[str]:
    result = model
    for step in steps:
        result = result.transform(step)
        assert same_function(model, result)
        for node in result.nodes:
            assert all(get_shape(value) is not None for value in node.outputs)
    return op_types(result)


@pytest.mark.parametrize("perm", [FIRST, LAST, [0, 2, 1, 3]])
@pytest.mark.parametrize("shape", [(), (1,), (6,), (5, 1), (4, 5, 6), (1, 4, 1, 1)])
def test_past_elementwise_ops(perm: list[int], shape: tuple[int, ...]) -> None:
    turned_shape = [1, 4, 5, 6]
    g = IntegerGraph([turned_shape[perm.index(axis)] for axis in range(4)])
    x = turn(g, g.input, perm)
    assert list(g.shape(x)) == turned_shape
    x = g.node("Mul", [g.constant(g.integers(shape)), x], turned_shape, "INT8")
    model = g.model(g.node("Relu", [x], turned_shape, "UINT8"))
    assert moved(model, MoveTransposePastEltwise()) == ["Mul", "Relu", "Transpose"]
    expected = ["Mul", "Transpose", "Relu"] if np.prod(shape, dtype=int) == 1 else ["Transpose", "Mul", "Relu"]
    assert moved(model, MoveTransposePastScalarMul()) == expected


def test_past_joins_and_a_split() -> None:
    g = IntegerGraph((1, 4, 6, 3))
    a, b, c = (turn(g, g.input, FIRST) for _ in range(3))
    x = g.concat([g.add(a, b), c])
    model = g.model(x)
    assert moved(model, MoveTransposePastJoinAdd()) == ["Transpose", "Add", "Transpose", "Concat"]
    result = model.transform(MoveTransposePastJoinAdd()).transform(MoveTransposePastJoinConcat())
    assert op_types(result) == ["Add", "Concat", "Transpose"]
    assert attribute(result.nodes[1], "axis") == 3
    assert same_function(model, result)


def test_different_transposes_stay() -> None:
    g = IntegerGraph((1, 4, 4, 4))
    model = g.model(g.add(turn(g, g.input, FIRST), turn(g, g.input, LAST)))
    for step in (MoveTransposePastJoinAdd(), MoveTransposePastEltwise()):
        assert moved(model, step) == ["Transpose", "Transpose", "Add"]


def test_past_a_split() -> None:
    g = IntegerGraph((1, 4, 6, 3))
    x = turn(g, g.input, FIRST)
    model = g.model(g.node("Split", [x, g.constant(np.array([3]))], (1, 3, 4, 6), "INT4", axis=1))
    result = model.transform(MoveTransposePastSplit())
    assert op_types(result) == ["Split", "Transpose"]
    assert attribute(result.nodes[0], "axis") == 3
    assert same_function(model, result)


def test_a_fork_is_no_move_until_every_user_has_its_own() -> None:
    g = IntegerGraph((1, 4, 6, 3))
    x = turn(g, g.input, FIRST)
    a = g.node("Relu", [x], g.shape(x), "UINT3")
    model = g.model(g.add(a, x), x)
    assert moved(model, MoveTransposePastEltwise()) == ["Transpose", "Relu", "Add"]
    steps = [MoveTransposePastFork(), MoveTransposePastEltwise()]
    assert moved(model, *steps) == ["Transpose", "Relu", "Add", "Transpose"]


@pytest.mark.parametrize("behind", [False, True])
def test_pooling_and_resizing(behind: bool) -> None:
    g = IntegerGraph((1, 4, 6, 6) if behind else (1, 6, 6, 4))
    x = g.input if behind else turn(g, g.input, FIRST)
    x = g.max_pool(x, 3, pads=[1, 0, 1, 2], strides=[1, 2])
    none, scales = g.constant(np.zeros(0, np.float32)), g.constant(np.array([1, 1, 2, 3], np.float32))
    n, c, h, w = g.shape(x)
    x = g.node("Resize", [x, none, scales], (n, c, 2 * h, 3 * w), "INT4", mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    model = g.model(turn(g, x, LAST) if behind else x)
    order = [MakeScaleResizeNHWC(), MakeMaxPoolNHWC()] if behind else [MakeMaxPoolNHWC(), MakeScaleResizeNHWC()]
    middle = ["MaxPoolNHWC", "Resize"]
    assert moved(model, *order) == (["Transpose", *middle] if behind else [*middle, "Transpose"])
    if not behind:
        assert moved(model, MakeMaxPoolNHWC(), absorb.AbsorbTransposeIntoResize()) == [*middle, "Transpose"]


@pytest.mark.parametrize("shared", [False, True])
def test_thresholds_before_pooling(shared: bool) -> None:
    g = IntegerGraph((1, 4, 6, 6))
    model = g.model(g.threshold(g.max_pool(g.input, 3, pads=[1, 1, 1, 1]), shared=shared))
    assert moved(model, MoveMaxPoolPastMultiThreshold()) == ["MultiThreshold", "MaxPool"]


FINN_STEPS: list[Transformation] = [
    reorder.MakeMaxPoolNHWC(),
    absorb.AbsorbTransposeIntoMultiThreshold(),
    reorder.MoveTransposePastFork(),
    reorder.MoveTransposePastJoinAdd(),
    absorb.AbsorbConsecutiveTransposes(),
]


@settings(max_examples=10, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["conv", "pool", "residual", "threshold"]), max_size=4), seed=st.integers(0, 2**16)
)
def test_finns_single_steps_end_where_the_pass_ends(steps: list[str], seed: int) -> None:
    g = IntegerGraph((1, 3, 9, 8), seed=seed)
    x = g.threshold(g.conv(g.input, 4, (3, 3)))
    for step in steps:
        if min(g.shape(x)[2:]) < 3:
            break
        if step == "conv":
            x = g.threshold(g.conv(x, 4, (3, 2), pads=[0, 1, 1, 0]))
        elif step == "pool":
            x = g.max_pool(x)
        elif step == "residual":
            x = g.threshold(g.add(g.conv(x, 4, (3, 3), pads=[1] * 4), g.conv(x, 4, (1, 1))))
        else:
            x = g.threshold(x)
    model = g.model(g.threshold(g.matmul(g.flatten(x), 5)))
    result = model.transform(general.LowerConvsToMatMul())
    before: list[str] = []
    while op_types(result) != before:
        before = op_types(result)
        for each in FINN_STEPS:
            result = result.transform(each)
    result = result.transform(absorb.AbsorbTransposeIntoFlatten())
    assert same_function(model, result)
    assert sorted(op_types(result)) == sorted(op_types(model.transform(general.LowerToChannelsLast())))
