"""Branches: Mul and Add past joins and forks; Flatten past Mul, Add and TopK."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation import reorder
from finnmake.transformation.base import Transformation
from tests.support.affine_graphs import assert_annotations_hold, assert_same, constant_of, op_types, run, shaped
from tests.support.qonnx_models import GraphBuilder

RANDOM = np.random.default_rng(0)
IMAGE = [1, 2, 3, 3]


def channels(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32).reshape(-1, 1, 1)


def joined(join: str, one: tuple[str, Any], other: tuple[str, Any], **attributes: Any) -> ModelWrapper:
    """Relu(x) → one, x → other, joined."""
    builder = GraphBuilder(IMAGE)
    ends = [
        builder.node(op_type, [x, builder.constant(np.asarray(constant, dtype=np.float32))])
        for x, (op_type, constant) in zip(
            (builder.node("Relu", [builder.input]), builder.input), (one, other), strict=True
        )
    ]
    shape = IMAGE if join == "Add" else [1, 4, 3, 3] if attributes["axis"] in (1, -3) else [1, 2, 6, 3]
    return shaped(builder.model(builder.node(join, ends, **attributes), shape))


@pytest.mark.parametrize(
    ("kind", "op_type", "one", "other", "expected"),
    [
        (reorder.MoveLinearPastEltwiseAdd, "Mul", 0.5, [[0.5]], [0.5]),
        (reorder.MoveMulPastJoinAdd, "Mul", channels(2, -4), channels(2, -4), [2, -4]),
        (reorder.MoveLinearPastEltwiseAdd, "Add", 3.0, channels(1, -4), [4, -1]),
        (reorder.MoveAddPastJoinAdd, "Add", 3.0, 1.0, [4]),
    ],
)
def test_past_the_sum_of_branches(
    kind: type[Transformation], op_type: str, one: Any, other: Any, expected: list[float]
) -> None:
    model = joined("Add", (op_type, one), (op_type, other))
    after = model.transform(kind())
    assert op_types(after) == ["Relu", "Add", op_type]
    constant = next(v.const_value for v in after.nodes[-1].inputs if v is not None and v.const_value is not None)
    assert constant.numpy().ravel().tolist() == expected
    values = RANDOM.integers(-8, 8, (11, *IMAGE[1:]))
    assert_same(model, after, values)
    assert_annotations_hold(after, values)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (reorder.MoveLinearPastEltwiseAdd, ("Mul", 0.5), ("Mul", 0.25)),
        (reorder.MoveLinearPastEltwiseAdd, ("Mul", 0.5), ("Add", 0.5)),
        (reorder.MoveMulPastJoinAdd, ("Add", 0.5), ("Add", 0.5)),
        (reorder.MoveAddPastJoinAdd, ("Mul", 0.5), ("Mul", 0.5)),
    ],
)
def test_unlike_branches_stay(kind: type[Transformation], one: tuple[str, Any], other: tuple[str, Any]) -> None:
    model = joined("Add", one, other)
    assert op_types(model.transform(kind())) == op_types(model)


@pytest.mark.parametrize(
    ("kind", "op_type", "one", "other", "axis", "expected"),
    [
        (reorder.MoveMulPastJoinConcat, "Mul", 0.3, 0.3, 1, [0.3]),
        (reorder.MoveMulPastJoinConcat, "Mul", 0.3, -2.0, 1, [0.3, 0.3, -2, -2]),
        (reorder.MoveAffinePastJoinConcat, "Add", channels(1, 2), -2.0, -3, [1, 2, -2, -2]),
        (reorder.MoveAddPastJoinConcat, "Add", 1.0, -2.0, 2, [1, 1, 1, -2, -2, -2]),
    ],
)
def test_past_a_concat(
    kind: type[Transformation], op_type: str, one: Any, other: Any, axis: int, expected: list[float]
) -> None:
    model = joined("Concat", (op_type, one), (op_type, other), axis=axis)
    after = model.transform(kind())
    assert op_types(after) == ["Relu", "Concat", op_type]
    np.testing.assert_array_equal(constant_of(after, op_type).ravel(), np.array(expected, dtype=np.float32))
    values = RANDOM.normal(0, 3, (11, *IMAGE[1:]))
    assert_same(model, after, values)


def test_concat_along_another_axis_than_the_constants_stays() -> None:
    model = joined("Concat", ("Mul", channels(1, 2)), ("Mul", channels(1, 2)), axis=2)
    assert op_types(model.transform(reorder.MoveMulPastJoinConcat())) == op_types(model)


def test_one_branch_that_leads_elsewhere_stays() -> None:
    model = joined("Add", ("Mul", 2.0), ("Mul", 2.0))
    model.graph.outputs.append(model.nodes[1].outputs[0])
    after = model.transform(reorder.MoveLinearPastEltwiseAdd())
    assert op_types(after) == op_types(model)
    assert_same(model, after, RANDOM.integers(-8, 8, (11, *IMAGE[1:])))


@pytest.mark.parametrize("is_output", [False, True])
@pytest.mark.parametrize(
    ("kind", "copies"),
    [(reorder.MoveLinearPastFork, 1), (reorder.MoveMulPastFork, 1), (reorder.MoveAddPastFork, 0)],
)
def test_every_user_gets_its_own(kind: type[Transformation], copies: int, is_output: bool) -> None:
    builder = GraphBuilder([1, 4])
    forked = builder.node("Mul", [builder.constant(0.3), builder.input])
    x = builder.node("Sub", [builder.node("Relu", [forked]), builder.node("Neg", [forked])])
    model = shaped(builder.model(x, [1, 4]))
    if is_output:
        model.graph.outputs.append(model.nodes[0].outputs[0])
    after = model.transform(kind())
    assert op_types(after).count("Mul") == 1 + copies * (1 + is_output)
    assert_same(model, after, RANDOM.normal(0, 3, (11, 4)))
    muls = after.get_nodes_by_op_type("Mul")
    uses = [len(each.outputs[0].uses()) + each.outputs[0].is_graph_output() for each in muls]
    assert not copies or uses == [1] * len(muls)


@pytest.mark.parametrize("constant", [0.3, [[0.3]], np.arange(18.0), np.arange(18.0).reshape(1, 18)])
@pytest.mark.parametrize("op_type", ["Mul", "Add"])
def test_flatten_past_affine(op_type: str, constant: Any) -> None:
    builder = GraphBuilder(IMAGE)
    x = builder.node("Flatten", [builder.input])
    x = builder.node(op_type, [x, builder.constant(np.asarray(constant, dtype=np.float32))])
    model = shaped(builder.model(x, [1, 18]))
    after = model.transform(reorder.MoveFlattenPastAffine())
    assert op_types(after) == [op_type, "Flatten"]
    values = RANDOM.normal(0, 3, (11, *IMAGE[1:]))
    assert_same(model, after, values)
    assert_annotations_hold(after, values)


def topk_model(shape: list[int], both: bool) -> ModelWrapper:
    builder = GraphBuilder(shape)
    scores = builder.node("Flatten", [builder.input])
    x = builder.node("TopK", [scores, builder.constant(np.array([3]))], axis=1)
    model = builder.model(x, [1, 3])
    model.graph.node[-1].output.append("indices")
    wrapper = shaped(model)
    indices = wrapper.nodes[-1].outputs[1]
    if both:
        wrapper.graph.outputs.append(indices)
    else:
        wrapper.graph.outputs[0] = indices
    return wrapper


@pytest.mark.parametrize("both", [False, True])
def test_flatten_past_topk(both: bool) -> None:
    model = topk_model([1, 1, 1, 7], both)
    after = model.transform(reorder.MoveFlattenPastTopK())
    assert op_types(after) == ["TopK"] + ["Flatten"] * (1 + both)
    values = RANDOM.normal(0, 3, (11, 1, 1, 7))
    assert_same(run(model, values), after, values)


def test_flatten_of_an_image_stays_before_topk() -> None:
    assert op_types(topk_model([1, 7, 1, 2], False).transform(reorder.MoveFlattenPastTopK())) == ["Flatten", "TopK"]
